"""What of a request is refused, and what is told instead of being done.

Takes the fields and warnings of the parser. A refusal stops everything; a remark goes with the plan.
"""

from collections.abc import Mapping
from typing import Final

from podtune.intake.understood import Refusal
from podtune.intake.words.candidates import Value
from podtune.intake.words.parse import ParsedRequest

_STOPS: Final[Mapping[str, tuple[str, str]]] = {
    "injection": (
        "the request gives orders about instructions, secrets or limits, which no request may",
        "say what to train, on what, and what it may cost",
    ),
    "unsafe_url": (
        "an address in it leads to this machine or its network, or has a form that is never followed",
        "name a public https address",
    ),
    "path_escape": (
        "a path in it leads out of the working folder, to files of the system",
        "name a file below the working folder",
    ),
    "unsafe_value": (
        "a value in it looks like a command or cannot be a name",
        "leave it away; names are letters, digits, '.', '_' and '-'",
    ),
}
"""Warning of the parser -> why nothing of the request is followed, and the next step."""

_FOREIGN: Final = (
    "what it names cannot be trained here: language models with open weights can",
    "name one, such as Mistral 7B, Llama 3.1 8B or Qwen3 8B; docs/reference/base-models.md lists them",
)

_SHOWN: Final[Mapping[str, str]] = {
    "secret_in_request": "the request holds a key or a password: it was blotted out and is not used. Keys are read "
    "from the environment; make a new one, for this one was shown",
    "suspicious_unicode": "the request holds characters that are not seen, or letters that look like others: they "
    "were left out",
    "implausible_value": "a value in the request is far from what is usual: look at it in the plan",
    "likely_infeasible": "the model is large for the card that is named: the plan says whether it fits",
    "needs_history": "earlier requests and jobs are not looked up: say again what is to be the same "
    "(podtune jobs lists them, podtune receipt JOB holds their spec)",
    "unclear": "a number in the request belongs to nothing that is known: say what it is",
}
"""Warning of the parser -> what is told."""

_EXPORTED: Final = (
    "export as {}: not built yet; the adapter alone is delivered (podtune artifact JOB -o DIR)"
)


def refusals(parsed: ParsedRequest) -> tuple[Refusal, ...]:
    """Why nothing of a request is followed; empty where it is."""
    found = [
        Refusal(code=flag, text=_STOPS[flag][0], hint=_STOPS[flag][1])
        for flag in parsed.flags
        if flag in _STOPS
    ]
    if "out_of_scope" in parsed.flags and "base_model" not in parsed.must_ask:
        found.append(Refusal(code="out_of_scope", text=_FOREIGN[0], hint=_FOREIGN[1]))
    return tuple(found)


def remarks(parsed: ParsedRequest, *, rented: bool) -> tuple[str, ...]:
    """What was asked for and is not done, or is odd, in words."""
    fields = parsed.fields
    told = [_SHOWN[flag] for flag in parsed.flags if flag in _SHOWN]
    told += [_EXPORTED.format(form) for form in _listed(fields.get("export"))]
    told += [
        words
        for field, words in _undone(fields, rented=rented).items()
        if _is_asked(fields.get(field))
    ]
    return tuple(told)


def _undone(fields: Mapping[str, Value], *, rented: bool) -> Mapping[str, str]:
    """Field that may be asked for -> what is told where it is."""
    disk = "a rented machine's disk is wiped when it ends; " if rented else ""
    undone = {
        "delete_after": f"deleting afterwards is not built: {disk}the job's folder stays until you delete it",
        "resume_from": f"{_short(fields.get('resume_from'))}: training does not go on from an adapter; it begins at the "
        "base model. A job of podtune that stopped: podtune resume JOB",
        "skip_confirmation": "nothing that costs money starts unasked, whatever the request says: the plan is shown and "
        "has to be confirmed",
        "eval_rows": f"holding out {fields.get('eval_rows')} rows as such is not built: say a share (5 %), or name a "
        "file of held-out rows; the usual share is held out",
        "spot": "machines that may be taken away any moment are not rented: the ones that stay are",
    }
    if "batch_size" not in fields or "effective_batch_size" in fields:
        undone["grad_accum"] = (
            "gradient accumulation follows from the batch of a step and the memory: say the batch size, or "
            "the effective one"
        )
    if "effective_batch_size" in fields:
        undone["batch_size"] = (
            "the batch of a step is what was said to be the effective one; how many fit at once is planned"
        )
    if fields.get("priority") in ("fastest", "quality"):
        undone["priority"] = (
            f"{fields['priority']}: machines are ordered by what the job costs in the end; name a card to have it quicker"
            if fields["priority"] == "fastest"
            else "quality: a larger base model and better data do most; name the model, or take the suggestion"
        )
    if fields.get("dataset_kind") == "connector":
        undone["dataset_kind"] = (
            "services are not read directly: export the data there, and name the file"
        )
    return undone


def _is_asked(value: object) -> bool:
    return value is not None and value is not False


def _listed(value: Value | None) -> list[str]:
    return [_short(one) for one in value] if isinstance(value, list) else []


def _short(value: object) -> str:
    return " ".join(str(value).split())[:60]

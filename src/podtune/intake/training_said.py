"""What is learnt and how: fields that go into the spec as they are, those that are computed, and contradictions."""

from typing import Final

from podtune.intake.homes import HOMES, RENTED_ONLY, Kind
from podtune.intake.quoting import one_line
from podtune.intake.sheet import Sheet, bad
from podtune.intake.understood import Option, Question
from podtune.intake.words.candidates import Value

_ELSEWHERE: Final = frozenset({"base_model_id", "max_hours"})
"""Fields that go as they are and are another's to read."""
_OTHERS: Final = frozenset({"budget", "base_model", "where", "dataset"})
"""Questions that are another's to put."""
_METHODS: Final = ("sft", "dpo", "orpo", "kto", "cpt")
_SCHEDULERS: Final = ("linear", "cosine", "constant")
_BATCH: Final = "training.effective_batch"
_WORDS: Final = {"true": True, "yes": True, "false": False, "no": False}


def settle(sheet: Sheet) -> None:
    """Leave out what the request contradicts itself on, until somebody says which holds.

    Raises:
        SpecError: an answer that is none; code `bad_answer`.
    """
    conflicts = list(sheet.parsed.conflicts)
    if {"epochs", "max_steps"} <= set(conflicts) and {"epochs", "max_steps"} <= set(sheet.fields):
        conflicts = [c for c in conflicts if c not in ("epochs", "max_steps")]
        _both_lengths(sheet)
    named = [f for f in (*conflicts, *sheet.parsed.must_ask) if f in HOMES and f not in _OTHERS]
    for field in dict.fromkeys(named):
        sheet.fields.pop(field, None)
        if field == "adapter":
            sheet.fields.pop("quant_bits", None)
        text = f"the request leaves {field} open, or says two things about it: which one holds?"
        answer = sheet.ask(Question(field=field, text=text, must=True))
        if answer is not None:
            sheet.fields[field] = _value(answer)
            sheet.words[field] = one_line(answer)


def plain(sheet: Sheet, *, rented: bool) -> None:
    """Fields that go into the spec as they are."""
    for field, home in HOMES.items():
        value = sheet.fields.get(field)
        if home.kind is not Kind.SPEC or value is None or field in _ELSEWHERE:
            continue
        if field in RENTED_ONLY and not rented:
            sheet.tell(f"{field}: a wish about rented machines, and it is trained on this one")
        elif field == "method" and value not in _METHODS:
            _another_method(sheet, str(value))
        elif field == "lr_scheduler" and value not in _SCHEDULERS:
            sheet.tell(f"the schedule {value!r} is not built: linear, cosine and constant are")
        else:
            sheet.say(home.paths[0], value, field)


def batch(sheet: Sheet) -> None:
    """Examples of one optimizer step: batch x accumulation x devices, or what was said to be effective."""
    fields = sheet.fields
    if "effective_batch_size" in fields:
        examples = fields["effective_batch_size"]
        sheet.say(_BATCH, {"examples": examples}, "effective_batch_size")
        return
    each = fields.get("batch_size")
    steps, devices = fields.get("grad_accum", 1), fields.get("gpu_count", 1)
    if each is None or not all(isinstance(n, int | float) for n in (each, steps, devices)):
        return
    examples = float(each) * float(steps) * float(devices)  # type: ignore[arg-type]
    whole = int(examples) if examples.is_integer() else examples
    sheet.say(_BATCH, {"examples": whole}, "batch_size", "grad_accum")
    if whole != each:
        on = "" if devices == 1 else f" on each of {devices} devices"
        times = "" if steps == 1 else f", accumulated {steps} times"
        sheet.tell(f"a batch of {each}{on}{times} is {whole} examples in one step")


def evaluation(sheet: Sheet) -> None:
    """Held-out rows: none where they are declined, the usual share where nothing more is said."""
    wanted = sheet.fields.get("eval_enabled")
    if wanted is False:
        sheet.say("data.validation", 0.0, "eval_enabled")
        sheet.say("evaluate.before_after", False, "eval_enabled")
    elif wanted and not {"data.validation", "data.validation_source"} & set(sheet.stated):
        why = "evaluation was asked for without a share or a file: the usual share"
        sheet.assume("data.validation", 0.05, why, "eval_enabled")


def _both_lengths(sheet: Sheet) -> None:
    epochs, steps = sheet.fields.pop("epochs"), sheet.fields.pop("max_steps")
    options = (
        Option(value="both", label="both", why="whichever ends first"),
        Option(value="epochs", label=f"{epochs} epochs", why=f"not {steps} steps"),
        Option(value="max_steps", label=f"{steps} steps", why=f"not {epochs} epochs"),
    )
    text = f"the request says {epochs} epochs and {steps} steps: which ends the training?"
    answer = sheet.ask(Question(field="epochs", text=text, options=options, must=True))
    if answer is None:
        return
    if answer not in ("both", "epochs", "max_steps"):
        raise bad("epochs", answer, "epochs=both, epochs=epochs or epochs=max_steps")
    if answer != "max_steps":
        sheet.fields["epochs"] = epochs
    if answer != "epochs":
        sheet.fields["max_steps"] = steps


def _another_method(sheet: Sheet, method: str) -> None:
    options = tuple(Option(value=m, label=m) for m in ("dpo", "kto", "sft"))
    text = f"{method} is not built: it learns from a reward. Which of the built methods instead?"
    answer = sheet.ask(Question(field="method", text=text, options=options, must=True))
    if answer is not None:
        sheet.say("method", answer)


def _value(answer: str) -> Value:
    """An answer as the parser would have it: a number where it is one."""
    for kind in (int, float):
        try:
            return kind(answer)
        except ValueError:
            continue
    return _WORDS.get(answer.casefold(), answer)

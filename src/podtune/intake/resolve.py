"""Stated fields -> a validated spec and a note on every field; the plan still fills the `auto`s.

Takes a `TrainingRequest`, knows nothing of files, models or machines.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple, cast

import yaml
from pydantic import ValidationError

from podtune.core.errors import NotFoundError, SpecError, UnsupportedError
from podtune.core.plan import FieldNote, Origin
from podtune.core.request import TrainingRequest
from podtune.core.spec import AUTO, TrainingSpec, field_paths, flatten, nest, text_fields
from podtune.intake import specfile
from podtune.intake.callback import refuse_bad_callback
from podtune.intake.contradictions import refuse_contradictions
from podtune.intake.defaults import DEFAULT_BASE_MODEL, SUGGESTED_MODEL, WHY, WHY_RENTED

_COLUMNS: Final = "data.columns."

_TEXT_FIELDS: Final = text_fields()
"""Fields that hold text: their values are taken as they are spelled."""


class Resolved(NamedTuple):
    """A spec, and for each field whether somebody stated it."""

    spec: TrainingSpec
    notes: dict[str, FieldNote]


def resolve(request: TrainingRequest) -> Resolved:
    """Validate what was stated and fill the gaps.

    Raises:
        SpecError: an unknown field or a value out of range, all of them at once; fields that
            contradict each other; or a callback address that is none.
        UnsupportedError: a known field asks for something that is not built yet.
    """
    stated = _with_columns(request.stated)
    refuse_unknown({**stated, **request.quotes, **request.assumed})
    if "base_model" in stated:
        stated["base_model.name"] = stated.pop("base_model")
    complete = {"base_model.name": DEFAULT_BASE_MODEL, **stated}
    if "adapter.rank" in stated and "adapter.alpha" not in stated:
        complete["adapter.alpha"] = 2 * _number(stated["adapter.rank"], "adapter.rank")
    try:
        spec = TrainingSpec.model_validate(nest(complete))
    except ValidationError as error:
        raise _spec_error(error) from error
    refuse_unbuilt(spec)
    refuse_contradictions(spec)
    refuse_bad_callback(spec)
    _refuse_unnamed_model(spec, stated)
    return Resolved(spec, _notes(spec, stated, request))


def _notes(
    spec: TrainingSpec, stated: Mapping[str, object], request: TrainingRequest
) -> dict[str, FieldNote]:
    """Whether each field was stated, why it is assumed if not, and the words it was read from."""
    why = {**WHY, **WHY_RENTED} if spec.where.on.is_rented else dict(WHY)
    why |= {_whole(path): reason for path, reason in request.assumed.items()}
    chosen = {_whole(path) for path in request.assumed}
    quotes = {_whole(path): words for path, words in request.quotes.items()}
    notes: dict[str, FieldNote] = {}
    for path, value in flatten(spec).items():
        said = path in stated and path not in chosen
        notes[path] = FieldNote(
            path=path,
            value=value,
            origin=Origin.STATED if said else Origin.ASSUMED,
            why="you said so" if said else why.get(path, ""),
            quote=quotes.get(path),
        )
    return notes


def _whole(path: str) -> str:
    """The field of the spec that a path belongs to."""
    if path == "base_model":
        return "base_model.name"
    return "data.columns" if path.startswith(_COLUMNS) else path


def _refuse_unnamed_model(spec: TrainingSpec, stated: Mapping[str, object]) -> None:
    """Raise where a machine is to be rented and nobody says for which model.

    Raises:
        SpecError: the default model is for trying things here; it is not worth money.
    """
    if spec.where.on.is_rented and "base_model.name" not in stated:
        raise SpecError(
            "a rented machine costs money: say which base model it is to train",
            code="model_needed",
            hint=f"--model {SUGGESTED_MODEL}, or any other name of the Hub",
            context={"suggested_model": SUGGESTED_MODEL},
        )


def parse_assignment(text: str) -> tuple[str, object]:
    """`training.epochs=3` -> (`training.epochs`, 3); the value is read as YAML.

    Raises:
        SpecError: no `=`, or an unknown path.
    """
    path, equals, value = text.partition("=")
    if not equals:
        raise SpecError(
            f"--set {text!r} has no '='", hint="write --set training.epochs=3, one field each"
        )
    path = path.strip()
    refuse_unknown({path: value})
    if path in _TEXT_FIELDS or path.startswith("data.columns."):
        return path, _text(value)
    try:
        return path, specfile.parse(value)
    except yaml.YAMLError as error:
        raise SpecError(f"--set {path}: {value!r} is no YAML value") from error


def read_spec_file(path: Path) -> dict[str, object]:
    """A spec in YAML -> stated fields.

    Raises:
        NotFoundError: no such file.
        SpecError: not YAML, not a mapping, or unknown fields (with the nearest known one).
    """
    if not path.is_file():
        raise NotFoundError(f"no spec file at {str(path)!r}", code="file_not_found")
    try:
        text = path.read_text(encoding="utf-8")
        loaded, words = specfile.parse(text), specfile.parse(text, words=True)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{str(path)!r} is not YAML: {str(error)[:200]}") from error
    if not isinstance(loaded, dict):
        raise SpecError(f"{str(path)!r} is not a spec", hint="it begins with base_model: and data:")
    stated = _flat(cast("Mapping[str, object]", loaded))
    # A commit such as 12e4567 or a name such as 007 is text, whatever YAML takes it for.
    spelled = _flat(cast("Mapping[str, object]", words))
    for path_, value in stated.items():
        if path_ in _TEXT_FIELDS and value is not None and not isinstance(value, str):
            stated[path_] = spelled[path_]
    if isinstance(stated.get("base_model"), str):
        stated["base_model.name"] = stated.pop("base_model")
    refuse_unknown(stated)
    return stated


def stated_of(sections: Mapping[str, object]) -> dict[str, object]:
    """A spec by sections, as programs send it -> stated fields.

    Raises:
        SpecError: unknown fields, with the nearest known one.
    """
    stated = _flat(sections)
    if isinstance(stated.get("base_model"), str):
        stated["base_model.name"] = stated.pop("base_model")
    refuse_unknown(stated)
    return stated


def refuse_unknown(stated: Mapping[str, object]) -> None:
    """Raise on paths the spec does not have, naming the nearest.

    Raises:
        SpecError: with all unknown paths.
    """
    known = {*field_paths(), "base_model"}
    known |= {f"{_COLUMNS}{role}" for role in ("prompt", "completion", "system", "label", "text")}
    unknown = [p for p in stated if p not in known]
    if not unknown:
        return
    named: list[str] = []
    for path in unknown:
        near = get_close_matches(path, known, n=1) or [
            k for k in sorted(known) if k.split(".")[-1] == path.split(".")[-1]
        ]
        named.append(f"{path!r} (did you mean {near[0]}?)" if near else repr(path))
    raise SpecError(
        f"unknown field: {', '.join(named)}",
        code="unknown_field",
        hint="`podtune plan SOURCE --fields` lists every field",
        context={"unknown": unknown},
    )


_UNBUILT: Final[Sequence[tuple[str, Callable[[TrainingSpec], object], str]]] = (
    (
        "where.nodes",
        lambda s: s.where.on.is_rented and s.where.nodes > 1,
        "several rented machines together are not built yet; use where.count",
    ),
    (
        "deliver.store",
        lambda s: not s.where.on.is_rented and s.deliver.store != "direct",
        "only for rented machines; deliver.to says where the adapter goes",
    ),
    ("deliver.export", lambda s: s.deliver.export, "exports are not built yet"),
    ("deliver.delete_after", lambda s: s.deliver.delete_after, "not built yet"),
    ("where.deadline", lambda s: s.where.deadline, "not built yet; use where.max_hours"),
    (
        "deliver.public",
        lambda s: s.deliver.public and not (s.deliver.to or "").startswith("hf://"),
        "only a model repository can be public: deliver.to=hf://org/name",
    ),
    *(
        (
            f"where.{name}",
            lambda s, name=name: not s.where.on.is_rented and getattr(s.where, name),
            "only for rented machines",
        )
        for name in (
            "gpu_any_of", "gpu_avoid", "volume", "region", "min_vram_gib", "registry_auth",
            "keep_on_failure_min",
        )
    ),
    (
        "where.image",
        lambda s: not s.where.on.is_rented and s.where.image != AUTO,
        "only for rented machines",
    ),
)  # fmt: skip
"""Fields whose values are not for this place, or come with later releases: path, whether it is asked
for, what to do."""


def refuse_unbuilt(spec: TrainingSpec) -> None:
    """Raise where the spec asks for what a later release brings.

    Raises:
        UnsupportedError: naming the field.
    """
    unbuilt = [(path, why) for path, is_asked, why in _UNBUILT if is_asked(spec)]
    if unbuilt:
        raise UnsupportedError(
            "; ".join(f"{path}: {why}" for path, why in unbuilt),
            code="not_built",
            hint="leave it away; `podtune plan SOURCE --fields` shows what is used instead",
            context={"fields": [path for path, _ in unbuilt]},
        )


def _spec_error(error: ValidationError) -> SpecError:
    """Every wrong field once, in the spec's words and not the validator's."""
    known, problems = set(field_paths()), dict[str, str]()
    for item in error.errors(include_url=False):
        parts = [str(p) for p in item["loc"]]
        path = next(
            (".".join(parts[:n]) for n in (2, 1) if ".".join(parts[:n]) in known), ".".join(parts)
        )
        words = item["msg"].removeprefix("Value error, ")
        got = "" if isinstance(item["input"], dict) else f" (got {str(item['input'])[:60]!r})"
        problems[path] = f"{problems[path]}, or {words}" if path in problems else f"{words}{got}"
    lines = [f"{path}: {words}" for path, words in problems.items()]
    return SpecError(
        "; ".join(lines),
        hint="correct the field; `podtune plan SOURCE --fields` lists every field and its value",
        context={"problems": lines},
    )


def _number(value: object, path: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise SpecError(f"{path}: {value!r} is no number", hint=f"e.g. --set {path}=16")


def _text(value: str) -> str | None:
    """The value of a text field: as spelled, without YAML's quotes; empty and null are none."""
    try:
        parsed = specfile.parse(value)
    except yaml.YAMLError:
        return value.strip()
    return parsed if isinstance(parsed, str) or parsed is None else value.strip()


def _flat(sections: Mapping[str, object]) -> dict[str, object]:
    """Sections of a spec file as dotted paths; `data.columns` stays one value."""
    flat: dict[str, object] = {}
    for section, value in sections.items():
        if isinstance(value, dict):
            inner = cast("Mapping[str, object]", value)
            flat.update({f"{section}.{key}": entry for key, entry in inner.items()})
        else:
            flat[str(section)] = value
    return flat


def _with_columns(stated: Mapping[str, object]) -> dict[str, object]:
    """`data.columns.prompt` and its like, gathered into the one field they belong to."""
    gathered = {k: v for k, v in stated.items() if not k.startswith(_COLUMNS)}
    single = {k.removeprefix(_COLUMNS): v for k, v in stated.items() if k.startswith(_COLUMNS)}
    if single:
        known = gathered.get("data.columns")
        base = cast("dict[str, object]", known) if isinstance(known, dict) else {}
        gathered["data.columns"] = {**base, **single}
    return gathered

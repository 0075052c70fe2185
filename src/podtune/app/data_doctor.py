"""The data doctor's report: one set of facts about a source, for screen, JSON and HTML alike.

Composes what `data` finds with what a training of it would take on this machine.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from podtune.app import planner, sources, tokenizers
from podtune.app.fetch import OnProgress
from podtune.app.settings import Settings
from podtune.core.dataset import Conversation, DatasetReport, Finding, Severity
from podtune.core.errors import PodtuneError
from podtune.core.spec import DataSpec, Method
from podtune.core.units import plural
from podtune.data import histogram, method_fit, reader
from podtune.data.findings import CODES
from podtune.data.lengths import Estimate, estimate
from podtune.data.quality import sensitive
from podtune.data.record import ReadOptions
from podtune.data.repairs import REPAIRS

PLANNED_UP_TO: Final = 4 * 1024**2
"""Bytes of a local file up to which `check` also makes a plan, for steps and time (some seconds)."""

MEASURED_ROWS: Final = 2000
"""Rows that are tokenised to know the lengths; of more rows these are a sample."""

MEASURED_CHARACTERS: Final = 8_000_000
"""Characters held for that at most."""

LINES_SHOWN: Final = 3
"""First lines that stand beside each kind of finding."""

RAW_CHARACTERS: Final = 1500
"""Of one raw record that stands beside its converted form."""


class Examination(NamedTuple):
    """What was found in a source."""

    report: DatasetReport
    facts: dict[str, Any]
    """The report's eight parts as JSON; `podtune data check --output json` prints it."""

    @property
    def is_trainable(self) -> bool:
        """Whether anything can be trained on."""
        return self.report.good_rows > 0


def examine(
    source: str,
    settings: Settings,
    options: ReadOptions,
    *,
    model: str | None = None,
    on_progress: OnProgress | None = None,
) -> Examination:
    """Judge a source and say what a training of it would take. Writes nothing.

    Args:
        source: A path, a pattern, or an address.
        settings: Of this installation.
        options: How it is to be read.
        model: Base model whose tokenizer counts; the default one where it is on this machine.
        on_progress: Bytes done and in all of a download.

    Raises:
        PodtuneError: it cannot be read at all, or the model is not known.
    """
    sample = _Sample()
    with sources.looked_at(source, settings, on_progress) as path:
        found = reader.inspect(path, options, sample.take)
        report = found.report.model_copy(update={"source": sources.stored(source)})
        lengths = _lengths(found, sample, model, settings, options.method)
        facts = _contract(report, found)
        facts |= _additions(report, found, lengths, options)
        facts["training"] = _training(path, report, options, model, settings)
    facts["verdict"], facts["next"] = _verdict(source, report, options)
    return Examination(report, facts)


class _Sample:
    """The first conversations, for counting tokens and for the split."""

    def __init__(self) -> None:
        self.rows: list[Conversation] = []
        self.questions: set[str] = set()
        self._characters = 0

    def take(self, row: Conversation) -> None:
        if len(self.rows) < MEASURED_ROWS and self._characters < MEASURED_CHARACTERS:
            self._characters += sum(len(m.text) for m in row.messages)
            self.rows.append(row)


def _lengths(
    found: reader.Inspected,
    sample: _Sample,
    model: str | None,
    settings: Settings,
    method: Method,
) -> Estimate | None:
    if not found.report.good_rows:
        return None
    folder = tokenizers.at_hand(model, settings)
    return estimate(found.sizes, sample.rows, folder, method)


def _contract(report: DatasetReport, found: reader.Inspected) -> dict[str, Any]:
    """The fields that programs rely on, exactly these."""
    return {
        "format": report.format,
        "container": report.container,
        "encoding": report.encoding,
        "rows": report.rows,
        "good_rows": report.good_rows,
        "good_rows_after_repair": report.good_rows_after_repair,
        "errors": [_finding(f) for f in report.errors()],
        "warnings": [_finding(f) for f in report.of_severity(Severity.WARNING)],
        "duplicates": report.duplicates,
        "needs_choice": {name: choice.value for name, choice in report.choices.items()},
        "first_row": found.first_row.as_json() if found.first_row else None,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    """A finding as programs read it; absent parts are left out."""
    value: dict[str, Any] = {"code": finding.code}
    for name in ("line", "row", "of", "file"):
        if getattr(finding, name) is not None:
            value[name] = getattr(finding, name)
    if finding.repair is not None:
        value["repair"] = finding.repair.replace("-", " ")
    return value


def _additions(
    report: DatasetReport, found: reader.Inspected, lengths: Estimate | None, options: ReadOptions
) -> dict[str, Any]:
    offered = sorted({f.repair for f in report.findings if f.repair} | set(_advised(report)))
    return {
        "source": report.source,
        "sha256": report.sha256,
        "size_bytes": report.size_bytes,
        "recognised": report.recognised.model_dump(mode="json") if report.recognised else None,
        "mapping": report.columns,
        "choices": {n: c.model_dump(mode="json") for n, c in report.choices.items()},
        "first_raw": _raw(found.first_raw),
        "kinds": kinds(report),
        "notes": [_finding(f) for f in report.of_severity(Severity.NOTE)],
        "repaired": report.repaired,
        "repairs": {name: REPAIRS[name] for name in offered},
        "dropped_keys": report.dropped_keys,
        "tokens": histogram.facts(lengths) if lengths else None,
        "split": _split(found, report),
        "files": [
            {"source": f.source, "format": f.format, "container": f.container, "rows": f.rows,
             "good_rows": f.good_rows, "counts": f.counts}
            for f in report.files
        ],
    }  # fmt: skip


def kinds(report: DatasetReport) -> list[dict[str, Any]]:
    """Each kind of finding once: how many, on which lines first, what to do; the worst first."""
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault((finding.code, finding.severity), []).append(finding)
    order = list(Severity)
    return [
        _kind(report, found, code, severity)
        for (code, severity), found in sorted(groups.items(), key=lambda g: order.index(g[0][1]))
    ]


def _kind(
    report: DatasetReport, found: Sequence[Finding], code: str, severity: Severity
) -> dict[str, Any]:
    internal = [c for c, k in CODES.items() if (k.shown_as or c) == code and k.severity is severity]
    count = sum(report.counts.get(c, 0) for c in internal)
    places = [
        f"{f.file}:{f.line or f.row}" if f.file else (f.line or f.row)
        for f in found
        if f.line or f.row
    ]
    first = found[0]
    examples = list(dict.fromkeys(_masked(f) for f in found if _masked(f)))[:LINES_SHOWN]
    says_more = not examples and (count == 1 or CODES[internal[0]].per_file)
    message = first.message if says_more else CODES[internal[0]].message
    return {
        "code": code,
        "severity": severity.value,
        "rows": count,
        "message": message,
        "first_lines": places[:LINES_SHOWN],
        "more": max(0, count - LINES_SHOWN) if places else 0,
        "by": "line" if first.line else "row",
        "advice": first.advice,
        "repairs": sorted({f.repair for f in found if f.repair}),
        "examples": examples,
    }


def _masked(finding: Finding) -> str:
    """The masked value behind a finding of personal data or a secret."""
    if not finding.code.startswith(("pii_", "secret")):
        return ""
    return finding.message.partition(" (")[2].removesuffix(")")


def _advised(report: DatasetReport) -> list[str]:
    """Repairs that warnings speak of."""
    return [name for name in REPAIRS if any(f"--fix {name}" in f.advice for f in report.findings)]


def _raw(value: object) -> object:
    """One raw record, its long texts cut and without keys, to stand beside its converted form."""
    if isinstance(value, str):
        value = sensitive.redact(value, frozenset({"secret"}))
        return value if len(value) <= RAW_CHARACTERS else value[:RAW_CHARACTERS] + " ..."
    if isinstance(value, dict):
        fields = cast("Mapping[str, object]", value)
        return {key: _raw(held) for key, held in list(fields.items())[:40]}
    if isinstance(value, list):
        return [_raw(held) for held in cast("Sequence[object]", value)[:20]]
    return value


def _split(found: reader.Inspected, report: DatasetReport) -> dict[str, Any] | None:
    """How many rows would be held out, by question, at the share a training takes by default."""
    if not report.good_rows:
        return None
    return {
        "by": "the source itself" if found.held_rows else "hash of the first question",
        "validation": found.held_rows or None,
        "share": DataSpec.model_fields["validation"].default,
        "leaks": report.counts.get("train_val_leak", 0),
    }


def _training(
    path: Path, report: DatasetReport, options: ReadOptions, model: str | None, settings: Settings
) -> dict[str, Any]:
    """Steps and time of a training with everything left to the plan; why not, where it has none."""
    if not report.good_rows:
        return {"planned": False, "why": "nothing to train on"}
    if any(c.close for f in (report.files or (report,)) for c in f.choices.values()):
        return {"planned": False, "why": "after the choice"}
    if report.size_bytes > PLANNED_UP_TO:
        return {"planned": False, "why": "podtune plan says it (a large file takes a while)"}
    stated: dict[str, object] = {"data.on_bad_rows": "skip", "data.fix": sorted(options.fixes)}
    stated |= {f"data.{name}": value for name, value in options.named().items()}
    stated |= {"data.columns": options.columns} if options.columns else {}
    stated |= {"base_model.name": model} if model else {}
    stated |= {"method": options.method.value} if options.method is not Method.SFT else {}
    try:
        plan = planner.make_plan(planner.source_request(str(path), stated), settings)
    except PodtuneError as error:
        return {"planned": False, "why": error.message, "code": error.code}
    return {
        "planned": True,
        "model": plan.base_model.name,
        "tokens": plan.tokens.train,
        "exact": plan.tokens.exact,
        "epochs": plan.spec.training.epochs,
        "steps": plan.schedule.steps,
        "seconds": round(plan.time.total_s),
        "device": plan.device.name,
        "usd": float(plan.usd),
        "formula": f"{plan.tokens.train} tokens x {float(plan.spec.training.epochs):g} epochs / "
        f"{plan.time.tokens_per_second:.0f} tokens/s ({plan.time.basis})",
    }


def _verdict(source: str, report: DatasetReport, options: ReadOptions) -> tuple[str, str]:
    """Ready or not, in one line, and the one next command."""
    said = _flags(options)
    shown = shlex.quote(sources.unsigned(source))
    check = f"podtune data check {shown}"
    close = [(n, c) for f in (report.files or (report,)) for n, c in f.choices.items() if c.close]
    errors = report.rows - report.good_rows - report.repaired.get("drop-duplicates", 0)
    repairs = sorted({f.repair for f in report.errors() if f.repair})
    if close:
        words = f"ready after {plural(len({n for n, _ in close}), 'choice')}"
        picks = {c.option.split(" (")[0].replace("NAME", shlex.quote(c.value)) for _, c in close}
        return words, f"{check} {' '.join(sorted(picks))}{said}"
    if repairs:
        mendable = report.good_rows_after_repair - report.good_rows
        fixes = "".join(f" --fix {name}" for name in repairs)
        words = f"{mendable} of {plural(errors, 'bad row')} can be mended"
        return words, f"podtune data convert {shown}{said}{fixes} -o {_clean_name(source)}"
    if not report.good_rows:
        other = method_fit.other_method(report)
        if other is not None:
            return (
                f"no data for {options.method.value}",
                f"podtune train {shown}"
                + _train_flags(options.model_copy(update={"method": other})),
            )
        return "cannot be trained on", _way_out(report, check)
    train = f"podtune train {shown}{_train_flags(options)}"
    if report.errors():
        return f"ready without {plural(errors, 'bad row')}", f"{train} --skip-bad-rows"
    return "ready", train


def _clean_name(source: str) -> str:
    """A name for the mended data that says whose it is."""
    name = sources.unsigned(source).rstrip("/").rsplit("/", 1)[-1]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name.split(".", 1)[0]).strip("-")
    return f"{stem or 'data'}.clean.jsonl"


def _way_out(report: DatasetReport, check: str) -> str:
    """What to do with a source in which nothing can be trained on."""
    codes = {f.code for f in report.errors()}
    if report.rows == 0 and codes & {"empty_file", "not_text"}:
        return "give another file; podtune data check FILE"
    if report.format == "unknown" and report.dropped_keys:
        first, *rest = [shlex.quote(key) for key in report.dropped_keys]
        second = rest[0] if rest else "ANSWER"
        return f"say which columns ask and answer: {check} --map prompt={first} --map completion={second}"
    return f"correct what is listed, then: {check}"


def _train_flags(options: ReadOptions) -> str:
    """The options as `podtune train` takes them."""
    method = options.method
    said = _flags(options.model_copy(update={"method": Method.SFT}))
    return said if method is Method.SFT else f"{said} --set method={method.value}"


def _flags(options: ReadOptions) -> str:
    """The options as `podtune data` takes them."""
    words = [w for r, c in options.columns.items() for w in ("--map", f"{r}={c}")]
    words += [w for name, value in options.named().items() for w in (f"--{name}", value)]
    words += [w for name in sorted(options.fixes) for w in ("--fix", name)]
    words += ["--method", options.method.value] if options.method is not Method.SFT else []
    return "".join(f" {shlex.quote(word)}" for word in words)

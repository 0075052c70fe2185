"""The rows a plan trains on, written out in canonical form; they must be the planned ones."""

from pathlib import Path

from podtune.app import sources
from podtune.app.settings import Settings
from podtune.core.dataset import DatasetReport
from podtune.core.errors import DatasetError, NotFoundError, StateError
from podtune.core.plan import Plan
from podtune.data import canonical


def write(plan: Plan, settings: Settings, train: Path, validation: Path) -> None:
    """Write the planned rows.

    Args:
        plan: Names the sources and the sums of their rows.
        settings: Where fetched sources are kept.
        train: File that is written; its folder exists.
        validation: The same for held-out rows, where they have a source of their own.

    Raises:
        DatasetError: a source gives other rows than it did when it was planned.
        StateError: the disk is full or cannot be written to.
    """
    _write(plan, settings, plan.spec.data.source, train, plan.report)
    held = plan.spec.data.validation_source
    if held and plan.validation_report:
        _write(plan, settings, held, validation, plan.validation_report)


def _write(
    plan: Plan, settings: Settings, source: str, target: Path, report: DatasetReport
) -> None:
    try:
        rows = sources.read(source, plan.spec.data, settings, fresh=False, method=plan.spec.method)
        written = canonical.write(rows.conversations, target)
    except NotFoundError as error:
        raise _changed(source) from error
    except OSError as error:
        raise StateError(
            f"the data cannot be copied into {str(target.parent)!r}: {error.strerror or error}",
            hint="free some disk, or set PODTUNE_HOME to a larger one",
        ) from error
    if (rows.report.sha256, written) != (report.sha256, report.rows_sha256):
        raise _changed(source)
    sources.forget(source, settings)


def _changed(source: str) -> DatasetError:
    return DatasetError(
        f"{source!r} was changed or removed after it was planned",
        code="data_changed",
        hint="plan again",
    )

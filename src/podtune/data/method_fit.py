"""Which rows a method can learn from: pairs, rated answers, plain text, or any conversation.

One row gives problems, a whole source an error that says what the method needs.
"""

from collections.abc import Mapping
from typing import Final

from podtune.core.dataset import TEXT_ROLE, DatasetReport
from podtune.core.errors import DatasetError, SpecError
from podtune.core.spec import Method
from podtune.data.record import Converted, Problem

NEEDS: Final[Mapping[Method, str]] = {
    Method.SFT: "conversations: `messages` with roles, or a question and its answer",
    Method.DPO: "pairs: `prompt`, and a better and a worse answer under `chosen` and `rejected`",
    Method.ORPO: "pairs: `prompt`, and a better and a worse answer under `chosen` and `rejected`",
    Method.KTO: "rated answers: a conversation with `label` true or false, or pairs of `chosen` "
    "and `rejected`",
    Method.CPT: "plain text: files of text, or records with a `text`",
}
"""What a method learns from, in words for an error."""

_LACKS: Final = frozenset({"no_pair", "not_rated", "not_plain_text", "plain_text"})
"""Problems of rows that another method could use."""


def of_name(name: str) -> Method:
    """A method by its name.

    Raises:
        SpecError: there is none of that name.
    """
    if name not in list(Method):
        raise SpecError(
            f"no method is named {name!r}",
            code="unknown_method",
            hint=f"one of: {', '.join(Method)}",
        )
    return Method(name)


def problems(converted: Converted, method: Method) -> list[Problem]:
    """What keeps a row from being learnt from by a method, and what has to be said of it."""
    is_text = converted.messages[0].role == TEXT_ROLE
    if method is Method.CPT:
        return [] if is_text else [Problem("not_plain_text")]
    if is_text:
        return [Problem("plain_text")]
    if method in (Method.DPO, Method.ORPO):
        return [] if converted.rejected else [Problem("no_pair")]
    if method is Method.KTO:
        is_rated = converted.label is not None or bool(converted.rejected)
        return [] if is_rated else [Problem("not_rated")]
    if converted.rejected:
        return [Problem("method_mismatch_sft")]
    return [Problem("rated_bad")] if converted.label is False else []


def other_method(report: DatasetReport) -> Method | None:
    """The method that would take a source in which nothing is fit for the one that was asked for."""
    if report.good_rows or not _LACKS & report.counts.keys():
        return None
    return Method.CPT if "plain_text" in report.counts else Method.SFT


def refuse_other_data(report: DatasetReport, method: Method) -> None:
    """Raise where no row of a source is what the method learns from, but another method could.

    Raises:
        DatasetError: `method_mismatch`, with what it needs and what it was given.
    """
    other = other_method(report)
    if other is None:
        return
    what = "plain text" if other is Method.CPT else report.format
    raise DatasetError(
        f"{method.value} needs {NEEDS[method]}; {report.source!r} is {what}",
        code="method_mismatch",
        hint=f"train on it with --set method={other.value}, or give other data",
        context={"method": method.value, "format": report.format, "rows": report.rows},
    )

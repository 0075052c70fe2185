"""The data of a request: a reference that is stated, words for the locator, or a question."""

from typing import Final

from podtune.intake.quoting import one_line
from podtune.intake.sheet import Sheet
from podtune.intake.understood import Option, Question

_SOURCE: Final = "data.source"
_FETCHED: Final = ("https", "http", "s3", "hf")
"""Addresses that data is read from."""


def data(sheet: Sheet) -> None:
    """State the source, or ask for it; an answer to `dataset` is the locator's to understand."""
    fields = sheet.fields
    kind, ref = fields.get("dataset_kind"), fields.get("dataset_ref")
    if isinstance(ref, str):
        _reference(sheet, ref, kind)
    if "dataset" in sheet.answers or _SOURCE in sheet.stated:
        return
    assumed, hint = sheet.assumed.get(_SOURCE), fields.get("dataset_hint")
    text = "which file or address is to be trained on?"
    options: tuple[Option, ...] = ()
    if assumed is not None:
        value = str(assumed[0])
        text = f"is {one_line(value)} the data?"
        options = (Option(value=value, label=one_line(value), why=assumed[1]),)
    elif hint:
        text = f"which file or address holds {one_line(str(hint))!r}?"
    must = "dataset" in sheet.must_ask or kind == "connector" or not (assumed or hint)
    sheet.questions.append(Question(field="dataset", text=text, options=options, must=must))


def _reference(sheet: Sheet, ref: str, kind: object) -> None:
    scheme, mark, _ = ref.partition("://")
    if mark and scheme.lower() not in _FETCHED:
        sheet.tell(
            f"{one_line(ref)}: data is read from files, https://, s3:// and hf:// addresses; "
            "fetch it from there first"
        )
        sheet.fields.pop("dataset_hint", None)
    elif kind == "hub" and not mark:
        sheet.say(_SOURCE, f"hf://{ref}", "dataset_ref")
    elif kind == "url" and not mark:
        why = "an address without its beginning, taken as https"
        sheet.assume(_SOURCE, f"https://{ref}", why, "dataset_ref")
    else:
        sheet.say(_SOURCE, ref, "dataset_ref")

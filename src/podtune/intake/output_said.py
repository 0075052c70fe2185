"""What becomes of the adapter: its name, where it goes, who may see it. Private, unless public is confirmed."""

from typing import Final

from podtune.intake.sheet import Sheet, bad
from podtune.intake.understood import Option, Question

_TO: Final = "deliver.to"
_PUBLIC: Final = "deliver.public"
_ADDRESSES: Final = ("s3://", "supabase://", "./", "~/", "/")
_FORMS: Final = {
    "huggingface": "hf://org/name",
    "s3": "s3://bucket/prefix",
    "supabase": "supabase://bucket/path",
}
"""Place as it is said -> the form of an address there."""

_STAYS: Final = Option(
    value="stays", label="stays here", why="with the job; podtune artifact JOB -o DIR copies it"
)
_SEEN: Final = (
    Option(value="private", label="private", why="only you see it; it can be made public later"),
    Option(value="public", label="public", why="everybody may copy it; that is not taken back"),
)


def output(sheet: Sheet) -> None:
    """Name, place and visibility.

    Raises:
        SpecError: an answer that is none; code `bad_answer`.
    """
    name, place = sheet.fields.get("output_name"), sheet.fields.get("output_dest")
    address = _address(sheet)
    if isinstance(name, str) and "/" in name and place in (None, "huggingface"):
        sheet.say(_TO, f"hf://{name}", "output_name")
    elif isinstance(name, str):
        sheet.say("deliver.name", name, "output_name")
    if address:
        sheet.say(_TO, address, "output_dest")
    elif place in _FORMS and _TO not in sheet.stated:
        _target(sheet, str(place))
    _visibility(sheet)


def _address(sheet: Sheet) -> str:
    """The address or folder that was named as it stands; empty where only a kind of place was."""
    words = sheet.words.get("output_dest", "").strip("\"'`")
    is_whole = not {" ", "*"} & set(words) and not words.endswith("...")
    return words if words.startswith(_ADDRESSES) and is_whole else ""


def _target(sheet: Sheet, place: str) -> None:
    form = _FORMS[place]
    text = f"the adapter is to go to {place}, and no address there is named, such as {form}"
    answer = sheet.ask(Question(field="output_dest", text=text, options=(_STAYS,), must=False))
    if answer is not None and answer != _STAYS.value:
        scheme = form.partition("://")[0]
        sheet.say(_TO, answer if "://" in answer else f"{scheme}://{answer}")


def _visibility(sheet: Sheet) -> None:
    said = sheet.fields.get("visibility")
    if said == "private":
        sheet.say(_PUBLIC, False, "visibility")
    if said == "private" or not (said == "public" or "visibility" in sheet.parsed.must_confirm):
        return
    text = "is everybody to see the adapter? It is private unless you say so here"
    must = said == "public"
    answer = sheet.ask(Question(field="visibility", text=text, options=_SEEN, must=must))
    if answer == "public":
        sheet.say(_PUBLIC, True, "visibility")
    elif answer == "private":
        sheet.say(_PUBLIC, False)
    elif answer is not None:
        raise bad("visibility", answer, "visibility=private or visibility=public")
    elif not must:
        sheet.assume(_PUBLIC, False, "public was allowed, not asked for", "visibility")

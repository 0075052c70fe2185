"""Where a request is trained and on which machine: stated, or asked where money or size make it matter."""

from typing import Final

from podtune.core.spec import Place
from podtune.intake import model_choice
from podtune.intake.homes import HINTS
from podtune.intake.sheet import Sheet, bad
from podtune.intake.understood import Option, Question

_ON: Final = "where.on"
_HERE: Final = ("local", "this machine", "2")
_LARGE_B: Final = 2.0
"""Billions of parameters from which it is asked where a model is trained: few machines that people sit at
train more in bearable time. Chosen."""

_OPTIONS: Final = (
    Option(value="runpod", label="a rented machine", why="priced before, within a ceiling"),
    Option(value="local", label="this machine", why="costs nothing"),
)


def place(sheet: Sheet, intent: str) -> Place | None:
    """Where it runs; None while that is open.

    Raises:
        SpecError: an answer that is no place; code `bad_answer`.
    """
    fields, is_torn = sheet.fields, "where" in sheet.parsed.conflicts
    if fields.get("local_only"):
        if is_torn or sheet.answers.get("where", "local").casefold() not in _HERE:
            sheet.tell("the request says that nothing may leave this machine: it is trained here")
        return _here(sheet, "local_only", "where")
    stated = _stated(sheet)
    if stated is not None and not is_torn:
        sheet.say(_ON, str(stated), "runpod_mode", "where")
        return stated
    hints = HINTS & set(fields)
    if fields.get("gpu_type") == "CPU" and hints <= {"gpu_type"}:
        return _here(sheet, "gpu_type")
    matters = bool(hints) or is_torn or "where" in sheet.answers or _is_large(sheet)
    if not matters and intent != "estimate":
        return Place.LOCAL
    return _asked(sheet, intent, has_hints=bool(hints))


def machine(sheet: Sheet, where: Place | None) -> None:
    """Card and data centre.

    Args:
        sheet: Of the request.
        where: Where it runs; None while that is open.
    """
    card = sheet.fields.get("gpu_type")
    if card == "CPU" and where is Place.LOCAL:
        sheet.say("where.gpu", "cpu", "gpu_type")
    elif card == "CPU":
        sheet.tell(
            "CPU: rented machines have cards; one is chosen by what the job costs in the end"
        )
    elif card is not None and where is Place.LOCAL:
        sheet.tell(f"{card}: on this machine the card that is there is taken")
    elif card is not None:
        sheet.say("where.gpu", card, "gpu_type")
    if where is not Place.LOCAL and "region" in sheet.fields:
        _region(sheet, str(sheet.fields["region"]))


def _here(sheet: Sheet, *fields: str) -> Place:
    sheet.say(_ON, str(Place.LOCAL), *fields)
    return Place.LOCAL


def _stated(sheet: Sheet) -> Place | None:
    if sheet.fields.get("where") == "local":
        return Place.LOCAL
    if sheet.fields.get("runpod_mode") == "serverless":
        return Place.RUNPOD_SERVERLESS
    if "runpod_mode" in sheet.fields or sheet.fields.get("where") == "runpod":
        return Place.RUNPOD
    return None


def _asked(sheet: Sheet, intent: str, *, has_hints: bool) -> Place | None:
    why = "the model is more than most machines of one's own train: "
    if has_hints:
        why = "a budget or a card is named, and no place: "
    text = f"{why}rent a machine, or train on this one?"
    must = intent != "estimate"
    answer = sheet.ask(Question(field="where", text=text, options=_OPTIONS, must=must))
    if answer is None and must:
        return None
    if answer is None:
        why = "a price was asked for, and this machine costs nothing"
        sheet.assume(_ON, str(Place.RUNPOD), why)
        return Place.RUNPOD
    if answer not in tuple(Place):
        raise bad("where", answer, "where=local, where=runpod or where=runpod-serverless")
    sheet.say(_ON, answer)
    return Place(answer)


def _is_large(sheet: Sheet) -> bool:
    """Whether the model that is named is more than people's own machines train."""
    answer = sheet.answers.get("base_model")
    if answer is not None:
        size = model_choice.size_of(answer)
        return size is not None and size > _LARGE_B
    size = sheet.fields.get("base_model_size_b")
    if isinstance(size, int | float):
        return size > _LARGE_B
    if "base_model_family" not in sheet.fields:
        return False
    found = model_choice.choose(sheet.fields, rented=True).releases
    return bool(found) and found[0].parameters_b > _LARGE_B


def _region(sheet: Sheet, region: str) -> None:
    if "-" in region:
        sheet.say("where.region", region, "region")
        return
    text = (
        f"which data centre in {region}? Machines are rented in one by name, such as EU-RO-1; "
        "`any` for no wish"
    )
    options = (Option(value="any", label="any", why="wherever it costs least"),)
    answer = sheet.ask(Question(field="region", text=text, options=options, must=True))
    if answer is not None and answer != "any":
        sheet.say("where.region", answer)

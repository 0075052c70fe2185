"""The base model of a request: stated by its id, looked up by its name, or asked."""

import re
from typing import Final

from podtune.intake import model_choice
from podtune.intake.model_choice import Choice
from podtune.intake.sheet import Sheet, bad, picked
from podtune.intake.understood import Option, Question
from podtune.intake.words.parse import parse

_NAME: Final = "base_model.name"
_FIELD: Final = "base_model"
_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def base_model(sheet: Sheet, *, rented: bool) -> None:
    """State, assume or ask for the base model.

    Args:
        sheet: Of the request.
        rented: Whether a machine is rented for it, or may be.

    Raises:
        SpecError: an answer that names no model; code `bad_answer`.
    """
    fields = sheet.fields
    answer = sheet.answers.get(_FIELD)
    must_ask = _FIELD in sheet.must_ask
    if "base_model_id" in fields and not must_ask and answer is None:
        sheet.say(_NAME, fields["base_model_id"], "base_model_id", "base_model_mention")
        return
    choice = model_choice.choose(fields, rented=rented)
    options = tuple(
        Option(value=r.name, label=r.name, why=model_choice.described(r)) for r in choice.releases
    )
    if answer is not None:
        sheet.say(_NAME, _meant(picked(options, answer)))
        return
    named = sheet.words.get("base_model_mention") or sheet.words.get("base_model_family", "")
    is_open = _FIELD in sheet.parsed.must_confirm
    must = must_ask or not choice.fits
    if must or is_open:
        text = _question(choice, named, must_ask=must_ask)
        sheet.questions.append(Question(field=_FIELD, text=text, options=options, must=must))
    if not must:
        why = _why(choice, named, is_open=is_open)
        sheet.assume(_NAME, choice.releases[0].name, why, "base_model_mention", "base_model_family")


def _meant(answer: str) -> str:
    """The repository an answer means: `org/name` as it stands, words by the table."""
    if _ID.fullmatch(answer) and ".." not in answer:
        return answer
    fields = parse(f"train {answer}").fields
    if "base_model_family" in fields:
        choice = model_choice.choose(fields, rented=True)
        if choice.fits:
            return choice.releases[0].name
    raise bad(_FIELD, answer, "base_model=org/name of the Hub")


def _question(choice: Choice, named: str, *, must_ask: bool) -> str:
    if choice.untrained is not None:
        why = choice.untrained.why
        return f"{named or 'that model'} cannot be trained here: {why}. Which one instead?"
    if must_ask:
        return "the request names several base models, or none that can be trained here: which one?"
    if not choice.fits:
        return f"no release in the table fits {named!r}: which one is meant? Another: org/name"
    first = choice.releases[0].name
    if not named:
        return f"no base model is named: {first} is suggested"
    return f"{named!r} leaves several releases: {first} is suggested"


def _why(choice: Choice, named: str, *, is_open: bool) -> str:
    first = model_choice.described(choice.releases[0])
    if not named:
        return f"no model was named: {first}"
    return f"{'of the releases that fit' if is_open else 'the release of that name'}: {first}"

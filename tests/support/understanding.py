"""Requests in words, understood at a fixed local time."""

from podtune.intake.sheet import Sheet
from podtune.intake.understand import understand
from podtune.intake.words.parse import parse
from support.words import NOW


def heard(text, **answers):
    """What a request and the answers to its questions come to."""
    return understand(parse(text, NOW), text, answers, now=NOW)


def sheet(text, **answers):
    """A request on its way."""
    return Sheet(parse(text, NOW), text, answers)


def asked(understood, field):
    """The question about a field; None where there is none."""
    return next((q for q in understood.questions if q.field == field), None)

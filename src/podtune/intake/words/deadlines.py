# ruff: noqa: RUF001 - signs of other scripts are what is read here
"""Moments by which a job must be done: `by tomorrow 9am`, `bis Freitag 18 Uhr`, `before 2026-11-30`.

Only a moment that is said to be a limit counts, and only where it is one moment: `by 6` is none.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from podtune.intake.words import timespans
from podtune.intake.words.candidates import Candidate
from podtune.intake.words.document import Document
from podtune.intake.words.patterns import Pattern

_BY: Final = (
    r"(?:\b(?:by|before|until|till|no later than|not later than|due|deadline|finish(?:ed)? (?:by|on)|done by|ready (?:by|for)|needed (?:by|for)|"
    r"bis(?: spatestens)?|vor|spatestens|avant|d ici|pour|antes (?:de|del|das|da|do)|para(?: el| la)?|entro|prima di|per|ate)[ :]{1,2}(?:the |le |el |la |il |o |a |l |zum |as |las )?)"
)
_DAYS: Final[Mapping[str, int]] = {
    word: offset
    for offset, words in enumerate(
        (
            "today heute aujourd hui hoy oggi hoje tonight eod cob", "tomorrow morgen demain manana domani amanha", "ubermorgen overmorrow",
        )
    )
    for word in words.split()
    if word not in ("aujourd", "hui")
} | {"aujourd hui": 0, "end of day": 0, "end of the day": 0, "pasado manana": 2, "apres demain": 2, "dopodomani": 2, "depois de amanha": 2, "the day after tomorrow": 2, "day after tomorrow": 2}  # fmt: skip
_WEEKDAYS: Final[Mapping[str, int]] = {
    word: day
    for day, words in enumerate(
        (
            "monday mon montag lundi lunes lunedi segunda", "tuesday tue tues dienstag mardi martes martedi terca", "wednesday wed mittwoch mercredi miercoles mercoledi quarta",
            "thursday thu thur thurs donnerstag jeudi jueves giovedi quinta", "friday fri freitag vendredi viernes venerdi sexta", "saturday samstag sonnabend samedi sabado sabato", "sunday sonntag dimanche domingo domenica",
        )
    )
    for word in words.split()
}  # fmt: skip
_MONTHS: Final[Mapping[str, int]] = {
    word: month
    for month, words in enumerate(
        (
            "january jan januar janvier enero gennaio janeiro", "february feb februar fevrier febrero febbraio fevereiro", "march mar marz mars marzo marco", "april apr avril abril aprile",
            "may mai mayo maggio maio", "june jun juni juin junio giugno junho", "july jul juli juillet julio luglio julho", "august aug aout agosto", "september sep sept septembre septiembre settembre setembro",
            "october oct oktober okt octobre octubre ottobre outubro", "november nov novembre noviembre novembro", "december dec dezember dez decembre diciembre dicembre dezembro",
        ), 1,
    )
    for word in words.split()
}  # fmt: skip


def _any(words: Mapping[str, int]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_DATE: Final = (
    rf"(?P<iso>20\d\d-\d\d?-\d\d?)|(?P<day>{_any(_DAYS)})\b|(?:(?:this|diesen|ce|este|questo|esta|am|kommenden) )?(?P<weekday>{_any(_WEEKDAYS)})(?:[ -]feira)?\b"
    rf"|(?P<month>{_any(_MONTHS)})\.? (?P<nth>\d{{1,2}})(?:st|nd|rd|th)?\b|(?P<nth2>\d{{1,2}})(?:st|nd|rd|th|\.|er)? (?:of |de |di )?(?P<month2>{_any(_MONTHS)})\b"
)
_TIME: Final = (
    r"(?P<noon>noon|midday|mittag|midi|mediodia|mezzogiorno|meio dia)|(?P<midnight>midnight|mitternacht|minuit|medianoche|mezzanotte|meia noite)"
    r"|(?P<h>\d{1,2})(?:[:.h](?P<m>\d\d))? ?(?:(?P<half>[ap])\.?m\b\.?|(?P<clock>uhr\b|h\b|heures?\b|horas?\b|ore\b|o clock\b)|(?=[^\w.:%]|$))"
)
_AT: Final = r"[ ,]{1,2}(?:morning |evening |fruh |vormittag |by |matin )?(?P<at>at |um |a |alle |as |a las |a la |gegen |vers )?"
_WHOLE: Final = Pattern(rf"{_BY}(?:{_DATE})(?:{_AT}(?:{_TIME}))?")
_CLOCK: Final = Pattern(
    rf"{_BY}(?:at )?(?:{_TIME})(?: (?:(?P<day2>today|tonight|tomorrow|heute|morgen|demain|manana|domani|amanha)|on (?P<weekday2>{_any(_WEEKDAYS)})))?"
)
_CJK: Final = Pattern(
    r"(?P<day>今天|明天|后天|今日|明日)(?P<part>上午|早上|下午|晚上|午前|午後)?(?:(?P<h>\d{1,2})[点時时:](?P<m>\d\d)?分?)?(?:之前|以前|前|まで)"
)
_OF_DATA: Final = Pattern(
    r"\b(?:placed|sent|received|written|created|from|dated|made|opened|closed|open|opens|available|valid|answered|recorded|collected|rows|tickets|e?mails|chats|orders|calls|messages|logs|von|aus|offen|geoffnet|datant|ouverts?|de|abiert[oa]s?|apert[oaie]|abert[oa]s?) $"
)
"""`orders placed before Friday`: of the data, or of what it tells."""
_IN: Final = frozenset(("in", "dans", "en", "em", "tra", "fra", "dentro de", "daqui a"))
_AWAITED: Final = Pattern(
    r"\b(?:(?:i|we) (?:need|want|must have|have to have|ll need|would like)\b(?! (?:to|you)\b)|(?:needs?|needed|has|have|must|got) (?:to )?be (?:done|ready|finished|there|delivered)\b|(?:ready|due|deadline|needed)\b|ich brauche|wir brauchen|brauchen wir|brauche ich|(?:muss|soll) [^.;,\n]{0,20}\bfertig|fertig\b|j en ai besoin|il (?:me|nous) le faut|(?:doit|faut) (?:que ce soit |etre )?(?:pret|fini|termine)|lo necesit\w+|(?:tiene|debe|ha) (?:que )?(?:de )?estar list[oa]|mi serve|ci serve|(?:deve|devono) essere pront[oaie]|preciso (?:disso|dele|del[ea])|(?:tem|deve) (?:que |de )?estar pront[oa])"
)
"""What is wanted in three hours has a deadline; what is to be trained in three hours has a limit."""


def read(document: Document) -> list[Candidate]:
    """The deadline, as local `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM`."""
    text = document.folded.replace("'", " ").replace("’", " ")
    found: list[Candidate] = []
    for match in _WHOLE.finditer(text):
        day = _day(match, document.now.date())
        is_of_data = _OF_DATA.search(text[max(0, match.start() - 24) : match.start()])
        if day is not None and day >= document.now.date() and not is_of_data:
            time = _time(match)
            value = f"{day.isoformat()}T{time}" if time else day.isoformat()
            found.append(Candidate("deadline", value, match.start(), match.end()))
    if not found:
        clocks = (m for m in _CLOCK.finditer(text) if not _OF_DATA.search(text[max(0, m.start() - 24) : m.start()]))  # fmt: skip
        found = [c for m in clocks if (c := _by_clock(m, document.now))]
    found = found or [_east_asian(m, document.now) for m in _CJK.finditer(text)][:1]
    return found or _from_now(document)


def _from_now(document: Document) -> list[Candidate]:
    """`I need it in 3 hours`; days are named without a time."""
    tokens = document.tokens
    for at, token in enumerate(tokens[:-2]):
        span = timespans.read(tokens, at + 1) if token.text in _IN else None
        if span is None or document.is_negated(token.start):
            continue
        start, end = document.clause(at)
        if not _AWAITED.search(document.loose[start:end]):
            continue
        is_in_days = span.hours % 24 == 0
        moment = document.now + timedelta(hours=span.hours)
        value = moment.strftime("%Y-%m-%d" if is_in_days else "%Y-%m-%dT%H:%M")
        return [Candidate("deadline", value, token.start, tokens[span.last].end)]
    return []


def _day(match: re.Match[str], today: date) -> date | None:
    """The day a match names; a weekday is the next one, a date without year the next such."""
    if match["iso"]:
        year, month, day = (int(part) for part in match["iso"].split("-"))
        return _date(year, month, day)
    if match["day"]:
        return today + timedelta(days=_DAYS[match["day"]])
    if match["weekday"]:
        ahead = (_WEEKDAYS[match["weekday"]] - today.weekday()) % 7
        return today + timedelta(days=ahead or 7)
    month = _MONTHS[match["month"] or match["month2"]]
    day = int(match["nth"] or match["nth2"])
    this_year = _date(today.year, month, day)
    return this_year if this_year and this_year >= today else _date(today.year + 1, month, day)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _time(match: re.Match[str]) -> str | None:
    """`HH:MM`, or None where no time of day is said."""
    if match["noon"]:
        return "12:00"
    if match["midnight"]:
        return "23:59"
    has_at = match.groupdict().get("at") is not None
    if match["h"] is None or not (match["half"] or match["clock"] or match["m"] or has_at):
        return None
    hour, minute = int(match["h"]), int(match["m"] or 0)
    if match["half"]:
        hour = hour % 12 + (12 if match["half"] == "p" else 0)
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


def _by_clock(match: re.Match[str], now: datetime) -> Candidate | None:
    """`by 6pm`: the next time the clock says so."""
    time = _time(match)
    if time is None:
        return None
    day = now.date()
    if match["day2"]:
        day += timedelta(days=_DAYS[match["day2"]])
    elif match["weekday2"]:
        day += timedelta(days=(_WEEKDAYS[match["weekday2"]] - day.weekday()) % 7 or 7)
    elif time <= f"{now:%H:%M}":
        day += timedelta(days=1)
    return Candidate("deadline", f"{day.isoformat()}T{time}", match.start(), match.end())


def _east_asian(match: re.Match[str], now: datetime) -> Candidate:
    ahead = {"今天": 0, "今日": 0, "明天": 1, "明日": 1, "后天": 2}[match["day"]]
    value = (now.date() + timedelta(days=ahead)).isoformat()
    if match["h"] and int(match["h"]) < 24:
        hour = int(match["h"])
        hour += 12 if match["part"] in ("下午", "晚上", "午後") and hour < 12 else 0
        value = f"{value}T{hour:02}:{int(match['m'] or 0):02}"
    return Candidate("deadline", value, match.start(), match.end())

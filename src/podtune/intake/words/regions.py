"""Where in the world the machine shall stand, where that is said of machines and not of people."""

import re
from typing import Final

from podtune.intake.words.candidates import Candidate
from podtune.intake.words.document import Document
from podtune.intake.words.patterns import Pattern

_CENTRE: Final = Pattern(r"\b(?:EU|US|CA|EUR|AP|OC|SEA)-[A-Z]{2,4}-\d\b")
"""Ids of data centres as RunPod spells them (REST v1 document, 2026-08-20)."""

_MACHINES: Final = r"(?:servers?|regions?|data ?cent(?:er|re)s?|only|machines?|hosts?|hosting|cloud|based|gpus?|zone|hosted|residency|location|rechenzentr\w+|servern?|serveurs?|servidores?|region|centros? de datos)"
_PLACES: Final = (
    ("EU", r"(?:EU|E\.U\.|UE|[Ee]urope(?:an)?(?: [Uu]nion)?|[Ee]uropa|[Ee]urop[äa]isch\w*|[Ee]urop[ée]\w+|欧盟|欧洲)"),
    ("US", r"(?:US|U\.S\.A?\.?|USA|EE\.? ?UU\.?|[Uu]nited [Ss]tates|États-Unis|Etats-Unis|Estados Unidos|Stati Uniti|美国)"),
    ("CA", r"(?:[Cc]anad(?:a|ian))"),
)  # fmt: skip
_PEOPLE: Final = Pattern(
    r"(?:customers?|users?|clients?|tickets?|team|kunden|clientes?|clienti|law|market|company|contracts?|office|agents)\b[^.;,\n]{0,12}$",
    re.IGNORECASE,
)


def read(document: Document) -> list[Candidate]:
    """The region that is asked for."""
    text = document.text
    found = [Candidate("region", m[0], m.start(), m.end()) for m in _CENTRE.finditer(text)]
    for region, words in _PLACES:
        pattern = Pattern(
            rf"(?<![\w-]){words}[ -](?:west|east|north|south|central)?-?\d?[ -]?(?i:{_MACHINES})\b"
            rf"|(?<![\w-]){region.lower()}(?: regions?|[ -]based|[ -]only|[ -](?:west|east|north|south|central)\b|[ -]data ?cent(?:er|re)s?)\b"
            rf"|\b(?:in|In|within|stay in|inside|from|dans|en|nell|na|auf|innerhalb)(?: the| der| l| la| los| las| dem| den| i| a| os| oss)?[ ']{words}(?![\w-])"
            rf"|\b(?:region|Region|zone|location|hosted in|runs? in)[ :=]{{1,3}}(?:the )?{words}(?![\w-])|(?:在|位于){words}|{words}(?:服务器|机房|节点|数据中心)"
        )
        for match in pattern.finditer(text):
            if not _PEOPLE.search(
                text[max(0, match.start() - 30) : match.start()]
            ) and not document.is_negated(match.start()):
                found.append(Candidate("region", region, match.start(), match.end()))
        kept = Pattern(
            rf"\b(?:not|never|nothing|cannot|can't|mustn't)\b[^.;,\n]{{0,30}}\bleaves?(?: the)? {words}(?![\w-])|\bleaving(?: the)? {words}(?![\w-])|\b(?:die )?{words} (?:nicht|nie) verlassen\b"
        )
        found += [Candidate("region", region, m.start(), m.end()) for m in kept.finditer(text)]
    return found[:1] if len({str(c.value) for c in found}) == 1 else found

"""Who may see what comes out: `private`, `public`, or nothing said. The input's own secrecy is another matter."""

import re
from typing import Final, NamedTuple

from podtune.intake.words import clauses
from podtune.intake.words.candidates import Candidate
from podtune.intake.words.document import Document
from podtune.intake.words.patterns import Pattern

_THINGS: Final = r"(?:data\w*|tickets?|chats?|files?|messages?|e?mails?|notes?|conversations?|documents?|docs?|corpus|records?|logs?|info\w*|keys?|details|customer\w*|support|slack|zendesk|folder|bucket|channel|daten\w*|donnees|datos|dati|dados|gesprache|nachrichten|mensajes|messages|messaggi|ip|network|address\w*|test|school|sector|company|benchmark\w*|domain|figures|cloud|link|api|endpoint|holidays?|transport\w*|services?|health\w*|librar\w*|relations|opinion|institution\w*|authorit\w*|administration|works|schools|broadcast\w*|buildings?|affairs|procurement|tenders?)"
_PRIVATE: Final = Pattern(
    rf"\b(?:private|privately|privat(?:e[nrsm])?|prive|privee|privado|privada|privato|privata|confidential|vertraulich)\b(?! {_THINGS}\b)(?! \ue001)|\bnot public(?:ly)?\b|私有|私密|不公开|保密|非公開"
)
_PUBLIC: Final = Pattern(
    rf"\b(?:public|publicly|offentlich\w*|publique|publiquement|publico|publica(?:mente)?|publicamente|pubblico|pubblica(?:mente)?)\b(?! {_THINGS}\b)(?! \ue001)|\bopen ?source (?:it|the (?:model|adapter|result|weights))|(?<![不非])公[开開]"
)
_OWN: Final = Pattern(
    r"\b(?:my|our|the|these|some|a|his|her|their|meine\w?|unsere\w?|mes|nos|mis|nuestr\w+|miei|nostr\w+|meus|minhas|noss\w+) $"
)
_IS_INPUT: Final = Pattern(
    r"\b(?:repo|repository|site|website|faq|docs|data|dataset|wiki|page|forum)s? (?:is|are|was) $"
)
_EITHER: Final = Pattern(r" or (?:public|private)\b")
_EITHER_BEFORE: Final = Pattern(r"\b(?:public|private) or $")
"""Whoever leaves it open states nothing."""
_MADE: Final = Pattern(r"^ ?(?:model\w*|adapter\w*|output|lora|result\w*|weights|hub|bot|upload)\b")
_PERMITTED: Final = Pattern(
    r"^[^,.;\n]{0,20}\b(?:ok|okay|fine|allowed|possible|no problem|acceptable|would be (?:ok|fine)|works|ginge|in ordnung|moglich|erlaubt|d accord|possible|permitido|vale|va bene|tudo bem|pode ser)\b|^[^,.;\n]{0,10}可以"
)
_PUBLISH: Final = Pattern(
    r"\b(?:publish\w*|open ?sourc\w*|release|veroffentlich\w*|publie[rz]?|publica[r]?|pubblica\w*|publique|share (?:it|the (?:model|adapter)))\b|发布"
)
_FOR_ALL: Final = Pattern(
    r"\b(?:publish|release|share|push|upload|post)\w*\b[^.;,\n]{0,40}\b(?:openly|for (?:everyone|everybody|anyone|all)|with (?:everyone|the world|anyone)|to the world|freely)\b|\b(?:visible|open|accessible|available|readable|downloadable) (?:to|for|by) (?:everyone|everybody|anyone|all|the world)\b|\b(?:seen|used|downloaded|accessed) by (?:everyone|everybody|anyone|anybody|all|the public)\b|\b(?:everyone|everybody|anyone) (?:can|may|should be able to|is allowed to) (?:see|download|use|access)\b|"
    r"\bfur (?:alle|jeden|jedermann) (?:sichtbar|zuganglich|offen|verfugbar)\b|\b(?:visible|accessible|ouvert|disponible) (?:par|a|pour) (?:tous|tout le monde)\b|\b(?:visible|accesible|abierto|disponible) (?:para|a) todos\b|\b(?:visibile|accessibile|aperto|disponibile) (?:a|per) tutti\b|\b(?:visivel|acessivel|aberto|disponivel) (?:para|a) todos\b"
)
_FOR_US: Final = Pattern(
    r"\b(?:nobody|no one|noone) (?:but|except|other than|besides|apart from) (?:me|us|my|our)\b|\bonly (?:me|i|we|us|my team|our team|my company|our company)(?: and (?:my|our) \w{1,15})? (?:can|should|may|must|shall|will|get to|is allowed|are allowed)\b[^.;,\n]{0,15}\b(?:see|access|use|download|read|open)\b|\b(?:visible|accessible|available|readable) only (?:to|for) (?:me|us|my|our)\b|\bonly (?:visible|accessible|available|readable) (?:to|for) (?:me|us|my|our)\b|\b(?:not|never) (?:be )?(?:visible|accessible|available|readable) (?:to|for) (?:others|anyone|anybody|everyone|the public|outsiders)\b|\b(?:not|never) be (?:seen|used|downloaded|accessed) by (?:others|anyone|anybody|everyone|the public|outsiders)\b|\bfor (?:my|our) eyes only\b|"
    r"\bnur (?:fur )?(?:mich|uns|ich|wir)\b[^.;,\n]{0,20}\b(?:sichtbar|zuganglich|sehen|zugreifen|zugriff|nutzen)\b|\b(?:visible|accessible) (?:seulement|uniquement) (?:par|pour|a) (?:moi|nous)\b|\b(?:visible|accesible) solo (?:para|por) (?:mi|nosotros)\b|\b(?:visibile|accessibile) solo (?:a|per) (?:me|noi)\b|\b(?:visivel|acessivel) (?:so|apenas|somente) (?:para|por) (?:mim|nos)\b"
)
"""Who may see the result, without the words `private` and `public`."""
_RELATIVE: Final = Pattern(r"(?<!so )\b(?:that|which|who|die|das|que|che) $")
"""`the FAQ that everyone can see`: of the input."""
_NOTHING: Final = Pattern(
    r"\b(?:nothing|nowhere|nichts|rien|nada|niente|nulla|neither|hardly|avoid\w*|anything but|far from|isn t|not be|not become|not go|stay away from)\b[^.;,\n]{0,18}$|\b(?:hate|afraid|scared|worried)\b[^.;,\n]{0,32}$"
)
_SECRET: Final = Pattern(r"^(?:confidential|vertraulich)$")
_KEPT: Final = Pattern(
    r"\b(?:keep\w*|make|stays?|remain\w*|result\w*|adapter|model\w*|output|lora|treat|ergebnis|bleib\w*|halt\w*)\b[^.;,:\n]{0,20}$"
)
_UNPUBLISHED: Final = Pattern(
    r"\b(?:nothing|not|never|don t|without|ohne|sans|sin|senza|sem|ne|nicht|nichts|niemals|rien|jamais|nada|nunca|niente|mai|nao|non|no)\b[^.;,\n]{0,30}\b(?:publish(?:ed|ing)?|veroffentlich\w*|publie[rzs]?|publique[nsz]?|publicad[oa]s?|publicar|pubblicat[oaie]|pubblicare|pubblicar\w*)\b"
)


class Seen(NamedTuple):
    """What is said of the output's visibility."""

    candidates: list[Candidate]
    is_publishing: bool
    """Whether the result may become public: to be confirmed."""


def read(document: Document) -> Seen:
    """Of the output only: `my private data set` speaks of the input."""
    text = document.loose
    is_publishing = any(not document.is_negated(m.start()) for m in _PUBLISH.finditer(text))
    found: list[Candidate] = []
    for match in _UNPUBLISHED.finditer(text):
        found.append(Candidate("visibility", "private", match.start(), match.end()))
        is_publishing = False
    found += _described(document)
    for value, pattern in (("private", _PRIVATE), ("public", _PUBLIC)):
        for match in pattern.finditer(text):
            before = text[max(0, match.start() - 40) : match.start()]
            after = text[match.end() : match.end() + 40]
            if _is_of_something_else(match[0], before, after):
                continue
            if (
                value == "public"
                and _PERMITTED.match(after)
                and not clauses.is_refused(text, *match.span())
            ):
                is_publishing = True
                continue
            stated = _stated(document, value, match, before)
            if stated:
                found.append(Candidate("visibility", stated, match.start(), match.end()))
    is_publishing |= any(c.value == "public" for c in found)
    return Seen(found, is_publishing)


def _described(document: Document) -> list[Candidate]:
    """Who may see it, without the words themselves: `nobody but me`, `visible to everyone`."""
    found: list[Candidate] = []
    for value, pattern in (("private", _FOR_US), ("public", _FOR_ALL)):
        for match in pattern.finditer(document.loose):
            before = document.loose[max(0, match.start() - 12) : match.start()]
            is_refused = value == "public" and document.is_negated(match.start())
            if not (is_refused or _RELATIVE.search(before)):
                found.append(Candidate("visibility", value, match.start(), match.end()))
    return found


def _is_of_something_else(word: str, before: str, after: str) -> bool:
    """Whether a word describes the input, or is one of two that are left open."""
    if (_OWN.search(before) and not _MADE.match(after)) or _IS_INPUT.search(before):
        return True
    if _EITHER.match(after) or _EITHER_BEFORE.search(before):
        return True
    return _SECRET.match(word) is not None and not _KEPT.search(before)


def _stated(document: Document, value: str, match: re.Match[str], before: str) -> str:
    """What the word states where it stands; empty where its opposite states nothing."""
    if value == "public" and _NOTHING.search(before):
        return "private"
    is_refused = document.is_negated(match.start()) or clauses.is_refused(
        document.loose, *match.span()
    )
    if match[0].startswith("not") or not is_refused:
        return value
    return "private" if value == "public" else ""

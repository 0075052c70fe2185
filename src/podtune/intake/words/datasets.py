"""Where the training data is: a literal, a service, or the words that describe it."""

import re
from collections.abc import Sequence
from typing import Final

from podtune.intake.words.candidates import Candidate
from podtune.intake.words.clauses import is_corrected_here
from podtune.intake.words.document import Document
from podtune.intake.words.literals import Kind, Literal
from podtune.intake.words.patterns import Pattern
from podtune.intake.words.secrets import MASK
from podtune.intake.words.sources import Role, Use

_KINDS: Final = {
    Kind.FILE: "file", Kind.FOLDER: "dir", Kind.GLOB: "glob", Kind.URL: "url", Kind.HOST: "url", Kind.STORE: "object_store", Kind.PAIR: "hub",
}  # fmt: skip
_NOUNS: Final = (
    r"tickets?|chats?|conversations?|e ?mails?|mails|notes?|messages?|logs?|docs|documents?|documentation|faqs?|transcripts?|photos?|images?|pictures?|examples?|dataset|corpus|repo|repository|code ?base|wiki|articles?|posts?|reviews?|contracts?|reports?|manuals?|"
    r"answers?|questions?|replies|calls|recordings|stories|poems|books?|blog|knowledge base|files?|folder|exports?|invoices|records|papers|letters|threads|history|archive|pdfs|spreadsheets?|inbox|mailbox|"
    r"nachrichten|gesprache|gespraechen?|chatverlaufe?n?|dokumente?n?|notizen|antworten|anfragen|vertrage?n?|unterlagen|donnees|courriels|notes|contrats|correos|conversaciones|mensajes|notas|contratos|documentos|preguntas|conversazioni|messaggi|documenti|appunti|contratti|domande|conversas|mensagens|perguntas"
)
_POSSESSIVE: Final = r"my|our|these|those|the|some|all my|all our|all of our|his|her|their|meine[nmr]?|unsere[nmr]?|die|den|der|das|mes|mon|ma|nos|notre|les|des|mis|mi|nuestr[oa]s?|los|las|nuestras|i miei|le mie|mie|miei|nostr[aeio]|i nostri|le nostre|i|le|gli|meus|minhas|meu|minha|nossos|nossas|os|as"
_DESCRIBED: Final = Pattern(
    rf"\b(?:on|from|using|with|over|in|of|by|learn|auf|mit|aus|anhand|sur|avec|a partir de|con|sobre|usando|su|sui|sulle|dalle|dai|com|nos|nas|a partir)\s(?:about |roughly |around |all |only )?(?:\d[\d.,]{{0,9}} ?k? )?(?P<hint>(?:(?P<own>{_POSSESSIVE}) )?(?:[^\W\d_]+ ){{0,3}}?(?:{_NOUNS})\b(?: (?:folder|file|files|export|exports|archive|history|of (?:my|our|the) \w+|de \w+|di \w+|da \w+|dataset|data))?)"
)
_LOOSE_NOUN: Final = Pattern(rf"\b(?P<hint>(?:[^\W\d_]+ )?(?:{_NOUNS}))\b")
_OWN: Final = Pattern(
    r"\b(?:on|from|using|auf|mit|aus|sur|avec|con|sobre|su|com)\s(?P<hint>(?:my|our|meine[nmr]?|unsere[nmr]?|mes|nos|mis|nuestr[oa]s|i miei|le mie|le nostre|i nostri|meus|minhas|nossos|nossas) (?:[^\W\d_]+ ?){1,4})"
)
_HAN: Final = Pattern(
    r"(?:用|在|基于|根据)?(?:我的|我们的|我们|公司的)(?P<hint>[\u4e00-\u9fff]{2,10}?)(?=微调|训练|上|来|对|,|\.|$|进行|做)"
)
_DEVICE: Final = Pattern(
    r"\b(?:run|job|training|machine|laptop|computer|box|gpus?|pc|mac|macbook|workstation|server|hardware|cpu|rig|card|account|behalf|own|budget|rechner|ordinateur|portable|ordenador|maquina|computador|portatile|side|way|team|desktop)\b"
)
_SERVICES: Final = r"zendesk|slack|google (?:docs?|drive|sheets?)|gdrive|notion|intercom|salesforce|hubspot|jira|confluence|discord|gmail|freshdesk|help ?scout|sharepoint|one ?drive|dropbox|ms teams|microsoft teams|airtable|outlook|asana|trello|front app|gorgias|crisp|servicenow|snowflake|bigquery|postgres(?:ql)?|mongo ?db|mysql|telegram|whatsapp"
_CONNECTED: Final = Pattern(
    rf"\b(?:(?:on|in|from|via|with|to|using|pull\w*|sync\w*|import\w*|connect\w*|fetch\w*|aus|von|mit|depuis|de|desde|con|da|do|com)(?: it| them| data| everything| directly| our| my| the| straight| live){{0,3}} (?P<name>{_SERVICES})(?=\s*(?:[.,;!?]|$|account|workspace|api|directly|integration|connection|and |via|through|instance|\())|(?P<name2>{_SERVICES}) (?:api|account|workspace|integration|connection|connector|instance)\b)"
)


def read(document: Document, found: Sequence[Use]) -> tuple[list[Candidate], str]:
    """The data set's fields, and how it was named: `stated`, `several`, `described`, `hidden`, `none`."""
    named = [
        u.literal for u in found if u.role is Role.DATA and not document.is_negated(u.literal.start)
    ]
    hint = _hint(document)
    if len(named) > 1:
        named = _last_word(document, named)
    if any(MASK in literal.value for literal in named):
        return hint, "hidden"
    if len({literal.value for literal in named}) > 1:
        words = " ".join(literal.value for literal in named)
        kind = Candidate("dataset_kind", "files", named[0].start, named[-1].end)
        return [kind, kind._replace(field="dataset_hint", value=words)], "several"
    if named:
        return [*_described_by(named[0]), *hint], "stated"
    service = _CONNECTED.search(document.loose)
    if service is not None:
        words = service["name"] or service["name2"]
        kind = Candidate("dataset_kind", "connector", service.start(), service.end())
        return [kind, kind._replace(field="dataset_hint", value=words)], "described"
    if hint:
        return [hint[0]._replace(field="dataset_kind", value="described"), *hint], "described"
    return [], "none"


def _last_word(document: Document, named: list[Literal]) -> list[Literal]:
    """After a correction only what follows it counts."""
    last = named[-1]
    return [last] if is_corrected_here(document.tokens, document.at(last.start)) else named


def _described_by(literal: Literal) -> list[Candidate]:
    kind = "hub" if literal.value.startswith("hf://") else _KINDS.get(literal.kind, "file")
    start, end = literal.start, literal.end
    return [
        Candidate("dataset_kind", kind, start, end),
        Candidate("dataset_ref", literal.value, start, end),
    ]


def _hint(document: Document) -> list[Candidate]:
    """The words that describe the data, for the locator."""
    for pattern in (_DESCRIBED, _OWN, _HAN):
        for match in pattern.finditer(document.loose):
            words = document.text[match.start("hint") : match.end("hint")].strip()
            if _DEVICE.search(match["hint"]) or document.is_negated(match.start("hint")):
                continue
            return [Candidate("dataset_hint", words, match.start("hint"), match.end("hint"))]
    service = re.search(rf"\b(?:{_SERVICES})\b", document.loose)
    if service is not None and any(u.kind is not Kind.QUOTED for u in document.literals):
        return [
            Candidate(
                "dataset_hint",
                document.text[service.start() : service.end()],
                service.start(),
                service.end(),
            )
        ]
    return []

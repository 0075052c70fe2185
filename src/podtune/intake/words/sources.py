"""What each literal is for, and where the training data is, by the words around it."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from podtune.intake.words import names
from podtune.intake.words.candidates import Candidate
from podtune.intake.words.clauses import is_corrected_here
from podtune.intake.words.document import Document
from podtune.intake.words.literals import SUFFIXES, Kind, Literal
from podtune.intake.words.patterns import Pattern
from podtune.intake.words.secrets import MASK


class Role(StrEnum):
    """What a literal is for."""

    DATA = "data"
    EVAL = "eval"
    CALLBACK = "callback"
    OUTPUT = "output"
    RESUME = "resume"
    MODEL = "model"
    IMAGE = "image"
    PROMPT = "prompt"
    COLUMN = "column"
    SHEET = "sheet"
    NOTHING = "nothing"


class Use(NamedTuple):
    """A literal and what it is for."""

    literal: Literal
    role: Role


_CUES: Final = (
    (Role.EVAL, r"eval\w*|validat\w*|validier\w*|validierung|valid\w*|test(?:s|ing|e|en)?\b(?! it works)|held out|hold ?out|benchmark|prufdaten|evalua\w*|avalia\w*|评估|验证|测试"),
    (Role.CALLBACK, r"notify|notification|callback|call back|web ?hook|ping|posts?\b|report (?:back )?to|tell|hooks?\b|(?:call|hit|invoke)(?= ?$)|let (?:me|us) know|send (?:the |a |me |all |any )?(?:results?|status|updates?|notif\w*|message|progress|request|event)\w*|benachrichtig\w*|melde|notifie[rz]?|previen\w*|avisa\w*|notific\w*|avvisa\w*|avise|通知|回调"),
    (Role.OUTPUT, r"save|store|publish|push|upload|deliver|export|write|output|outputs|results? (?:in|to|into|under)|put (?:it|the (?:result|adapter|model))|call (?:it|the (?:result|adapter|model))|name (?:it|the (?:result|adapter|model))|named|release|share|speicher\w*|veroffentlich\w*|nenn\w*|lade .{0,20}hoch|enregistr\w*|publi\w*|sauvegard\w*|appelle\w*|nomme\w*|guard\w*|llama(?:lo|la)|nombr\w*|salv\w*|chiama\w*|pubblic\w*|cham[ea]\w*|保存|发布|上传|命名"),
    (Role.RESUME, r"resum\w*|continu\w*(?! pre)|adapter|checkpoint|earlier|previous (?:adapter|run|lora)|start(?:ing)? from|on top of|weiter\w*|fortsetz\w*|repren\w*|retom\w*|riprend\w*|适配器|继续"),
    (Role.IMAGE, r"image|docker|container|imagen docker|contenedor|镜像"),
    (Role.PROMPT, r"system ?prompt|system message|sys prompt|system ?nachricht|prompt systeme|prompt de sistema|prompt del sistema|mensaje de sistema|prompt di sistema|mensagem de sistema|系统提示词?"),
    (Role.COLUMN, r"columns?|spalten?|colonnes?|columnas?|colonn[ae]|colunas?|fields?|列"),
    (Role.SHEET, r"sheet|tab|tabelle|blatt|feuille|hoja|foglio|planilha|工作表"),
    (Role.MODEL, r"base ?model|models?|base is|base|basis\w*|modell\w*|modeles?|modelos?|modell[oi]|checkpoint of|基座|模型"),
    (Role.DATA, r"datas?|data ?sets?|train(?:ing)?(?: it)? (?:on|with|from|using)|tun(?:e|ing)(?: \S{1,30})? (?:on|with|from|using)|file|files|folder|rows|examples|csv|json|corpus|tickets|chats|daten\w*|trainier\w*|donnees|fichiers?|datos|archivos?|dati|dados|arquivos?|jeu de donnees|using|数据\S?|数据集|文件"),
)  # fmt: skip
_ANY_CUE: Final = Pattern(
    "|".join(f"(?P<{role}>(?<![a-z])(?:{words})(?![a-z]))" for role, words in _CUES)
)
_AS_NAME: Final = Pattern(r"(?:\bas|\bals|\bcomme|\bcomo|\bcome|作为|为) $")
_BEGINS: Final = Pattern(r"\b(?:start(?:ing)? from|on top of) $")
"""What is also said of a base model; a maker of base models there is no adapter's owner."""
_DELIVERED: Final = Pattern(
    r"\b(?:publi\w*|release|push|upload|share)\b|\b(?P<hub>privat\w*|prive|offentlich|hugging ?face|hub|hf)\b"
)
_TAKEN_UP: Final = Pattern(
    r"\b(?:resum\w*|continu\w*|from|on top of|weiter\w*|fortsetz\w*|repren\w*|retom\w*|riprend\w*|previous|earlier)\b"
)
"""An adapter is either what comes out or what is gone on from."""
_PUBLIC_THING: Final = Pattern(r"\b(?:my|our|the|a) public [a-z]")
"""`our public FAQ` publishes nothing."""
_ROWS_END: Final = Pattern(
    r"\.(?:jsonl|ndjson|csv|tsv|parquet|arrow|xlsx?|txt|md|html?|mbox)(?:\.(?:gz|zst|bz2|xz|zip))?$"
)
"""Ends of files that hold rows, never a checkpoint."""
_ORGANISATIONS: Final = frozenset(
    [
        "meta-llama",
        "mistralai",
        "qwen",
        "google",
        "microsoft",
        "huggingfacetb",
        "deepseek-ai",
        "ibm-granite",
        "unsloth",
        "allenai",
        "tiiuae",
        "openai",
        "nousresearch",
        "01-ai",
        "zai-org",
        "thudm",
        "bigcode",
        "nvidia",
        "bigscience",
        "eleutherai",
        "stabilityai",
        "tinyllama",
        "facebook",
        "openai-community",
        "moonshotai",
        "minimaxai",
        "internlm",
        "baichuan-inc",
        "lgai-exaone",
        "cohereforai",
        "coherelabs",
        "ai21labs",
        "upstage",
        "mosaicml",
        "databricks",
        "lmsys",
        "huggingfaceh4",
        "teknium",
        "swiss-ai",
        "utter-project",
        "speakleash",
        "liquidai",
    ]
)
_KINDS: Final = {
    Kind.FILE: "file", Kind.FOLDER: "dir", Kind.GLOB: "glob", Kind.URL: "url", Kind.HOST: "url", Kind.STORE: "object_store", Kind.PAIR: "hub",
}  # fmt: skip
_SAID_DATA: Final = Pattern(
    r"[ (]{0,3}(?:hf |hub |hugging ?face )?(?:data ?set|data|daten|jeu de donnees|datos|dati|dados)\b"
)
_SAID_EVAL: Final = Pattern(
    r" ?(?:for|as|zur|als|pour|para|per|come|como|fur) (?:the |a |my |our )?(?:eval\w*|valid\w*|test\w*|hold ?out)"
)
_STOP_IN: Final = ".;!?\n"


def uses(document: Document) -> list[Use]:
    """Every literal with its role, in order."""
    found: list[Use] = []
    for literal in document.literals:
        found.append(Use(literal, _role(document, literal, found)))
    return found


def _role(document: Document, literal: Literal, before: Sequence[Use]) -> Role:
    window = document.loose[max(0, literal.start - 90) : literal.start]
    cut = max(window.rfind(sign) for sign in _STOP_IN) + 1
    said = window[cut:]
    cues = list(_ANY_CUE.finditer(said))
    last = cues[-1] if cues else None
    role = Role(last.lastgroup) if last is not None and last.lastgroup else None
    gap = said[last.end() :] if last is not None else ""
    if literal.kind is Kind.QUOTED:
        return _quoted_role(literal, role, before)
    if _SAID_EVAL.match(document.loose, literal.end):
        return Role.EVAL
    if literal.kind is Kind.PAIR:
        return _pair_role(document, literal, role, said, before)
    if role is not None and role in (Role.CALLBACK, Role.OUTPUT, Role.EVAL, Role.RESUME):
        return _near_role(literal, role, gap, said, before)
    if (
        role is Role.MODEL
        and "," not in gap
        and literal.kind is Kind.FOLDER
        and re.match(r"[ :=]{0,3}(?:is |in |at |from |under )?$", gap)
    ):
        return Role.MODEL
    return Role.DATA


def _near_role(literal: Literal, role: Role, gap: str, said: str, before: Sequence[Use]) -> Role:
    """A cue counts only where no other literal took it already and no data word came after it."""
    if len(gap) > 50 or ("\ue001" in gap and not re.search(r"\b(?:and|und|et|y|e|,)\s", gap)):
        return Role.DATA
    if "\ue001" in gap and before and before[-1].role is not role:
        return Role.DATA
    comma = gap.rfind(",")
    if comma >= 0 and not re.search(r"\b(?:to|on|at|as|into|in|under)\b", gap[comma:]):
        return Role.DATA
    if role is Role.OUTPUT and literal.kind is Kind.FILE and _PUBLIC_THING.search(said):
        return Role.DATA
    if role is Role.CALLBACK and literal.kind not in (Kind.URL, Kind.HOST):
        return Role.DATA
    if role is Role.RESUME and _ROWS_END.search(literal.value.lower()):
        return Role.DATA
    if (
        role is Role.RESUME
        and re.search(r"\badapter\b[^a-z]{0,3}(?:for|on|from|with)", said)
        and literal.kind in (Kind.FILE, Kind.GLOB)
    ):
        return Role.DATA
    if (
        role is Role.OUTPUT
        and literal.kind is Kind.FILE
        and re.search(r"\b(?:stored|saved|exports?|exported|export) (?:in|at|as|under|to)\b", said)
        and not re.search(r"\b(?:result|adapter|model|it)\b", said)
    ):
        return Role.DATA
    return role


def _quoted_role(literal: Literal, role: Role | None, before: Sequence[Use]) -> Role:
    if role is not None and role in (Role.PROMPT, Role.SHEET, Role.COLUMN, Role.OUTPUT):
        return role
    if re.search(rf"\.(?:{SUFFIXES})$", literal.value.lower()) and "\n" not in literal.value:
        return Role.DATA if role is not Role.EVAL else role
    if before and before[-1].role is Role.COLUMN and literal.start - before[-1].literal.end < 12:
        return Role.COLUMN
    return Role.NOTHING


def _pair_role(
    document: Document, literal: Literal, role: Role | None, said: str, before: Sequence[Use]
) -> Role:
    organisation, _, name = literal.value.partition("/")
    if ":" in name or role is Role.IMAGE:
        return Role.IMAGE
    if re.search(
        r"(?:base ?)?(?:model|modell|modele|modelo|modello|base|模型)(?: is)?[ :=]{1,3}$", said
    ):
        return Role.MODEL
    if _SAID_DATA.match(document.folded, literal.end) or re.search(
        r"(?:data ?set|data|daten|datos|dati|dados|donnees|数据集?)(?: is| called| named)?[ :=]{0,3}$",
        said,
    ):
        return Role.DATA
    if role is Role.RESUME and _BEGINS.search(said) and organisation.lower() in _ORGANISATIONS:
        return Role.MODEL
    if role is Role.RESUME and _is_delivered(said):
        return Role.OUTPUT
    if re.search(r"\bname(?: is)?[ :=]{1,3}$", said):
        return Role.OUTPUT
    if role in (Role.OUTPUT, Role.RESUME, Role.EVAL) or (
        _AS_NAME.search(said) and role is not Role.DATA
    ):
        return role if role is Role.RESUME or role is Role.EVAL else Role.OUTPUT
    known = names.parse_id(name)
    is_known = known is not None and any((known.size_b, known.version, known.variant))
    if is_known or organisation.lower() in _ORGANISATIONS:
        return Role.MODEL
    if role is Role.MODEL and not any(u.role is Role.MODEL for u in before):
        return Role.MODEL
    return Role.DATA


def _is_delivered(said: str) -> bool:
    """Whether an adapter is what comes out: `push the adapter to`, not `continue from the adapter on hf`."""
    last = next(reversed(list(_DELIVERED.finditer(said))), None)
    if last is None:
        return False
    return not _TAKEN_UP.search(said if last["hub"] else said[last.end() :])


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


def data(document: Document, found: Sequence[Use]) -> tuple[list[Candidate], str]:
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

"""What each literal is for, by the words around it."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from podtune.intake.words import names
from podtune.intake.words.document import Document
from podtune.intake.words.literals import SUFFIXES, Kind, Literal
from podtune.intake.words.patterns import Pattern


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
    (Role.EVAL, r"eval\w*|validat\w*|validier\w*|validierung|valid\w*|test(?:s|ing|e|en)?\b(?! it works)(?! (?:run|drive|of)\b)|held out|hold ?out|benchmark|prufdaten|evalua\w*|avalia\w*|评估|验证|测试"),
    (Role.CALLBACK, r"notify|notification|callback|call back|web ?hook|ping|posts?\b|report (?:back )?to|tell|hooks?\b|(?:call|hit|invoke)(?= ?$)|let (?:me|us) know|send (?:the |a |me |all |any )?(?:results?|status|updates?|notif\w*|message|progress|request|event)\w*|benachrichtig\w*|melde|notifie[rz]?|previen\w*|avisa\w*|notific\w*|avvisa\w*|avise|通知|回调"),
    (Role.OUTPUT, r"save|store|publish|push|upload|deliver|export|write|output|outputs|results? (?:in|to|into|under)|(?:results?|adapter|model|output|lora|weights) (?:goes|go|should go|shall go|must go|has to go|lands?|belongs?)|put (?:it|the (?:result|adapter|model))|call (?:it|the (?:result|adapter|model))|name (?:it|the (?:result|adapter|model))|named|release|share|speicher\w*|veroffentlich\w*|nenn\w*|lade .{0,20}hoch|enregistr\w*|publi\w*|sauvegard\w*|appelle\w*|nomme\w*|guard\w*|llama(?:lo|la)|nombr\w*|salv\w*|chiama\w*|pubblic\w*|cham[ea]\w*|保存|发布|上传|命名"),
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
_TO_VALIDATE: Final = Pattern(
    r"\b(?:validate|test|verify|validiere?n?|teste?n?|valide[rz]?|valida|validar|convalida|teste)\b(?: (?:the|my|our|this|that|whether|if|ob|die|meine|datei|le|mon|fichier|el|mi|archivo|il|mio|o|meu|arquivo|file|data|dataset|set)){0,4} $"
)
_REPOSITORY: Final = Pattern(
    r"\b(?:repo|repository|depot|repositorio|deposito)(?: is| named| called| name)?[ :=]{1,3}$"
)
_ROWS_KINDS: Final = (Kind.FILE, Kind.GLOB, Kind.URL, Kind.STORE)
"""Beside a file of rows a repository is where the result goes."""
_SHARE: Final = Pattern(
    r"\d ?(?:%|per ?cent|prozent|pour ?cent|por ?ciento|per ?cento|por ?cento)|\b0?\.\d|\d/\d"
)
"""Where a share is held out, no second file is named."""
_AS_NAME: Final = Pattern(r"(?:\bas|\bals|\bcomme|\bcomo|\bcome|作为|为) $")
_BEGINS: Final = Pattern(r"\b(?:start(?:ing)? from|on top of) $")
"""What is also said of a base model; a maker of base models there is no adapter's owner."""
_DELIVERED: Final = Pattern(
    r"\b(?:publi\w*|release|push|upload|share|save|store|write|export|deliver|put|place|copy|drop|send|speicher\w*|leg\w*|enregistr\w*|sauvegard\w*|guard\w*|salv\w*)\b|\b(?P<hub>privat\w*|prive|offentlich|hugging ?face|hub|hf)\b"
)
_TAKEN_UP: Final = Pattern(
    r"\b(?:resum\w*|continu\w*|from|on top of|weiter\w*|fortsetz\w*|repren\w*|retom\w*|riprend\w*|previous|earlier)\b"
)
"""An adapter is either what comes out or what is gone on from."""
_PUBLIC_THING: Final = Pattern(r"\b(?:my|our|the|a) public [a-z]")
"""`our public FAQ` publishes nothing."""
_AN_EXPORT: Final = Pattern(
    r"\b(?:our|my|the|this|that|an|latest|last|on|from|with|using|unser\w*|mein\w*|den|notre|mon|nuestr\w+|nostr\w+)(?: [^\W\d_]{1,15}){0,2} exports?[ :(]{1,3}(?:in |at |under |from )?$"
)
"""`on our Slack export ./slack/`: what was exported, and no place to export to."""
_ROWS_END: Final = Pattern(
    r"\.(?:jsonl|ndjson|csv|tsv|parquet|arrow|xlsx?|txt|md|html?|mbox)(?:\.(?:gz|zst|bz2|xz|zip))?$"
)
"""Ends of files that hold rows, never a checkpoint."""
_ORGANISATIONS: Final = frozenset(["meta-llama", "mistralai", "qwen", "google", "microsoft", "huggingfacetb", "deepseek-ai", "ibm-granite", "unsloth", "allenai", "tiiuae", "openai", "nousresearch", "01-ai", "zai-org", "thudm", "bigcode", "nvidia", "bigscience", "eleutherai", "stabilityai", "tinyllama", "facebook", "openai-community", "moonshotai", "minimaxai", "internlm", "baichuan-inc", "lgai-exaone", "cohereforai", "coherelabs", "ai21labs", "upstage", "mosaicml", "databricks", "lmsys", "huggingfaceh4", "teknium", "swiss-ai", "utter-project", "speakleash", "liquidai"])  # fmt: skip
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
    return _without_a_verb(document, found)


def _without_a_verb(document: Document, found: list[Use]) -> list[Use]:
    """`validate rows.csv`, and no other data: an order to look at it, no second file."""
    evals = [u for u in found if u.role is Role.EVAL]
    if len(evals) != 1 or any(u.role is Role.DATA for u in found):
        return found
    place = evals[0].literal.start
    if not _TO_VALIDATE.search(document.loose, max(0, place - 60), place):
        return found
    return [u._replace(role=Role.DATA) if u is evals[0] else u for u in found]


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
    if _SAID_EVAL.match(document.loose, literal.end) and not _SHARE.search(said[-40:]):
        return Role.EVAL
    if literal.kind is Kind.PAIR:
        return _pair_role(document, literal, role, said, before)
    if role is Role.RESUME and _is_delivered(said) and literal.kind in (Kind.STORE, Kind.FOLDER):
        role = Role.OUTPUT
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
    if role is Role.EVAL and (_SHARE.search(gap) or (comma >= 0 and "\ue003" in gap[comma:])):
        return Role.DATA
    if comma >= 0 and not re.search(r"\b(?:to|on|at|as|into|in|under)\b", gap[comma:]):
        return Role.DATA
    is_public_file = literal.kind is Kind.FILE and _PUBLIC_THING.search(said)
    if role is Role.OUTPUT and (is_public_file or _AN_EXPORT.search(said)):
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
    if re.search(r"\bname(?: is)?[ :=]{1,3}$", said) or (
        _REPOSITORY.search(said) and any(x.kind in _ROWS_KINDS for x in document.literals)
    ):
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

"""What becomes of the adapter: its name, where it goes, in which forms, who is told."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from podtune.intake.words import visibility
from podtune.intake.words.candidates import Candidate
from podtune.intake.words.document import Document
from podtune.intake.words.literals import HEAD, Kind, Literal
from podtune.intake.words.patterns import Pattern
from podtune.intake.words.secrets import MASK
from podtune.intake.words.sources import Role, Use

_HUB: Final = Pattern(
    r"\b(?:publish|push|upload|save|share|put|release|deliver|store|veroffentlich\w*|lade|publie\w*|envoie|pousse|publica\w*|sube\w*|carica\w*|pubblica\w*|publique|envie|suba)\b[^.;\n]{0,60}\b(?:hugging ?face|hf|(?:the )?hub)\b|上传到 ?(?:hugging ?face|hf)|发布到 ?(?:hugging ?face|hf)"
)
_PLACES: Final = (
    ("supabase", Pattern(r"\b(?:save|store|upload|push|put|deliver|speicher\w*|enregistr\w*|guard\w*|salv\w*)\b[^.;\n]{0,40}\b(?:to|in|on|into|auf|sur|en|su|no|em|bei) (?:the |our |my )?supabase\b")),
    ("s3", Pattern(r"\b(?:save|store|upload|push|put|deliver|speicher\w*|enregistr\w*|guard\w*|salv\w*)\b[^.;\n]{0,40}\b(?:to|in|on|into|auf|sur|en|su|no|em) (?:the |our |my |an? )?s3\b")),
    ("local", Pattern(r"\b(?:save|store|download|deliver|put|speicher\w*|enregistr\w*|guard\w*|salv\w*) (?:it |the (?:adapter|result|model|weights) |them |everything )?(?:locally|lokal|localement|localmente|in locale|to (?:my|this) (?:disk|machine|laptop|computer))\b")),
)  # fmt: skip
_NAME: Final = Pattern(
    r"\b(?:(?:call|name) (?:it|the (?:adapter|model|result|output|lora|bot|job|run))|(?:save|store|publish|push|upload|release)\w* (?:it|them|this|the (?:adapter|model|result|lora))?(?: [a-z]{2,12}){0,2} ?as|(?:output|adapter|model|result) name(?: is)?[ :=]{0,2}|(?<![a-z] )\bname ?(?=[:=])|named|"
    r"nenn\w* (?:es|ihn|das modell|den adapter)|speicher\w* (?:es|ihn|das modell|den adapter)? ?(?:als|unter)|(?:ergebnis|adapter|modell|lora|es|ihn) (?:bitte |dann )?(?:als|unter(?: dem namen)?)|mit (?:dem )?namen|appelle le|nomme le|appelez le|enregistre le (?:sous|comme)|sous le nom(?: de)?|llamalo|llamala|nombralo|guardalo como|con el nombre(?: de)?|chiamalo|chiamala|salvalo come|con il nome|chame (?:o )?de|salve como|com o nome(?: de)?|nomeie(?: como)?)[ :=]{1,3}"
)
_CJK_NAME: Final = Pattern(r"(?:命名为|保存为|起名为|叫做|取名)[ :]{0,2}")
_WORD: Final = Pattern(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,95}(?=$|[\s,;!?)\"']|\.(?:\s|$))")
_NAME_OK: Final = Pattern(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,95}(?:/[A-Za-z0-9][A-Za-z0-9._\-]{0,95})?")
_NO_NAME: Final = frozenset(["a", "an", "the", "my", "our", "public", "private", "gguf", "merged", "is", "it", "soon", "soon.", "adapter", "lora", "safetensors", "json", "csv", "usual", "possible"])  # fmt: skip
_STORES: Final = {"s3": "s3", "supabase": "supabase", "hf": "huggingface"}
_MERGED: Final = Pattern(
    r"\bmerg(?:e|ed|ing)\b(?: (?:it|the (?:adapter|lora|weights|result)|them|this))?(?: (?:back|in))?(?: (?:in)?to| with)?(?: (?:the|its))? ?(?:base|model|weights|adapter|lora|checkpoint|fp16|16 ?bit|version)?|\bfusionne\w*|\bfusiona\w*|\bzusammenfuhr\w*|\bverschmelz\w*|\bfondi\w*|\bunisci\w*|\bmescl\w+|合并"
)
_MERGED_DATA: Final = Pattern(
    r"^ ?(?:the |these |both |all |my |our |two |mes |les |die |los |i |os )*(?:two|files?|datasets?|data|csvs?|rows|tickets|sheets|columns?|fichiers|dateien|archivos)\b"
)
_GGUF: Final = Pattern(
    r"\bgguf\b(?:[ :,(]{0,3}(?:in |as |at |format |quant\w* ?)?(?P<q>i?q\d(?: [0-9a-z]{1,2}){0,3}|f16|bf16|f32)\b)?"
)
_QUANT: Final = Pattern(r"\b(?P<q>i?q[2-8](?: [0k01](?: [sml])?)) ?gguf\b")
_BARE_QUANT: Final = Pattern(r"\b(?P<q>i?q[2-8]_(?:k(?:_(?:xs|xl|s|m|l))?|[01]|xxs|xs|nl))\b")
"""Only GGUF names its forms so."""
_FORMS: Final = (
    ("onnx", r"\bonnx\b"),
    ("mlx", r"\bmlx\b"),
    ("awq", r"\bawq\b"),
    ("gptq", r"\bgptq\b"),
)


class Outputs(NamedTuple):
    """Fields, and what is to be asked or warned of."""

    candidates: list[Candidate]
    is_publishing: bool
    """Whether the result may become public: to be confirmed."""
    flags: set[str]


def read(document: Document, used: Sequence[Use]) -> Outputs:
    """Everything a text says of what comes out."""
    seen = visibility.read(document)
    named, bad = _names(document, used)
    places = [
        Candidate("output_dest", place, m.start(), m.end())
        for place, p in _PLACES
        for m in p.finditer(document.loose)
        if not document.is_negated(m.start())
    ]
    hub = _HUB.search(document.loose)
    if hub is not None and not document.is_negated(hub.start()):
        places.append(Candidate("output_dest", "huggingface", hub.start(), hub.end()))
    told = [
        Candidate("callback_url", u.literal.value, u.literal.start, u.literal.end)
        for u in used if u.role is Role.CALLBACK and MASK not in u.literal.value
    ]  # fmt: skip
    exports = list(_exports(document))
    return Outputs([*seen.candidates, *named, *places, *told, *exports], seen.is_publishing, bad)


def _names(document: Document, used: Sequence[Use]) -> tuple[list[Candidate], set[str]]:
    """The name of the result, where it is one; what is none is flagged."""
    found: list[Candidate] = []
    bad: set[str] = set()
    for use in used:
        if use.role is Role.OUTPUT and not document.is_negated(use.literal.start):
            named = _placed(use.literal)
            found += named
            if not named and use.literal.kind in (Kind.PAIR, Kind.QUOTED):
                bad.add("unsafe_value")
    for match in (*_NAME.finditer(document.loose), *_CJK_NAME.finditer(document.loose)):
        if document.folded[match.end() : match.end() + 1] == HEAD:
            continue
        word = _WORD.match(document.text, match.end())
        if word is None:
            bad.add("unsafe_value")
        elif word[0].lower() not in _NO_NAME and not document.is_negated(match.start()):
            name = word[0].rstrip(".")
            found.append(Candidate("output_name", name, match.start(), word.start() + len(name)))
    return found, bad


def _placed(literal: Literal) -> list[Candidate]:
    """Where a literal says that the result goes, and its name; empty where it is neither."""
    start, end = literal.start, literal.end
    if literal.kind is Kind.STORE:
        place = _STORES.get(literal.value.partition(":")[0].lower())
        return [Candidate("output_dest", place, start, end)] if place else []
    if literal.kind is Kind.FOLDER and not literal.value.startswith("../"):
        return [Candidate("output_dest", "local", start, end)]
    if literal.kind not in (Kind.PAIR, Kind.QUOTED) or not _NAME_OK.fullmatch(literal.value):
        return []
    hub = Candidate("output_dest", "huggingface", start, end)
    name = Candidate("output_name", literal.value, start, end)
    return [name, hub] if literal.kind is Kind.PAIR else [name]


def _exports(document: Document) -> Iterator[Candidate]:
    """Forms the result is wanted in, as one list."""
    forms: list[tuple[int, str]] = []
    for match in _MERGED.finditer(document.loose):
        if not document.is_negated(match.start()) and not _MERGED_DATA.match(
            document.loose, match.end()
        ):
            forms.append((match.start(), "merged"))
    for match in (*_QUANT.finditer(document.loose), *_GGUF.finditer(document.loose)):
        if not document.is_negated(match.start()):
            quant = match["q"]
            forms.append((match.start(), f"gguf:{quant.replace(' ', '_')}" if quant else "gguf"))
    for match in _BARE_QUANT.finditer(document.folded):
        if not document.is_negated(match.start()):
            forms.append((match.start(), f"gguf:{match['q']}"))
    for form, words in _FORMS:
        forms += [
            (m.start(), form)
            for m in re.finditer(words, document.loose)
            if not document.is_negated(m.start())
        ]
    named = list(dict.fromkeys(form for _, form in sorted(forms)))
    if any(form.startswith("gguf:") for form in named):
        named = [form for form in named if form != "gguf"]
    if named:
        yield Candidate("export", named, forms[0][0], forms[-1][0])

"""What the model is to be good at, as far as a few words tell. A soft field: it decides nothing alone."""

import re
from typing import Final

from podtune.intake.words.candidates import Candidate
from podtune.intake.words.document import Document

_TASKS: Final = (
    ("classification", r"\bclassif\w+|\bklassifi\w+|\btags? (?:tickets|emails|messages)|\bcategori[sz]\w+|\blabel(?:s|ling|ing)? (?:tickets|emails|messages)|\bsentiment\b|\bspam\b|\bclasific\w+|分类"),
    ("summarization", r"\bsummar\w+|\bzusammenfass\w+|\bresum(?:e|er|en|ir|es) (?:les|des|los|os|meeting)|\bresumen\w*|\briassun\w+|\btl ?dr\b|摘要|总结"),
    ("extraction", r"\bextract\w*|\bextrah\w+|\bextrai\w*|\bextra(?:er|ire|ction)\b|\bto json\b|\bparse (?:invoices|contracts|emails)|抽取|提取"),
    ("translation", r"\btranslat\w+|\bubersetz\w+|\btradu\w+|翻译"),
    ("tool_use", r"\btool ?(?:calls?|calling|use)\b|\bfunction calling\b|\bfunction calls?\b|工具调用"),
    ("code", r"\bauto ?complet\w*|\bcod(?:e|ing) (?:assistant|completion|generation|model|review)\b|\bsql (?:generation|queries)|\btext to sql|\bwrite (?:code|python|sql)|代码"),
    ("reasoning", r"\breasoning\b|\bchain of thought\b|\bmath(?:s|ematics)?\b|\blogic puzzles|推理"),
    ("writing_style", r"\b(?:writes?|writing|sounds?|talks?|speaks?|emails?) like (?:me|us|him|her|myself|the author)\b|\bmy (?:writing )?(?:style|voice|tone)\b|\bin my (?:style|voice|tone)|\bschreibt? wie ich|\bmon style|\bmi estilo|\bmio stile|\bmeu estilo|写作风格|文风"),
    ("customer_support", r"\bsupport\b|\bcustomer (?:service|care|support)\b|\bhelp ?desk\b|\bsenior agents\b|\bkunden(?:service|dienst|support|anfragen)\b|\bservice client\b|\batencion al cliente\b|\bassistenza clienti\b|\batendimento\b|\btickets?\b|客服|客户服务"),
    ("qa", r"\bq ?& ?a\b|\bfaqs?\b|\bquestion answer\w*|\banswers? questions\b|\bfrage antwort|问答"),
    ("chat", r"\bchat ?bot\b|\bconversational\b|\bassistant\b|聊天"),
)  # fmt: skip


def read(document: Document) -> list[Candidate]:
    """The first task whose words occur."""
    for task, words in _TASKS:
        match = re.search(words, document.loose)
        if match is not None:
            return [Candidate("task", task, match.start(), match.end())]
    return []

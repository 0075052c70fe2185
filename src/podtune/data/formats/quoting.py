"""Mail as its writer meant it: without what it quotes, and without the signature.

Takes text and gives text. Knows no headers and no threads.
"""

# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import re
from collections.abc import Sequence
from typing import Final

_WROTE: Final = re.compile(
    r"(?:\bwrote|\bschrieb(?:en)?\b.{0,200}|a écrit|escribió|escreveu|ha scritto|schreef.{0,200}|skrev.{0,200}"
    r"|napisał\(?a?\)?|написала?|пишет|kirjoitti|yazdı|写道|のメール|님이 작성)\s?[:：]?\s*$",
    re.IGNORECASE,
)
"""How the line ends that says who is quoted."""

_FORWARDED: Final = re.compile(
    r"^\s*[-_]{3,}\s*(?:original message|original appointment|forwarded message|forwarded by.{0,99}|ursprüngliche nachricht|"
    r"weitergeleitete nachricht|originalnachricht|message d'origine|message original|message transféré|"
    r"mensaje original|mensaje reenviado|mensagem original|messaggio originale|oorspronkelijk bericht|"
    r"ursprungligt meddelande|oprindelig meddelelse|wiadomość oryginalna|исходное сообщение|"
    r"пересылаемое сообщение|元のメッセージ|原始邮件|原始郵件)\s*[-_]{0,}\s*$",
    re.IGNORECASE,
)
"""The rule above a whole quoted message."""

_REPLY_ABOVE: Final = re.compile(
    r"^\W{0,5}(?:please )?(?:type|write) your reply above this line\W{0,8}$", re.IGNORECASE
)
"""What ticket systems put above the history."""

_FROM: Final = re.compile(
    r"^\s*\*?(?:from|von|de|da|van|från|fra|od|от|差出人|发件人)\s?[:：]", re.IGNORECASE
)
_SENT: Final = re.compile(
    r"^\s*\*?(?:sent|date|gesendet|datum|envoyé|date|enviado(?: el)?|fecha|data|inviato|verzonden|skickat|sendt|wysłano|"
    r"отправлено|дата|送信日時|发送时间|to|an|à|para|a|aan|till|til|do|кому|宛先|收件人)\s?[:：]",
    re.IGNORECASE,
)
"""Headers that Outlook writes above the message it answers."""

_MOBILE: Final = re.compile(
    r"^\s*(?:sent (?:from|via) |get outlook for |von meinem .{1,40} gesendet|gesendet (?:mit|von) |"
    r"envoyé (?:de|depuis) |enviado (?:desde|do|a partir|de mi)|inviato da|verzonden (?:vanaf|met) |"
    r"diese nachricht wurde von meinem|skickat från|отправлено (?:с|из) )",
    re.IGNORECASE,
)
"""First words of the line that a telephone or program signs with."""


def without_quotes(text: str) -> tuple[str, bool]:
    """The text without quoted mail and signature, and whether there were any.

    Text between the quotes (answers inline) stays; below a whole quoted message nothing does. Code
    stays: what stands between fences, and prompts of Python.
    """
    whole = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    lines, blocks = _without_code(whole.split("\n"))
    kept = _above_history(lines)
    kept = _without_marked(kept)
    kept = _without_signature(kept)
    answer = "\n".join(kept).strip()
    if answer == "\n".join(lines):
        return whole, False
    answer = re.sub(r"\n{3,}", "\n\n", answer)
    return (_BLOCK.sub(lambda m: blocks[int(m[1])], answer) if blocks else answer), True


_FENCE: Final = re.compile(r"[ ]{0,3}(`{3,}|~{3,})([^`]*)")
_BLOCK: Final = re.compile("\ufdd4(\\d{1,9})\ufdd4")
"""What stands for a block of code while the rest is looked at: a noncharacter, which no text has."""


def _without_code(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Lines with one in the place of every closed block of code, and the blocks."""
    kept: list[str] = []
    blocks: list[str] = []
    opened, fence = 0, ""
    for line in lines:
        kept.append(line)
        match = _FENCE.fullmatch(line)
        if match is None:
            continue
        if not fence:
            opened, fence = len(kept) - 1, match[1]
        elif match[1].startswith(fence) and not match[2].strip():
            blocks.append("\n".join(kept[opened:]))
            kept[opened:] = [f"\ufdd4{len(blocks) - 1}\ufdd4"]
            fence = ""
    return (list(lines), []) if any("\ufdd4" in line for line in lines) else (kept, blocks)


_QUOTED_HTML: Final = re.compile(
    r"<blockquote\b[^<>]{0,300}>(?:[^<]|<(?!/?blockquote\b))*</blockquote>", re.IGNORECASE
)
_MOST_QUOTES: Final = 100


def without_quoted_html(text: str) -> tuple[str, bool]:
    """HTML without its block quotes, and whether there were any; inner ones go before outer ones."""
    if "<blockquote" not in text.lower() or text.lower().count("<blockquote") > _MOST_QUOTES:
        return text, False
    kept = text
    while (shorter := _QUOTED_HTML.sub("", kept)) != kept:
        kept = shorter
    return kept, kept != text


def _above_history(lines: Sequence[str]) -> list[str]:
    """Lines above the first sign that the rest is the message answered to."""
    for at, line in enumerate(lines):
        if _FORWARDED.match(line) or _REPLY_ABOVE.match(line) or _outlook_headers(lines, at):
            end = at
            while end and re.fullmatch(r"\s*_{5,}\s*|\s*", lines[end - 1]):
                end -= 1
            return list(lines[:end])
    return list(lines)


def _outlook_headers(lines: Sequence[str], at: int) -> bool:
    """Whether a block of From, Sent, To stands here; one such line alone may be prose."""
    if not _FROM.match(lines[at]):
        return False
    return sum(bool(_SENT.match(line)) for line in lines[at + 1 : at + 5]) >= 2


def _without_marked(lines: Sequence[str]) -> list[str]:
    """Lines without those behind `>`, and without the line that says who is quoted."""
    kept: list[str] = []
    at = 0
    while at < len(lines):
        span = _attribution(lines, at)
        after = _first_filled(lines, at + span) if span else at
        end = _end_of_marked(lines, after)
        said_by = lines[at : at + span]
        if span and end == after and _is_of_a_program(said_by):
            return kept  # quoted without marks: all below it is the old message
        if end == after:
            kept.extend(said_by or lines[at : at + 1])
            at += span or 1
        else:
            if not span and _are_prompts(lines[at:end]):
                kept.extend(lines[at:end])
            at = end
    return kept


def _first_filled(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _end_of_marked(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and lines[at].lstrip().startswith(">"):
        at += 1
    return at


def _are_prompts(lines: Sequence[str]) -> bool:
    """Whether all lines are typed to Python; quotes of three levels stand among others."""
    return all(line.strip() == ">>>" or line.lstrip().startswith(">>> ") for line in lines)


def _is_of_a_program(lines: Sequence[str]) -> bool:
    """Whether a mail program says who is quoted, with an address or the time; people write neither."""
    line = " ".join(line.strip() for line in lines)
    return "@" in line or (_opens_attribution(line) and re.search(r"\d[:.h]\d\d", line) is not None)


def _attribution(lines: Sequence[str], at: int) -> int:
    """How many lines say who is quoted, when such words stand here; mailers wrap them into two."""
    first = lines[at].strip()
    if not first or first.startswith(">") or len(first) > 300:
        return 0
    for span in (1, 2, 3):
        part = [line.strip() for line in lines[at : at + span]]
        if len(part) < span or not part[-1] or len(part[-1]) > 300:
            return 0
        candidate = " ".join(part)
        if candidate[-1] in ":：" and _WROTE.search(candidate[-300:]) and _says_who(candidate):
            return span if span == 1 or _opens_attribution(first) else 0
    return 0


def _says_who(candidate: str) -> bool:
    """Whether a date or an address stands there; in a sentence that ends in `wrote:` none does."""
    return "@" in candidate or any(character.isdigit() for character in candidate)


def _opens_attribution(line: str) -> bool:
    """Whether an attribution over several lines can begin so; else the first line is the answer."""
    return bool(
        re.match(r"(?:on|am|le|el|em|il|op|den|dnia|w dniu|в|\d)\b", line, re.IGNORECASE)
        or line.startswith(("在", "于"))
    )


def _without_signature(lines: Sequence[str]) -> list[str]:
    """Lines above the signature's mark (RFC 3676: dash dash blank), and above a telephone's line."""
    for at, line in enumerate(lines):
        if line in {"--", "-- ", "--\xa0"} and any(previous.strip() for previous in lines[:at]):
            return list(lines[:at])
    kept = list(lines)
    while kept and (not kept[-1].strip() or _signs(kept)):
        kept.pop()
    return kept


def _signs(kept: Sequence[str]) -> bool:
    """Whether the last line is a program's, and not all that was written."""
    last = kept[-1]
    above = any(line.strip() for line in kept[:-1])
    return above and len(last) <= 80 and bool(_MOBILE.match(last))

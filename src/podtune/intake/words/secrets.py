"""Keys, tokens and passwords in a request, blotted out before anything else reads it.

Same length before and after, so that every place stays where it is. `core.redact` blots out whatever might
be one; here a file that merely begins like a key must stay readable.
"""

import re
from typing import Final

from podtune.core.redact import KEY_PREFIXES
from podtune.intake.words.patterns import Pattern

MASK: Final = "\ue000"
"""Stands for every character of a secret; a value that holds one is never told."""

_PREFIXED: Final = Pattern(
    r"(?<![A-Za-z0-9_])(?:" + "|".join(map(re.escape, sorted(KEY_PREFIXES, key=len, reverse=True))) +
    r")([A-Za-z0-9_\-]{8,400})"
)  # fmt: skip
_CERTAIN: Final = Pattern(
    r"(?<![A-Za-z0-9_])eyJ[A-Za-z0-9_\-]{8,2000}\.[A-Za-z0-9_\-]{8,2000}(?:\.[A-Za-z0-9_\-]{0,1000})?"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]{0,4000}"
    r"|(?<=://)[^/@\s:]{0,100}:[^/@\s]{1,200}(?=@)"
    r"|(?<=[?&])(?:[a-z_\-]{0,20}token|(?:X-(?:Amz|Goog)-)?(?:Signature|Credential|Security-Token)|sig"
    r"|Key-Pair-Id|api_?key|key|password|secret)=[^&\s\"']{4,4000}",
    re.IGNORECASE,
)
_NAMED: Final = Pattern(
    r"\b(?:api[ _-]?key|access[ _-]?key|secret(?:[ _-]key)?|(?:access |auth |bearer |hf |api )?token|"
    r"key|clave|cl[eé]|chiave|chave|schl[uü]ssel|密钥|密码)"
    r"\s{0,3}(?:[:=]|is|ist|est|es|è|é|是)\s{0,3}[\"']?([A-Za-z0-9_\-+/=.]{12,400})",
    re.IGNORECASE,
)
_PASSWORD: Final = Pattern(
    r"\b(?:pass(?:word|wort|phrase|wd)|mot de passe|contrase[nñ]a|senha|pwd)"
    r"\s{0,3}(?:[:=]|is|ist|est|es|è|é)\s{0,3}[\"']?([^\s\"',;]{4,200})|\bBearer ([A-Za-z0-9_\-.=]{16,400})",
    re.IGNORECASE,
)
_FILE_END: Final = Pattern(
    r"\.(?:jsonl?|csv|tsv|parquet|txt|md|xlsx?|zip|gz|ya?ml)\b", re.IGNORECASE
)


def mask(text: str) -> tuple[str, bool]:
    """The text with `MASK` over every secret, and whether there was one."""
    spans = [m.span() for m in _CERTAIN.finditer(text)]
    spans += [m.span() for m in _PREFIXED.finditer(text) if _is_key(m, text)]
    spans += [m.span(1) for m in _NAMED.finditer(text) if _is_mixed(m[1]) and "/" not in m[1][:2]]
    spans += [m.span(m.lastindex or 0) for m in _PASSWORD.finditer(text)]
    if not spans:
        return text, False
    characters = list(text)
    for start, end in spans:
        characters[start:end] = MASK * (end - start)
    return "".join(characters), True


def _is_key(match: re.Match[str], text: str) -> bool:
    """Whether what follows a key's prefix is random rather than words: `sk-learn-notes` is no key."""
    if match[0].startswith(("xoxb-", "xoxp-", "sk_live_", "rk_live_", "github_pat_")):
        return True
    chunks = re.split(r"[-_]", match[1])
    is_file = _FILE_END.match(text, match.end()) is not None
    return any(
        (len(chunk) >= 8 and _is_mixed(chunk)) or (len(chunk) >= 14 and not is_file)
        for chunk in chunks
    )


def _is_mixed(chunk: str) -> bool:
    """Letters and digits, and no name of a file."""
    has_both = any(c.isdigit() for c in chunk) and any(c.isalpha() for c in chunk)
    return has_both and _FILE_END.search(chunk) is None

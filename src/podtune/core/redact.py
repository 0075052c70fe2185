"""What may be shown of a secret: enough to tell two keys apart, never enough to use one."""

import re
from typing import Final

KEY_PREFIXES: Final = (
    "rpa_", "rp_",  # RunPod
    "hf_",  # Hugging Face
    "ptk_", "ptp_", "whsec_",  # podtune: keys, plan tokens and callback secrets
    "sk-",  # OpenAI, Anthropic, OpenRouter and others
    "sbp_",  # Supabase
    "AKIA",  # AWS
    "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",  # GitHub
    "sk_live_", "rk_live_",  # Stripe
    "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-",  # Slack
)  # fmt: skip
"""How keys of well-known services begin.
`podtune.data.quality.keys` looks for the same ones in training data, under stricter rules."""

_SECRET: Final = re.compile(
    # keys by their prefix; a repr'd line end before one must not hide it
    r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrt]))(?:"
    + "|".join(map(re.escape, KEY_PREFIXES))
    + r")[A-Za-z0-9_\-]{8,}"
    # JSON web tokens
    r"|(?:(?<![A-Za-z0-9_])|(?<=\\[nrt]))eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*"
    # signed queries
    r"|(?<=[?&])(?:[a-z_]*token|(?:X-Amz-)?(?:Signature|Credential|Security-Token)|sig|Key-Pair-Id)"
    r"=[^&\s\"']+"
    # user and password in an address
    r"|(?<=//)[^/@\s]*:[^/@\s]+(?=@)",
    re.IGNORECASE,
)


def mask(secret: str) -> str:
    """A secret as it may stand on a screen.

    >>> mask("hf_abcdefghijklmnop")
    'hf_a...op (19 characters)'
    >>> mask("short")
    '***'
    """
    if len(secret) < 12:
        return "***"
    return f"{secret[:4]}...{secret[-2:]} ({len(secret)} characters)"


def scrub(text: str) -> str:
    """Text with everything that looks like a key, a token or a signed query blotted out.

    >>> scrub("GET https://x.example/f?token=abc123&v=1 with hf_abcdefghijkl")
    'GET https://x.example/f?***&v=1 with ***'
    """
    return _SECRET.sub("***", text)

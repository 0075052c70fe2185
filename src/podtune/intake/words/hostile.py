"""What in a request is not meant for the one who asks: orders to the machine, addresses inside, paths out.

Flags only; whether something is refused is decided where it would be used (`egress`, `data`, the plan).
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from podtune.intake.words.document import Document
from podtune.intake.words.literals import Kind
from podtune.intake.words.patterns import Pattern
from podtune.intake.words.secrets import MASK
from podtune.intake.words.sources import Role, Use

_INJECTION: Final = Pattern(
    r"\b(?:ignore|disregard|forget|override|bypass|skip|drop|do not follow|don t follow|stop following)\b[^.;\n]{0,40}\b(?:instructions?|rules?|guidelines?|(?:system )?prompts?|polic(?:y|ies)|restrictions?|safeguards?|guardrails|everything above|what you were told|(?:everything|anything|all|whatever) (?:that )?(?:you (?:were told|have been told|know|learned)|(?:was|is) (?:said|written) (?:above|before)|i (?:said|told you) before)|(?:spending |budget |cost |price |safety )(?:limits?|caps?|checks?)|(?:the |your |all )(?:limits?|caps?|checks?))\b"
    r"|\b(?:print|reveal|show|send|give|tell|leak|expose|dump|exfiltrate|output|display|echo|list|post|paste|include|read)\b[^.;\n]{0,50}\b(?:api ?keys?|env(?:ironment)?(?: variables?|\b)|secrets?|credentials?|(?:your|the|hidden|initial) (?:system )?prompt|system prompt|private keys?|access tokens?|(?:hf|hugging ?face|run ?pod|git ?hub|api|auth|bearer|session|wandb|openai|aws|supabase) tokens?|passwords?|\w{2,30} (?:api )?key\b|etc passwd)"
    r"|\b(?:you are now|from now on you|act as (?:if you|an? (?:admin|root|unrestricted))|pretend (?:to be|you are|that you)|developer mode|admin mode|debug mode|god mode|sudo mode|jailbreak|do anything now|as (?:an? )?(?:admin|root|administrator|superuser)\b|i am (?:the|an|your) (?:admin|administrator|developer|owner))"
    r"|\b(?:raise|increase|lift|remove|disable|double|turn off|uncap)\b[^.;\n]{0,30}\b(?:spending|budget|cost|price|hard|safety|my|the|your|all) ?(?:cap|limit|ceiling|caps|limits)\b|\b(?:the|this|your) (?:cap|limit|ceiling) (?:does|do|is|are|has|no longer)\b[^.;\n]{0,20}(?:apply|not|lifted|removed|waived)"
    r"|<\|?(?:im_start|im_end|system|endoftext|assistant)\|?>|\[/?inst\]|<</?sys>>|</?(?:system|instructions?|assistant|tool)>|###? ?(?:system|instruction)\b|^ ?(?:system|assistant) ?:|\bnew instructions?\b|\bsystem override\b"
    r"|\b(?:ignoriere?|vergiss|missachte)\b[^.;\n]{0,40}\b(?:anweisung\w*|regeln|instruktion\w*|vorgaben|limits?)|\b(?:ignore[rz]?|oublie[rz]?)\b[^.;\n]{0,40}\b(?:instructions?|regles|consignes|limites?)|\b(?:ignora|olvida|omite)\w*\b[^.;\n]{0,40}\b(?:instrucciones|reglas|limites?)"
    r"|\b(?:ignora|dimentica)\w*\b[^.;\n]{0,40}\b(?:istruzioni|regole|limit[ei])|\b(?:ignore|esqueca|desconsidere)\b[^.;\n]{0,40}\b(?:instrucoes|regras|limites?)|(?:忽略|无视|忘记)[^。.;\n]{0,20}(?:指令|指示|规则|提示|限制)|(?:打印|显示|告诉我|输出)[^。.;\n]{0,20}(?:密钥|api ?key|环境变量|密码)"
    r"|\b(?:zeig|gib|druck|verrate?)\w*\b[^.;\n]{0,40}\b(?:api ?schlussel|passwort|umgebungsvariablen|api ?keys?)|\b(?:affiche|montre|donne|revele)\w*\b[^.;\n]{0,40}\b(?:cle api|cles|mot de passe|variables d environnement|api ?key)|\b(?:muestra|imprime|revela|dime)\b[^.;\n]{0,40}\b(?:clave|contrasena|variables de entorno|api ?key)"
)
_LIMIT_SET: Final = Pattern(
    r"\b(?:set|change|move|put|update|make|setze?|mets|pon|metti|defina)\b[^.;\n]{0,20}\b(?:limit|cap|ceiling|budget|obergrenze|limite|plafond|tope|tetto|teto|presupuesto|orcamento)\b[^.;\n]{0,8}\b(?:to|at|auf|a|su|para|is)\b"
)
_COMMAND: Final = Pattern(
    r"\$\([^)\n]{1,200}\)|\$\{[^}\n]{1,200}\}|;\s{0,3}(?:rm|curl|wget|id|cat|bash|sh|sudo|python3?|nc|drop|shutdown|reboot|mv|chmod|kill|ls|echo|env|whoami|touch)\b(?=[ #;]|$)|\|\s{0,3}(?:sh|bash|nc|tee|xargs)\b|&&\s{0,3}[a-z]|<\s{0,2}(?:script|img|iframe|svg)\b|\{\{[^}\n]{0,200}\}\}|\{%"
    r"|\b(?:ld_[a-z_]{3,20}|pythonpath|bash_env|pythonstartup)\s?=|\brm -rf\b|\b(?:drop|truncate) table\b|\bunion select\b|' or '?1'?\s?=|%00|__import__|\bos\.system\b|;\s{0,3}--|\bcurl\s{1,3}(?:-\S{1,20}\s{1,3}){0,3}\S{1,200}\s{0,3}\|"
)
_SYSTEM_PATH: Final = Pattern(
    r"^(?:/(?:etc|proc|sys|dev|root|boot|run|var/(?:run|lib|log|spool)|private/etc)(?:/|$)|[a-z]:\\(?:windows|users\\[^\\]+\\appdata)|\\\\|//|~[a-z0-9_\-]+/|~/\.(?!/)|file:)"
    r"|(?:^|[/\\])\.\.(?:[/\\]|$)|(?:^|/)\.(?:ssh|aws|gnupg|kube|docker|netrc|env|git|bashrc|bash_history|npmrc|pypirc|config)(?:/|$|\b)|(?:^|/)(?:id_rsa|id_ed25519|authorized_keys)$|%2e%2e|\x00",
    re.IGNORECASE,
)
_TRAVERSAL: Final = Pattern(r"(?:^|[\s\"'`/\\])\.\.[/\\]")
_INSIDE: Final = Pattern(
    r"(?:^|\.)(?:localhost|localdomain|local|internal|intranet|lan|home|corp|private|test|invalid|onion|metadata)$|(?:nip|sslip|xip)\.io$|^metadata\b|^[^.:\[\]]+$"
)


def flags(document: Document, used: Sequence[Use]) -> set[str]:
    """Every warning the text gives cause for."""
    found: set[str] = set()
    spoken = _with_quotations(document, used)
    if _INJECTION.search(spoken):
        found.add("injection")
    if _COMMAND.search(document.text.lower()):
        found.add("unsafe_value")
    for use in used:
        value, kind = use.literal.value, use.literal.kind
        if kind in (Kind.URL, Kind.HOST) and is_unsafe(
            value, must_be_https=use.role is Role.CALLBACK
        ):
            found.add("unsafe_url")
        if (
            kind in (Kind.FILE, Kind.FOLDER, Kind.GLOB) or "file:" in value[:5].lower()
        ) and _SYSTEM_PATH.search(value):
            found.add("path_escape")
    if _TRAVERSAL.search(document.text):
        found.add("path_escape")
    return found


def sets_a_limit(document: Document) -> bool:
    """Whether a limit is set beside such orders: `developer mode. Set the limit to $10000`."""
    return _LIMIT_SET.search(document.loose) is not None


def is_unsafe(url: str, *, must_be_https: bool = False) -> bool:
    """Whether an address has a scheme, host or credentials that are never followed."""
    if MASK in url.partition("@")[0] and "@" in url:
        return True
    full = (
        url
        if re.match(r"[a-z][a-z0-9+.\-]*:", url, re.IGNORECASE) and "://" in url
        else f"https://{url}"
    )
    if re.match(r"(?:javascript|data|file):", url, re.IGNORECASE):
        return True
    try:
        parts = urlsplit(full.replace(MASK, "x"))
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return True
    schemes = ("https",) if must_be_https else ("https", "http")
    if parts.scheme.lower() not in schemes or not host or "@" in parts.netloc or "\\" in url:
        return True
    return _is_inside(host)


def _is_inside(host: str) -> bool:
    """Whether a host is this machine, its network, or spelled so that nobody can tell."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        odd = re.fullmatch(
            r"(?:0x[0-9a-f]{1,8}|\d{1,12})(?:\.(?:0x[0-9a-f]{1,8}|\d{1,12})){0,3}", host
        )
        return odd is not None or _INSIDE.search(host) is not None
    if isinstance(address, ipaddress.IPv6Address):
        packed = address.packed
        embedded = address.ipv4_mapped or address.sixtofour
        if packed[:12] == bytes.fromhex("0064ff9b0000000000000000"):
            embedded = ipaddress.IPv4Address(packed[12:])
        if embedded is not None:
            return not embedded.is_global
    return not address.is_global or address.is_multicast


def _with_quotations(document: Document, used: Sequence[Use]) -> str:
    """The words that are spoken, quotations too, but for a system prompt, which is data."""
    quoted = [
        u.literal.value for u in used if u.literal.kind is Kind.QUOTED and u.role is not Role.PROMPT
    ]
    spoken = " . ".join((document.words, *(q.lower() for q in quoted)))
    return spoken.replace("'", " ").replace("-", " ").replace("_api_", " api ").replace(
        "_", " "
    ) + (" <|im_start|>" if "<|im_start|>" in document.text else "")

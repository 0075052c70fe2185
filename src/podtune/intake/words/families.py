"""Families of open models by the names people use, and names of models that cannot be trained here.

Only what decides how words are read stands here: nothing is looked up for somebody. Versions and sizes say
whether a name leaves several releases; a release that is missing costs one question. As of 2026-11-23, from
the publishers' pages on the Hub.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Family(NamedTuple):
    """One family of models."""

    series: frozenset[str] = frozenset()
    """Words that belong to the official name behind the family: `nemo`, `next`, `r1`."""
    is_single: frozenset[str] = frozenset()
    """Versions (or `""`) of which there is one size alone."""
    versions: frozenset[str] = frozenset()
    """Versions of which one size may exist; none where the size alone tells."""
    needs: frozenset[str] = frozenset()
    """Versions that are a line of several releases of one size."""
    is_word: bool = False
    """Also an everyday word or name: a model only with a number or `model` beside it."""


def _row(
    series: str = "", single: str = "", versions: str = "", needs: str = "", *, word: bool = False
) -> Family:
    sets = (
        frozenset("" if w == "-" else w for w in line.split())
        for line in (series, single, versions, needs)
    )
    return Family(*sets, is_word=word)


FAMILIES: Final[Mapping[str, Family]] = {
    "mistral": _row("nemo small large medium saba", "nemo large saba", "0.1 0.2 0.3 small", "small"),
    "mixtral": _row(),
    "ministral": _row("", "", "3"),
    "magistral": _row("small medium"),
    "codestral": _row("mamba", "-"),
    "devstral": _row("small medium"),
    "pixtral": _row("", "-"),
    "mathstral": _row("", "-"),
    "llama": _row("scout maverick guard", "3.3 4-scout 4-maverick", "1 2 3 3.1 3.2 3.3 4"),
    "codellama": _row(),
    "tinyllama": _row("", "-"),
    "qwen": _row("next omni max", "3-next", "1 1.5 2 2.5 3 3.5"),
    "qwq": _row("", "-"),
    "gemma": _row("", "", "1 2 3 3n 4"),
    "codegemma": _row(),
    "medgemma": _row(),
    "phi": _row("silica", "1 1.5 2 4 3-mini 3.5-mini 4-mini", "1 1.5 2 3 3.5 4"),
    "deepseek": _row("r1 v2 v2.5 v3 v3.1 v3.2 v4 distill llm moe math prover", "v3 v3.1 v3.2 r1", ""),
    "smollm": _row("", "3", "1 2 3"),
    "smolvlm": _row(),
    "falcon": _row("mamba h1 e", "mamba", "1 2 3"),
    "gpt-oss": _row(),
    "gpt2": _row("", "-"),
    "gpt-neo": _row(),
    "gpt-neox": _row("", "-"),
    "gpt-j": _row("", "-"),
    "granite": _row("guardian", "", "3 3.0 3.1 3.2 3.3 4 4.0"),
    "olmo": _row("", "", "1 2 3"),
    "olmoe": _row("", "-"),
    "yi": _row("", "", "1 1.5", word=True),
    "glm": _row("air flash z1 edge", "4.5 4.5-air 4.6 4.7", "4 4.5 4.6 4.7 5"),
    "chatglm": _row("", "2 3"),
    "mpt": _row(),
    "bloom": _row(word=True),
    "bloomz": _row(),
    "opt": _row(word=True),
    "pythia": _row(word=True),
    "starcoder": _row("", "1", "1 2"),
    "stablelm": _row("zephyr", "", "2 3"),
    "vicuna": _row("", "", "1.3 1.5"),
    "alpaca": _row(word=True),
    "zephyr": _row(word=True),
    "hermes": _row("", "", "2 3 4", word=True),
    "openchat": _row("", "", "3.5 3.6"),
    "internlm": _row("", "", "2 2.5 3"),
    "baichuan": _row("", "", "1 2"),
    "exaone": _row("deep", "", "3.0 3.5 4.0"),
    "nemotron": _row("nano super ultra", "", "3 4"),
    "kimi": _row("k2 vl dev", "k2"),
    "minimax": _row("m1 m2 text", "m1 m2"),
    "jamba": _row("mini large", "", "1.5 1.6"),
    "dbrx": _row("", "-"),
    "aya": _row("expanse", "", "", word=True),
    "command-r": _row("plus", "-"),
    "solar": _row("pro", "", "", word=True),
    "ernie": _row("", "", "4.5", word=True),
    "hunyuan": _row(),
    "mimo": _row(word=True),
    "lfm": _row("", "", "2 2.5"),
    "rwkv": _row("", "", "5 6 7"),
    "mamba": _row(word=True),
    "seed-oss": _row("", "-"),
    "apertus": _row(),
    "salamandra": _row(),
    "teuken": _row(),
    "eurollm": _row(),
    "bielik": _row(),
}  # fmt: skip

ALIASES: Final[Mapping[str, str]] = {
    "meta llama": "llama", "metallama": "llama", "code llama": "codellama", "tiny llama": "tinyllama",
    "smol lm": "smollm", "qwen coder": "qwen", "deep seek": "deepseek", "gptoss": "gpt-oss",
    "gpt oss": "gpt-oss", "openai oss": "gpt-oss", "gpt 2": "gpt2", "gpt neo": "gpt-neo", "gpt neox": "gpt-neox",
    "gpt j": "gpt-j", "chat glm": "chatglm", "star coder": "starcoder", "stable lm": "stablelm",
    "command r": "command-r", "seed oss": "seed-oss", "code gemma": "codegemma", "intern lm": "internlm",
    "千问": "qwen", "通义千问": "qwen", "quen": "qwen", "qwem": "qwen", "qwne": "qwen", "qewn": "qwen", "qven": "qwen", "qween": "qwen", "qwenn": "qwen", "lamma": "llama", "llamma": "llama", "tongyi qianwen": "qwen", "qianwen": "qwen", "llamas": "llama", "mistrals": "mistral",
}  # fmt: skip
"""Other spellings -> the family."""

VARIANTS: Final[Mapping[str, str]] = {
    "instruct": "instruct", "it": "instruct", "instruction": "instruct", "inst": "instruct", "base": "base", "pt": "base",
    "chat": "chat", "coder": "coder", "code": "coder", "vl": "vl", "vision": "vision", "math": "math",
    "mini": "mini", "thinking": "thinking", "reasoning": "reasoning", "tiny": "tiny", "omni": "omni", "python": "python",
    "instruckt": "instruct", "instrct": "instruct", "instuct": "instruct", "intruct": "instruct", "instruc": "instruct",
}  # fmt: skip
"""Words behind a model's name -> the variant."""

DECORATIONS: Final = frozenset(
    [
        "hf",
        "gguf",
        "awq",
        "gptq",
        "bnb",
        "preview",
        "moe",
        "dense",
        "model",
        "models",
        "unsloth",
        "latest",
        "fp8",
        "distilled",
        "thinking",
        "dpo",
        "sft",
        "v",
    ]
)
"""Parts of a name that state nothing the schema asks for."""

CLOSED: Final = (
    r"gpt[ -]?[345](?:\.\d|o)?(?:[ -]?(?:turbo|mini|nano|pro|o|codex))?|chat ?gpt|claude(?:[ -](?:\d(?:\.\d)?|opus|sonnet|haiku|instant)){0,3}|"
    r"gemini(?:[ -](?:\d(?:\.\d)?|pro|flash|ultra|nano)){0,3}|grok(?:[ -]?\d)?|o[134][ -](?:mini|preview|pro)|davinci(?:-00\d)?|mistral large latest|nova (?:lite|micro|pro)"
)
"""Weights that nobody outside their maker has, as a pattern."""

NOT_LANGUAGE: Final = (
    r"sdxl|sd ?(?:1\.5|2\.1|3(?:\.5)?)|stable[ -]?diffusion(?:[ -]?(?:xl|\d(?:\.\d)?))?|flux(?:[ .-]?1)?(?:[ -](?:dev|schnell|pro|kontext))|dreambooth|midjourney|dall[ -]?e(?:[ -]?\d)?|imagen|controlnet|"
    r"whisper(?:[ -](?:tiny|base|small|medium|large)(?:[ -]?v\d)?)?|yolo(?:v?\d{1,2})?[a-z]?|resnet(?:[ -]?\d+)?|efficientnet|vit[ -](?:base|large|huge)|clip vit|segment anything|sam2|wav2vec ?2?|xtts|bark tts|tortoise tts|musicgen|"
    r"(?:distil|ro|al|de|camem|modern)?bert(?:a)?(?:[ -](?:base|large)(?:[ -](?:un)?cased)?)?|xgboost|random forest|lightgbm|wan ?2\.\d|hunyuan ?video|animatediff|sora|cogvideox?"
)
"""Models that are no generative language models, as a pattern."""

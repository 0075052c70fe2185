"""Releases of base models by the names people use: which repository of the Hub a name in words means.

One row a release, the likeliest of a family first; and what of a family cannot be trained here, with what can.
Knows nothing of how a model is built: the plan reads that from its own `config.json`, and refuses what this
table promised wrongly. A model that is not here is named as `org/name`.

Names were read in the model tables of LLaMA-Factory (2026-08-18), LitGPT (2026-06-29) and vLLM (2026), and in
public code that loads them. Licences, sizes, lengths and terms are the publishers' cards', as far as known;
nothing was read on the Hub itself.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

READ_ON: Final = "2026-11-23"
"""The day the table was written."""

_OPEN: Final = "Apache-2.0"
_INST: Final = "[INST]"
_CHATML: Final = "ChatML"


class Release(NamedTuple):
    """One repository of the Hub."""

    family: str
    """As in `intake.words.families`."""
    version: str
    """As in the official name, without the family; empty where it has none."""
    size_b: float
    """Parameters in billions, as its name says them."""
    variant: str
    """What its weights were made for: `instruct`, `base`, `coder`, `math`, `mini`, `thinking`."""
    name: str
    """`org/name`."""
    parameters_b: float
    """Parameters in billions, counted."""
    licence: str
    context: int
    """Tokens that it was made to read at once."""
    template: str
    """The form of its chat template; `none`: it has none of its own."""
    model_type: str
    """As in its `config.json`: one that `planning.families` has."""
    gated: bool = False
    """Whether the Hub asks, or once asked, to accept its terms, and then wants a token."""
    why: str = ""
    """Why one would take it."""


class Untrained(NamedTuple):
    """What cannot be trained here, and what can instead."""

    why: str
    instead: str
    """A repository of the table."""


RELEASES: Final[tuple[Release, ...]] = (
    Release("mistral", "0.3", 7, "instruct", "mistralai/Mistral-7B-Instruct-v0.3", 7.25, _OPEN, 32_768, _INST, "mistral", gated=True, why="the newest of Mistral's 7B models, with function calling; in 4 bits it fits cards of 16 GB and up"),
    Release("mistral", "0.2", 7, "instruct", "mistralai/Mistral-7B-Instruct-v0.2", 7.24, _OPEN, 32_768, _INST, "mistral", gated=True, why="the release most older recipes name"),
    Release("mistral", "nemo", 12, "instruct", "mistralai/Mistral-Nemo-Instruct-2407", 12.2, _OPEN, 131_072, _INST, "mistral", gated=True, why="stronger in languages other than English; fits cards of 24 GB in 4 bits"),
    Release("mistral", "small", 24, "instruct", "mistralai/Mistral-Small-24B-Instruct-2501", 23.6, _OPEN, 32_768, _INST, "mistral", gated=True, why="the largest of Mistral's open text models that fits a card of 24 to 48 GB in 4 bits"),
    Release("mistral", "0.1", 7, "instruct", "mistralai/Mistral-7B-Instruct-v0.1", 7.24, _OPEN, 32_768, _INST, "mistral", gated=True, why="the first release"),
    Release("mistral", "0.3", 7, "base", "mistralai/Mistral-7B-v0.3", 7.25, _OPEN, 32_768, "none", "mistral", gated=True),
    Release("mistral", "0.1", 7, "base", "mistralai/Mistral-7B-v0.1", 7.24, _OPEN, 32_768, "none", "mistral", gated=True),
    Release("mistral", "nemo", 12, "base", "mistralai/Mistral-Nemo-Base-2407", 12.2, _OPEN, 131_072, "none", "mistral", gated=True),
    Release("mistral", "small", 24, "base", "mistralai/Mistral-Small-24B-Base-2501", 23.6, _OPEN, 32_768, "none", "mistral", gated=True),
    Release("mistral", "large", 123, "instruct", "mistralai/Mistral-Large-Instruct-2407", 122.6, "Mistral research licence", 131_072, _INST, "mistral", gated=True),
    Release("mixtral", "0.1", 47, "instruct", "mistralai/Mixtral-8x7B-Instruct-v0.1", 46.7, _OPEN, 32_768, _INST, "mixtral", gated=True, why="the smaller of the two"),
    Release("mixtral", "0.1", 141, "instruct", "mistralai/Mixtral-8x22B-Instruct-v0.1", 140.6, _OPEN, 65_536, _INST, "mixtral", gated=True),
    Release("mixtral", "0.1", 47, "base", "mistralai/Mixtral-8x7B-v0.1", 46.7, _OPEN, 32_768, "none", "mixtral", gated=True),
    Release("mixtral", "0.1", 141, "base", "mistralai/Mixtral-8x22B-v0.1", 140.6, _OPEN, 65_536, "none", "mixtral", gated=True),
    Release("ministral", "", 8, "instruct", "mistralai/Ministral-8B-Instruct-2410", 8.02, "Mistral research licence", 131_072, _INST, "mistral", gated=True, why="the one release whose parts are built here"),
    Release("codestral", "", 22, "coder", "mistralai/Codestral-22B-v0.1", 22.2, "Mistral non-production licence", 32_768, _INST, "mistral", gated=True, why="the one release with open weights of this architecture"),
    Release("mathstral", "", 7, "math", "mistralai/Mathstral-7B-v0.1", 7.25, _OPEN, 32_768, _INST, "mistral", why="the one release"),
    Release("llama", "3.1", 8, "instruct", "meta-llama/Llama-3.1-8B-Instruct", 8.03, "Llama 3.1", 131_072, "Llama 3", "llama", gated=True, why="the size most people take; fits cards of 16 GB and up in 4 bits"),
    Release("llama", "3.2", 3, "instruct", "meta-llama/Llama-3.2-3B-Instruct", 3.21, "Llama 3.2", 131_072, "Llama 3", "llama", gated=True, why="small and quick"),
    Release("llama", "3.2", 1, "instruct", "meta-llama/Llama-3.2-1B-Instruct", 1.24, "Llama 3.2", 131_072, "Llama 3", "llama", gated=True, why="the smallest; trains on a processor too"),
    Release("llama", "3.3", 70, "instruct", "meta-llama/Llama-3.3-70B-Instruct", 70.6, "Llama 3.3", 131_072, "Llama 3", "llama", gated=True, why="the newest of its size"),
    Release("llama", "3.1", 70, "instruct", "meta-llama/Llama-3.1-70B-Instruct", 70.6, "Llama 3.1", 131_072, "Llama 3", "llama", gated=True),
    Release("llama", "3.1", 405, "instruct", "meta-llama/Llama-3.1-405B-Instruct", 406, "Llama 3.1", 131_072, "Llama 3", "llama", gated=True),
    Release("llama", "3", 8, "instruct", "meta-llama/Meta-Llama-3-8B-Instruct", 8.03, "Llama 3", 8_192, "Llama 3", "llama", gated=True),
    Release("llama", "3", 70, "instruct", "meta-llama/Meta-Llama-3-70B-Instruct", 70.6, "Llama 3", 8_192, "Llama 3", "llama", gated=True),
    Release("llama", "2", 7, "instruct", "meta-llama/Llama-2-7b-chat-hf", 6.74, "Llama 2", 4_096, _INST, "llama", gated=True),
    Release("llama", "2", 13, "instruct", "meta-llama/Llama-2-13b-chat-hf", 13.0, "Llama 2", 4_096, _INST, "llama", gated=True),
    Release("llama", "2", 70, "instruct", "meta-llama/Llama-2-70b-chat-hf", 69.0, "Llama 2", 4_096, _INST, "llama", gated=True),
    Release("llama", "3.1", 8, "base", "meta-llama/Llama-3.1-8B", 8.03, "Llama 3.1", 131_072, "none", "llama", gated=True),
    Release("llama", "3.2", 3, "base", "meta-llama/Llama-3.2-3B", 3.21, "Llama 3.2", 131_072, "none", "llama", gated=True),
    Release("llama", "3.2", 1, "base", "meta-llama/Llama-3.2-1B", 1.24, "Llama 3.2", 131_072, "none", "llama", gated=True),
    Release("llama", "3.1", 70, "base", "meta-llama/Llama-3.1-70B", 70.6, "Llama 3.1", 131_072, "none", "llama", gated=True),
    Release("llama", "3", 8, "base", "meta-llama/Meta-Llama-3-8B", 8.03, "Llama 3", 8_192, "none", "llama", gated=True),
    Release("llama", "3", 70, "base", "meta-llama/Meta-Llama-3-70B", 70.6, "Llama 3", 8_192, "none", "llama", gated=True),
    Release("llama", "2", 7, "base", "meta-llama/Llama-2-7b-hf", 6.74, "Llama 2", 4_096, "none", "llama", gated=True),
    Release("llama", "2", 13, "base", "meta-llama/Llama-2-13b-hf", 13.0, "Llama 2", 4_096, "none", "llama", gated=True),
    Release("llama", "2", 70, "base", "meta-llama/Llama-2-70b-hf", 69.0, "Llama 2", 4_096, "none", "llama", gated=True),
    Release("codellama", "", 7, "instruct", "codellama/CodeLlama-7b-Instruct-hf", 6.74, "Llama 2", 16_384, _INST, "llama", why="fits cards of 16 GB and up in 4 bits"),
    Release("codellama", "", 13, "instruct", "codellama/CodeLlama-13b-Instruct-hf", 13.0, "Llama 2", 16_384, _INST, "llama"),
    Release("codellama", "", 34, "instruct", "codellama/CodeLlama-34b-Instruct-hf", 33.7, "Llama 2", 16_384, _INST, "llama"),
    Release("codellama", "", 70, "instruct", "codellama/CodeLlama-70b-Instruct-hf", 69.0, "Llama 2", 16_384, _INST, "llama"),
    Release("codellama", "", 7, "base", "codellama/CodeLlama-7b-hf", 6.74, "Llama 2", 16_384, "none", "llama"),
    Release("codellama", "", 13, "base", "codellama/CodeLlama-13b-hf", 13.0, "Llama 2", 16_384, "none", "llama"),
    Release("tinyllama", "", 1.1, "instruct", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", 1.1, _OPEN, 2_048, "Zephyr", "llama", why="the one chat release of it"),
    Release("qwen", "3", 8, "instruct", "Qwen/Qwen3-8B", 8.19, _OPEN, 40_960, _CHATML, "qwen3", why="the size most people take; no terms to accept, fits cards of 16 GB and up in 4 bits"),
    Release("qwen", "3", 4, "instruct", "Qwen/Qwen3-4B-Instruct-2507", 4.02, _OPEN, 262_144, _CHATML, "qwen3", why="small, newer than its elder sister, without thinking aloud"),
    Release("qwen", "3", 4, "instruct", "Qwen/Qwen3-4B", 4.02, _OPEN, 40_960, _CHATML, "qwen3", why="thinks aloud or not, as it is told"),
    Release("qwen", "3", 1.7, "instruct", "Qwen/Qwen3-1.7B", 2.03, _OPEN, 40_960, _CHATML, "qwen3", why="trains on small cards and processors"),
    Release("qwen", "3", 0.6, "instruct", "Qwen/Qwen3-0.6B", 0.75, _OPEN, 40_960, _CHATML, "qwen3", why="the smallest of its generation"),
    Release("qwen", "3", 14, "instruct", "Qwen/Qwen3-14B", 14.8, _OPEN, 40_960, _CHATML, "qwen3", why="fits cards of 24 GB in 4 bits"),
    Release("qwen", "3", 32, "instruct", "Qwen/Qwen3-32B", 32.8, _OPEN, 40_960, _CHATML, "qwen3", why="the largest dense one; cards of 48 GB in 4 bits"),
    Release("qwen", "3", 30, "instruct", "Qwen/Qwen3-30B-A3B-Instruct-2507", 30.5, _OPEN, 262_144, _CHATML, "qwen3_moe", why="a mixture: 3 of 30 billion parameters work on a token"),
    Release("qwen", "3", 30, "thinking", "Qwen/Qwen3-30B-A3B", 30.5, _OPEN, 40_960, _CHATML, "qwen3_moe"),
    Release("qwen", "3", 235, "instruct", "Qwen/Qwen3-235B-A22B-Instruct-2507", 235, _OPEN, 262_144, _CHATML, "qwen3_moe"),
    Release("qwen", "3", 8, "base", "Qwen/Qwen3-8B-Base", 8.19, _OPEN, 32_768, "none", "qwen3"),
    Release("qwen", "3", 4, "base", "Qwen/Qwen3-4B-Base", 4.02, _OPEN, 32_768, "none", "qwen3"),
    Release("qwen", "3", 1.7, "base", "Qwen/Qwen3-1.7B-Base", 2.03, _OPEN, 32_768, "none", "qwen3"),
    Release("qwen", "3", 0.6, "base", "Qwen/Qwen3-0.6B-Base", 0.6, _OPEN, 32_768, "none", "qwen3"),
    Release("qwen", "3", 14, "base", "Qwen/Qwen3-14B-Base", 14.8, _OPEN, 32_768, "none", "qwen3"),
    Release("qwen", "3-next", 80, "instruct", "Qwen/Qwen3-Next-80B-A3B-Instruct", 81.3, _OPEN, 262_144, _CHATML, "qwen3_next", why="a mixture: 3 of 80 billion parameters work on a token"),
    Release("qwen", "3-next", 80, "thinking", "Qwen/Qwen3-Next-80B-A3B-Thinking", 81.3, _OPEN, 262_144, _CHATML, "qwen3_next"),
    Release("qwen", "3.5", 9, "instruct", "Qwen/Qwen3.5-9B", 9.0, _OPEN, 262_144, _CHATML, "qwen3_5", why="its text part alone is trained"),
    Release("qwen", "3.5", 4, "instruct", "Qwen/Qwen3.5-4B", 4.0, _OPEN, 262_144, _CHATML, "qwen3_5", why="its text part alone is trained"),
    Release("qwen", "3.5", 2, "instruct", "Qwen/Qwen3.5-2B", 2.0, _OPEN, 262_144, _CHATML, "qwen3_5", why="its text part alone is trained"),
    Release("qwen", "3.5", 0.8, "instruct", "Qwen/Qwen3.5-0.8B", 0.8, _OPEN, 262_144, _CHATML, "qwen3_5", why="its text part alone is trained"),
    Release("qwen", "3.5", 27, "instruct", "Qwen/Qwen3.5-27B", 27.0, _OPEN, 262_144, _CHATML, "qwen3_5", why="its text part alone is trained"),
    Release("qwen", "3.5", 35, "instruct", "Qwen/Qwen3.5-35B-A3B", 35.0, _OPEN, 262_144, _CHATML, "qwen3_5_moe", why="a mixture; its text part alone is trained"),
    Release("qwen", "2.5", 7, "instruct", "Qwen/Qwen2.5-7B-Instruct", 7.62, _OPEN, 32_768, _CHATML, "qwen2", why="well tried"),
    Release("qwen", "2.5", 3, "instruct", "Qwen/Qwen2.5-3B-Instruct", 3.09, "Qwen research licence", 32_768, _CHATML, "qwen2"),
    Release("qwen", "2.5", 1.5, "instruct", "Qwen/Qwen2.5-1.5B-Instruct", 1.54, _OPEN, 32_768, _CHATML, "qwen2"),
    Release("qwen", "2.5", 0.5, "instruct", "Qwen/Qwen2.5-0.5B-Instruct", 0.49, _OPEN, 32_768, _CHATML, "qwen2"),
    Release("qwen", "2.5", 14, "instruct", "Qwen/Qwen2.5-14B-Instruct", 14.8, _OPEN, 32_768, _CHATML, "qwen2"),
    Release("qwen", "2.5", 32, "instruct", "Qwen/Qwen2.5-32B-Instruct", 32.8, _OPEN, 32_768, _CHATML, "qwen2"),
    Release("qwen", "2.5", 72, "instruct", "Qwen/Qwen2.5-72B-Instruct", 72.7, "Qwen licence", 32_768, _CHATML, "qwen2"),
    Release("qwen", "2.5", 7, "coder", "Qwen/Qwen2.5-Coder-7B-Instruct", 7.62, _OPEN, 32_768, _CHATML, "qwen2"),
    Release("qwen", "2.5", 1.5, "coder", "Qwen/Qwen2.5-Coder-1.5B-Instruct", 1.54, _OPEN, 32_768, _CHATML, "qwen2"),
    Release("qwen", "2.5", 32, "coder", "Qwen/Qwen2.5-Coder-32B-Instruct", 32.8, _OPEN, 32_768, _CHATML, "qwen2"),
    Release("qwen", "2.5", 7, "base", "Qwen/Qwen2.5-7B", 7.62, _OPEN, 131_072, "none", "qwen2"),
    Release("qwen", "2", 7, "instruct", "Qwen/Qwen2-7B-Instruct", 7.62, _OPEN, 32_768, _CHATML, "qwen2"),
    Release("qwen", "2", 1.5, "instruct", "Qwen/Qwen2-1.5B-Instruct", 1.54, _OPEN, 32_768, _CHATML, "qwen2"),
    Release("qwen", "2", 0.5, "instruct", "Qwen/Qwen2-0.5B-Instruct", 0.49, _OPEN, 32_768, _CHATML, "qwen2"),
    Release("qwen", "2", 72, "instruct", "Qwen/Qwen2-72B-Instruct", 72.7, "Qwen licence", 32_768, _CHATML, "qwen2"),
    Release("qwen", "1.5", 7, "instruct", "Qwen/Qwen1.5-7B-Chat", 7.72, "Qwen licence", 32_768, _CHATML, "qwen2"),
    Release("qwq", "", 32, "thinking", "Qwen/QwQ-32B", 32.8, _OPEN, 40_960, _CHATML, "qwen2", why="the one release"),
    Release("gemma", "2", 9, "instruct", "google/gemma-2-9b-it", 9.24, "Gemma terms", 8_192, "Gemma", "gemma2", gated=True, why="the newest middle size that reads text alone; fits cards of 24 GB in 4 bits"),
    Release("gemma", "2", 2, "instruct", "google/gemma-2-2b-it", 2.61, "Gemma terms", 8_192, "Gemma", "gemma2", gated=True, why="small and quick"),
    Release("gemma", "2", 27, "instruct", "google/gemma-2-27b-it", 27.2, "Gemma terms", 8_192, "Gemma", "gemma2", gated=True),
    Release("gemma", "3", 1, "instruct", "google/gemma-3-1b-it", 1.0, "Gemma terms", 32_768, "Gemma", "gemma3_text", gated=True, why="the newest that reads text alone; trains on small cards"),
    Release("gemma", "3", 0.27, "instruct", "google/gemma-3-270m-it", 0.268, "Gemma terms", 32_768, "Gemma", "gemma3_text", gated=True, why="the smallest"),
    Release("gemma", "3", 1, "base", "google/gemma-3-1b-pt", 1.0, "Gemma terms", 32_768, "none", "gemma3_text", gated=True),
    Release("gemma", "2", 9, "base", "google/gemma-2-9b", 9.24, "Gemma terms", 8_192, "none", "gemma2", gated=True),
    Release("gemma", "2", 2, "base", "google/gemma-2-2b", 2.61, "Gemma terms", 8_192, "none", "gemma2", gated=True),
    Release("gemma", "2", 27, "base", "google/gemma-2-27b", 27.2, "Gemma terms", 8_192, "none", "gemma2", gated=True),
    Release("gemma", "1", 7, "instruct", "google/gemma-1.1-7b-it", 8.54, "Gemma terms", 8_192, "Gemma", "gemma", gated=True),
    Release("gemma", "1", 2, "instruct", "google/gemma-1.1-2b-it", 2.51, "Gemma terms", 8_192, "Gemma", "gemma", gated=True),
    Release("gemma", "1", 7, "base", "google/gemma-7b", 8.54, "Gemma terms", 8_192, "none", "gemma", gated=True),
    Release("gemma", "1", 2, "base", "google/gemma-2b", 2.51, "Gemma terms", 8_192, "none", "gemma", gated=True),
    Release("codegemma", "", 7, "coder", "google/codegemma-7b-it", 8.54, "Gemma terms", 8_192, "Gemma", "gemma", gated=True, why="the one that was made to answer"),
    Release("codegemma", "", 7, "base", "google/codegemma-7b", 8.54, "Gemma terms", 8_192, "none", "gemma", gated=True),
    Release("medgemma", "", 27, "instruct", "google/medgemma-27b-text-it", 27.0, "Health AI Developer Foundations terms", 131_072, "Gemma", "gemma3_text", gated=True, why="the one that reads text alone"),
    Release("phi", "4", 14, "instruct", "microsoft/phi-4", 14.7, "MIT", 16_384, "phi-4", "phi3", why="the strongest; fits cards of 24 GB in 4 bits"),
    Release("phi", "4", 3.8, "mini", "microsoft/Phi-4-mini-instruct", 3.84, "MIT", 131_072, "Phi-3", "phi3", why="small, with long context"),
    Release("phi", "3.5", 3.8, "mini", "microsoft/Phi-3.5-mini-instruct", 3.82, "MIT", 131_072, "Phi-3", "phi3"),
    Release("phi", "3", 3.8, "mini", "microsoft/Phi-3-mini-4k-instruct", 3.82, "MIT", 4_096, "Phi-3", "phi3"),
    Release("phi", "3", 3.8, "mini", "microsoft/Phi-3-mini-128k-instruct", 3.82, "MIT", 131_072, "Phi-3", "phi3"),
    Release("phi", "3", 14, "instruct", "microsoft/Phi-3-medium-4k-instruct", 14.0, "MIT", 4_096, "Phi-3", "phi3"),
    Release("phi", "3", 14, "instruct", "microsoft/Phi-3-medium-128k-instruct", 14.0, "MIT", 131_072, "Phi-3", "phi3"),
    Release("phi", "2", 2.7, "base", "microsoft/phi-2", 2.78, "MIT", 2_048, "none", "phi"),
    Release("phi", "1.5", 1.3, "base", "microsoft/phi-1_5", 1.42, "MIT", 2_048, "none", "phi"),
    Release("deepseek", "r1-distill", 7, "thinking", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", 7.62, "MIT", 131_072, "DeepSeek", "qwen2", why="the size most people take; fits cards of 16 GB and up in 4 bits"),
    Release("deepseek", "r1-distill", 8, "thinking", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", 8.03, "MIT; Llama 3.1", 131_072, "DeepSeek", "llama"),
    Release("deepseek", "r1-distill", 1.5, "thinking", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 1.78, "MIT", 131_072, "DeepSeek", "qwen2"),
    Release("deepseek", "r1-distill", 14, "thinking", "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", 14.8, "MIT", 131_072, "DeepSeek", "qwen2"),
    Release("deepseek", "r1-distill", 32, "thinking", "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", 32.8, "MIT", 131_072, "DeepSeek", "qwen2"),
    Release("deepseek", "r1-distill", 70, "thinking", "deepseek-ai/DeepSeek-R1-Distill-Llama-70B", 70.6, "MIT; Llama 3.3", 131_072, "DeepSeek", "llama"),
    Release("deepseek", "", 7, "instruct", "deepseek-ai/deepseek-llm-7b-chat", 6.91, "DeepSeek licence", 4_096, "DeepSeek LLM", "llama"),
    Release("deepseek", "", 67, "instruct", "deepseek-ai/deepseek-llm-67b-chat", 67.4, "DeepSeek licence", 4_096, "DeepSeek LLM", "llama"),
    Release("deepseek", "", 6.7, "coder", "deepseek-ai/deepseek-coder-6.7b-instruct", 6.74, "DeepSeek licence", 16_384, "Instruction / Response", "llama"),
    Release("deepseek", "math", 7, "math", "deepseek-ai/deepseek-math-7b-instruct", 6.91, "DeepSeek licence", 4_096, "DeepSeek LLM", "llama"),
    Release("smollm", "2", 1.7, "instruct", "HuggingFaceTB/SmolLM2-1.7B-Instruct", 1.71, _OPEN, 8_192, _CHATML, "llama", why="the best answers of the small ones"),
    Release("smollm", "2", 0.36, "instruct", "HuggingFaceTB/SmolLM2-360M-Instruct", 0.362, _OPEN, 8_192, _CHATML, "llama", why="between the two"),
    Release("smollm", "2", 0.135, "instruct", "HuggingFaceTB/SmolLM2-135M-Instruct", 0.135, _OPEN, 8_192, _CHATML, "llama", why="trains on any machine in minutes; a copy comes with podtune"),
    Release("smollm", "3", 3, "instruct", "HuggingFaceTB/SmolLM3-3B", 3.08, _OPEN, 65_536, _CHATML, "smollm3", why="the newest"),
    Release("smollm", "2", 1.7, "base", "HuggingFaceTB/SmolLM2-1.7B", 1.71, _OPEN, 8_192, "none", "llama"),
    Release("smollm", "2", 0.36, "base", "HuggingFaceTB/SmolLM2-360M", 0.362, _OPEN, 8_192, "none", "llama"),
    Release("smollm", "2", 0.135, "base", "HuggingFaceTB/SmolLM2-135M", 0.135, _OPEN, 8_192, "none", "llama"),
    Release("smollm", "1", 1.7, "instruct", "HuggingFaceTB/SmolLM-1.7B-Instruct", 1.71, _OPEN, 2_048, _CHATML, "llama"),
    Release("smollm", "1", 0.36, "instruct", "HuggingFaceTB/SmolLM-360M-Instruct", 0.362, _OPEN, 2_048, _CHATML, "llama"),
    Release("smollm", "1", 0.135, "instruct", "HuggingFaceTB/SmolLM-135M-Instruct", 0.135, _OPEN, 2_048, _CHATML, "llama"),
    Release("falcon", "3", 7, "instruct", "tiiuae/Falcon3-7B-Instruct", 7.46, "TII Falcon licence 2.0", 32_768, "Falcon3", "llama", why="the generation whose parts are built here"),
    Release("falcon", "3", 3, "instruct", "tiiuae/Falcon3-3B-Instruct", 3.23, "TII Falcon licence 2.0", 32_768, "Falcon3", "llama"),
    Release("falcon", "3", 1, "instruct", "tiiuae/Falcon3-1B-Instruct", 1.67, "TII Falcon licence 2.0", 4_096, "Falcon3", "llama"),
    Release("falcon", "3", 10, "instruct", "tiiuae/Falcon3-10B-Instruct", 10.3, "TII Falcon licence 2.0", 32_768, "Falcon3", "llama"),
    Release("gpt-oss", "", 20, "instruct", "openai/gpt-oss-20b", 20.9, _OPEN, 131_072, "harmony", "gpt_oss", why="the smaller of the two; fits one card of 24 GB and up"),
    Release("gpt-oss", "", 120, "instruct", "openai/gpt-oss-120b", 116.8, _OPEN, 131_072, "harmony", "gpt_oss"),
    Release("granite", "3.3", 8, "instruct", "ibm-granite/granite-3.3-8b-instruct", 8.17, _OPEN, 131_072, "Granite", "granite", why="the newest of the dense ones; no terms to accept"),
    Release("granite", "3.3", 2, "instruct", "ibm-granite/granite-3.3-2b-instruct", 2.53, _OPEN, 131_072, "Granite", "granite", why="small and quick"),
    Release("granite", "3.2", 8, "instruct", "ibm-granite/granite-3.2-8b-instruct", 8.17, _OPEN, 131_072, "Granite", "granite"),
    Release("granite", "3.2", 2, "instruct", "ibm-granite/granite-3.2-2b-instruct", 2.53, _OPEN, 131_072, "Granite", "granite"),
    Release("granite", "3.1", 8, "instruct", "ibm-granite/granite-3.1-8b-instruct", 8.17, _OPEN, 131_072, "Granite", "granite"),
    Release("granite", "3.1", 2, "instruct", "ibm-granite/granite-3.1-2b-instruct", 2.53, _OPEN, 131_072, "Granite", "granite"),
    Release("granite", "3.0", 8, "instruct", "ibm-granite/granite-3.0-8b-instruct", 8.17, _OPEN, 4_096, "Granite", "granite"),
    Release("granite", "3.0", 2, "instruct", "ibm-granite/granite-3.0-2b-instruct", 2.63, _OPEN, 4_096, "Granite", "granite"),
    Release("granite", "3.3", 8, "base", "ibm-granite/granite-3.3-8b-base", 8.17, _OPEN, 131_072, "none", "granite"),
    Release("granite", "3.3", 2, "base", "ibm-granite/granite-3.3-2b-base", 2.53, _OPEN, 131_072, "none", "granite"),
    Release("olmo", "3", 7, "instruct", "allenai/Olmo-3-7B-Instruct", 7.3, _OPEN, 65_536, _CHATML, "olmo3", why="the newest; its training data are public"),
    Release("olmo", "3", 32, "thinking", "allenai/Olmo-3-32B-Think", 32.2, _OPEN, 65_536, _CHATML, "olmo3"),
    Release("olmo", "2", 7, "instruct", "allenai/OLMo-2-1124-7B-Instruct", 7.3, _OPEN, 4_096, "Tulu", "olmo2"),
    Release("olmo", "2", 13, "instruct", "allenai/OLMo-2-1124-13B-Instruct", 13.7, _OPEN, 4_096, "Tulu", "olmo2"),
    Release("olmo", "1", 7, "instruct", "allenai/OLMo-7B-Instruct-hf", 6.89, _OPEN, 2_048, "Tulu", "olmo"),
    Release("olmo", "1", 1, "base", "allenai/OLMo-1B-hf", 1.18, _OPEN, 2_048, "none", "olmo"),
    Release("olmoe", "", 7, "instruct", "allenai/OLMoE-1B-7B-0924-Instruct", 6.92, _OPEN, 4_096, "Tulu", "olmoe", why="a mixture: 1 of 7 billion parameters works on a token"),
    Release("yi", "1.5", 9, "instruct", "01-ai/Yi-1.5-9B-Chat", 8.83, _OPEN, 4_096, _CHATML, "llama", why="the newer generation, middle size"),
    Release("yi", "1.5", 6, "instruct", "01-ai/Yi-1.5-6B-Chat", 6.06, _OPEN, 4_096, _CHATML, "llama"),
    Release("yi", "1.5", 34, "instruct", "01-ai/Yi-1.5-34B-Chat", 34.4, _OPEN, 4_096, _CHATML, "llama"),
    Release("yi", "1", 6, "instruct", "01-ai/Yi-6B-Chat", 6.06, _OPEN, 4_096, _CHATML, "llama"),
    Release("yi", "1", 34, "instruct", "01-ai/Yi-34B-Chat", 34.4, _OPEN, 4_096, _CHATML, "llama"),
    Release("glm", "4", 9, "instruct", "zai-org/GLM-4-9B-0414", 9.4, "MIT", 32_768, "GLM", "glm4", why="the newest of its size; fits cards of 24 GB in 4 bits"),
    Release("glm", "4", 32, "instruct", "zai-org/GLM-4-32B-0414", 32.6, "MIT", 32_768, "GLM", "glm4"),
    Release("glm", "4.5-air", 106, "instruct", "zai-org/GLM-4.5-Air", 110.5, "MIT", 131_072, "GLM", "glm4_moe", why="a mixture: 12 of 106 billion parameters work on a token"),
    Release("glm", "4.5", 355, "instruct", "zai-org/GLM-4.5", 358.3, "MIT", 131_072, "GLM", "glm4_moe"),
    Release("vicuna", "1.5", 7, "instruct", "lmsys/vicuna-7b-v1.5", 6.74, "Llama 2", 4_096, "Vicuna", "llama", why="the smaller of the two"),
    Release("vicuna", "1.5", 13, "instruct", "lmsys/vicuna-13b-v1.5", 13.0, "Llama 2", 4_096, "Vicuna", "llama"),
    Release("zephyr", "", 7, "instruct", "HuggingFaceH4/zephyr-7b-beta", 7.24, "MIT", 32_768, "Zephyr", "mistral", why="the release that people mean"),
    Release("hermes", "3", 8, "instruct", "NousResearch/Hermes-3-Llama-3.1-8B", 8.03, "Llama 3.1", 131_072, _CHATML, "llama", why="the size most people take"),
    Release("openchat", "3.5", 7, "instruct", "openchat/openchat-3.5-0106", 7.24, _OPEN, 8_192, "OpenChat", "mistral", why="no terms of Llama"),
    Release("openchat", "3.6", 8, "instruct", "openchat/openchat-3.6-8b-20240522", 8.03, "Llama 3", 8_192, "OpenChat", "llama"),
    Release("nemotron", "", 8, "instruct", "nvidia/Llama-3.1-Nemotron-Nano-8B-v1", 8.03, "NVIDIA open model licence; Llama 3.1", 131_072, "Llama 3", "llama", why="the one that fits small cards"),
    Release("nemotron", "", 70, "instruct", "nvidia/Llama-3.1-Nemotron-70B-Instruct-HF", 70.6, "Llama 3.1", 131_072, "Llama 3", "llama"),
    Release("aya", "expanse", 8, "instruct", "CohereLabs/aya-expanse-8b", 8.03, "CC-BY-NC-4.0", 8_192, "Cohere", "cohere", gated=True, why="23 languages; not for business"),
    Release("command-r", "", 7, "instruct", "CohereLabs/c4ai-command-r7b-12-2024", 8.03, "CC-BY-NC-4.0", 131_072, "Cohere", "cohere2", gated=True, why="the smallest; not for business"),
    Release("solar", "", 10.7, "instruct", "upstage/SOLAR-10.7B-Instruct-v1.0", 10.7, "CC-BY-NC-4.0", 4_096, "User / Assistant", "llama", why="the release whose parts are built here; not for business"),
    Release("lfm", "2", 1.2, "instruct", "LiquidAI/LFM2-1.2B", 1.17, "LFM licence 1.0", 32_768, _CHATML, "lfm2", why="the size most people take"),
    Release("lfm", "2", 0.7, "instruct", "LiquidAI/LFM2-700M", 0.742, "LFM licence 1.0", 32_768, _CHATML, "lfm2"),
    Release("lfm", "2", 0.35, "instruct", "LiquidAI/LFM2-350M", 0.354, "LFM licence 1.0", 32_768, _CHATML, "lfm2"),
    Release("lfm", "2.5", 1.2, "instruct", "LiquidAI/LFM2.5-1.2B-Instruct", 1.17, "LFM licence 1.0", 32_768, _CHATML, "lfm2"),
    Release("eurollm", "", 9, "instruct", "utter-project/EuroLLM-9B-Instruct", 9.15, _OPEN, 4_096, _CHATML, "llama", gated=True, why="all languages of the European Union"),
    Release("salamandra", "", 7, "instruct", "BSC-LT/salamandra-7b-instruct", 7.77, _OPEN, 8_192, _CHATML, "llama", why="35 languages of Europe"),
    Release("salamandra", "", 2, "instruct", "BSC-LT/salamandra-2b-instruct", 2.25, _OPEN, 8_192, _CHATML, "llama"),
    Release("bielik", "", 11, "instruct", "speakleash/Bielik-11B-v2.3-Instruct", 11.2, _OPEN, 32_768, _CHATML, "llama", gated=True, why="Polish"),
)  # fmt: skip

_PARTS: Final = "its architecture is not among those built"
_SEES: Final = "it sees pictures too, and its text part cannot be loaded alone"
_CLOSED: Final = "its weights are not published"
_TEKKEN: Final = "it is published with a tokenizer of Mistral's own form, which is not read here"
_PACKED: Final = "its architecture is not among those built, or its weights are quantised already"

_SMALL: Final = "mistralai/Mistral-Small-24B-Instruct-2501"
_DISTILLED: Final = "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
_QWEN: Final = "Qwen/Qwen3-8B"
_CODER: Final = "Qwen/Qwen2.5-Coder-7B-Instruct"
_TINY: Final = "HuggingFaceTB/SmolLM2-360M-Instruct"

UNTRAINED: Final[Mapping[str, Untrained]] = {
    "mistral small-3.1": Untrained(_SEES, _SMALL),
    "mistral small-3.2": Untrained(_SEES, _SMALL),
    "mistral medium": Untrained(_CLOSED, _SMALL),
    "mistral saba": Untrained(_CLOSED, _SMALL),
    "ministral 3": Untrained(_SEES, "mistralai/Ministral-8B-Instruct-2410"),
    "magistral": Untrained(_TEKKEN, _SMALL),
    "devstral": Untrained(_TEKKEN, _SMALL),
    "codestral mamba": Untrained(_PARTS, "mistralai/Codestral-22B-v0.1"),
    "pixtral": Untrained(_SEES, "mistralai/Mistral-Nemo-Instruct-2407"),
    "llama 1": Untrained(_CLOSED, "meta-llama/Llama-3.1-8B-Instruct"),
    "llama 4": Untrained(_SEES, "meta-llama/Llama-3.3-70B-Instruct"),
    "gemma 3 4b": Untrained(_SEES, "google/gemma-2-9b-it"),
    "gemma 3 12b": Untrained(_SEES, "google/gemma-2-9b-it"),
    "gemma 3 27b": Untrained(_SEES, "google/gemma-2-27b-it"),
    "gemma 3n": Untrained(_SEES, "google/gemma-2-2b-it"),
    "gemma 4": Untrained(_SEES, "google/gemma-2-9b-it"),
    "deepseek r1": Untrained(_PACKED, _DISTILLED),
    "deepseek v2": Untrained(_PACKED, _DISTILLED),
    "deepseek v2.5": Untrained(_PACKED, _DISTILLED),
    "deepseek v3": Untrained(_PACKED, _DISTILLED),
    "deepseek v3.1": Untrained(_PACKED, _DISTILLED),
    "deepseek v3.2": Untrained(_PACKED, _DISTILLED),
    "deepseek v4": Untrained(_PACKED, _DISTILLED),
    "smolvlm": Untrained(_SEES, "HuggingFaceTB/SmolLM2-1.7B-Instruct"),
    "falcon 1": Untrained(_PARTS, "tiiuae/Falcon3-7B-Instruct"),
    "falcon 2": Untrained(_PARTS, "tiiuae/Falcon3-7B-Instruct"),
    "falcon mamba": Untrained(_PARTS, "tiiuae/Falcon3-7B-Instruct"),
    "falcon h1": Untrained(_PARTS, "tiiuae/Falcon3-7B-Instruct"),
    "granite 4": Untrained(_PARTS, "ibm-granite/granite-3.3-8b-instruct"),
    "granite 4.0": Untrained(_PARTS, "ibm-granite/granite-3.3-8b-instruct"),
    "glm 5": Untrained(_PARTS, "zai-org/GLM-4.5-Air"),
    "gpt2": Untrained(_PARTS, _TINY),
    "gpt-neo": Untrained(_PARTS, _TINY),
    "gpt-neox": Untrained(_PARTS, _QWEN),
    "gpt-j": Untrained(_PARTS, _QWEN),
    "chatglm": Untrained(_PARTS, "zai-org/GLM-4-9B-0414"),
    "mpt": Untrained(_PARTS, _QWEN),
    "bloom": Untrained(_PARTS, _QWEN),
    "bloomz": Untrained(_PARTS, _QWEN),
    "opt": Untrained(_PARTS, _QWEN),
    "pythia": Untrained(_PARTS, "HuggingFaceTB/SmolLM2-360M"),
    "starcoder": Untrained(_PARTS, _CODER),
    "stablelm": Untrained(_PARTS, "HuggingFaceTB/SmolLM3-3B"),
    "alpaca": Untrained(_CLOSED, "lmsys/vicuna-7b-v1.5"),
    "internlm": Untrained(_PARTS, _QWEN),
    "baichuan": Untrained(_PARTS, _QWEN),
    "exaone": Untrained(_PARTS, _QWEN),
    "kimi": Untrained(_PACKED, "zai-org/GLM-4.5-Air"),
    "minimax": Untrained(_PACKED, "zai-org/GLM-4.5-Air"),
    "jamba": Untrained(_PARTS, "mistralai/Mistral-Nemo-Instruct-2407"),
    "dbrx": Untrained(_PARTS, "mistralai/Mixtral-8x22B-Instruct-v0.1"),
    "ernie": Untrained(_PARTS, _QWEN),
    "hunyuan": Untrained(_PARTS, _QWEN),
    "mimo": Untrained(_PARTS, _QWEN),
    "rwkv": Untrained(_PARTS, "LiquidAI/LFM2-1.2B"),
    "mamba": Untrained(_PARTS, "LiquidAI/LFM2-1.2B"),
    "seed-oss": Untrained(_PARTS, "Qwen/Qwen3-32B"),
    "apertus": Untrained(_PARTS, "utter-project/EuroLLM-9B-Instruct"),
    "teuken": Untrained(_PARTS, "utter-project/EuroLLM-9B-Instruct"),
}
"""Family, family and version, or with the size too -> why not."""

SEEING: Final = frozenset({"vl", "vision", "omni"})
"""Variants of any family that see or hear; the text model of the family is taken instead."""

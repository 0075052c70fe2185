"""A base model's `config.json` -> the sizes the formulas need, without loading anything."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, cast

from podtune.core.errors import SpecError, UnsupportedError
from podtune.core.plan import BaseModelFacts

EXPERT_KEYS: Final = ("num_experts", "num_local_experts", "n_routed_experts")


FAMILIES: Final[Mapping[str, bool]] = {
    "llama": False,
    "mistral": False,
    "qwen2": False,
    "qwen3": False,
    "smollm3": True,
    "gemma": True,
    "gemma3_text": True,
}
"""Model types whose layers are as `linear_shapes` says -> whether embeddings are tied when the
config does not say (transformers 5.23; `tests/worker/test_families.py` builds one of each)."""


class LinearShape(NamedTuple):
    """A linear layer [out, in] that stands `copies` times in the model."""

    name: str
    inputs: int
    outputs: int
    copies: int

    @property
    def parameters(self) -> int:
        """Weights of all copies; biases are not counted."""
        return self.inputs * self.outputs * self.copies


class Sizes(NamedTuple):
    """What linear shapes follow from."""

    hidden: int
    layers: int
    attention: int
    kv: int
    intermediate: int


def linear_shapes(sizes: Sizes) -> Sequence[LinearShape]:
    """The linear layers of a dense decoder with gated MLP (Llama, Qwen, Mistral, SmolLM, Gemma)."""
    h, n = sizes.hidden, sizes.layers
    return (
        LinearShape("q_proj", h, sizes.attention, n),
        LinearShape("k_proj", h, sizes.kv, n),
        LinearShape("v_proj", h, sizes.kv, n),
        LinearShape("o_proj", sizes.attention, h, n),
        LinearShape("gate_proj", h, sizes.intermediate, n),
        LinearShape("up_proj", h, sizes.intermediate, n),
        LinearShape("down_proj", sizes.intermediate, h, n),
    )


def facts_from_config(
    config: Mapping[str, object],
    *,
    name: str,
    revision: str | None,
    source: str,
    location: str | None,
    download_bytes: int | None = None,
) -> BaseModelFacts:
    """Read the sizes out of a `config.json`.

    Raises:
        SpecError: it is no decoder-only language model we know the shape of.
        UnsupportedError: a mixture of experts, which is not built yet.
    """
    if any(_integer(config, key) for key in EXPERT_KEYS):
        raise UnsupportedError(
            f"{name} is a mixture of experts; only dense models are built yet", code="not_built"
        )
    kind = str(config.get("model_type", ""))
    if kind not in FAMILIES:
        raise UnsupportedError(
            f"{name} is a {kind or 'model of no known'} type; built are {', '.join(FAMILIES)}",
            code="unknown_architecture",
            hint="choose an instruct model of one of these families",
        )
    if config.get("quantization_config"):
        raise UnsupportedError(
            f"{name} is quantised already; training needs the original weights", code="not_built"
        )
    needed = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
    missing = [key for key in (*needed, "intermediate_size") if not _integer(config, key)]
    if missing:
        raise SpecError(
            f"{name} is no dense decoder podtune knows: its config.json lacks {', '.join(missing)}",
            code="unknown_architecture",
            hint="the folder's config.json is damaged; fetch the model again",
        )
    hidden, layers, heads, vocab = (_integer(config, key) for key in needed)
    head_size = _integer(config, "head_dim") or hidden // heads
    kv_heads = _integer(config, "num_key_value_heads") or heads
    sizes = Sizes(
        hidden,
        layers,
        heads * head_size,
        kv_heads * head_size,
        _integer(config, "intermediate_size"),
    )
    linear = sum(shape.parameters for shape in linear_shapes(sizes))
    tied = bool(config.get("tie_word_embeddings", FAMILIES[kind]))
    norms = hidden * (2 * layers + 1)
    return BaseModelFacts(
        name=name,
        revision=revision,
        source=source,
        location=location,
        model_type=kind,
        hidden_size=hidden,
        layers=layers,
        kv_size=sizes.kv,
        attention_size=sizes.attention,
        intermediate_size=sizes.intermediate,
        vocab_size=vocab,
        tied_embeddings=tied,
        linear_parameters=linear,
        total_parameters=linear + vocab * hidden * (1 if tied else 2) + norms,
        max_positions=_integer(config, "max_position_embeddings") or 2048,
        window=_window(config),
        download_bytes=download_bytes,
    )


def keeps_documents_apart(config: Mapping[str, object]) -> bool:
    """Whether packing is exact: every layer is plain attention over the whole document.

    Linear-attention layers carry state across packed documents (measured: Qwen3-Next leaks
    silently when only position ids reset), so such models train one document a row.
    """
    kinds = config.get("layer_types")
    if not isinstance(kinds, list):
        return True
    return all("linear" not in str(kind) for kind in cast("list[object]", kinds))


def sizes_of(facts: BaseModelFacts) -> Sizes:
    """The sizes of known facts."""
    return Sizes(
        facts.hidden_size,
        facts.layers,
        facts.attention_size,
        facts.kv_size,
        facts.intermediate_size,
    )


def _window(config: Mapping[str, object]) -> int | None:
    """The sliding window, where one is in use."""
    if config.get("use_sliding_window") is False:
        return None
    return _integer(config, "sliding_window") or None


def _integer(config: Mapping[str, object], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return max(0, value)

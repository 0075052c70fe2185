"""A base model's `config.json` -> the sizes the formulas need, without loading anything."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, cast

from podtune.core.errors import SpecError, UnsupportedError
from podtune.core.plan import BaseModelFacts, ExpertFacts, LinearFacts
from podtune.planning.families import FAMILIES, WRAPPED, Family
from podtune.planning.layer_shapes import (
    EXPERT_KEYS,
    Fields,
    LinearShape,
    expert_count,
    given,
    integer,
)

NEEDED: Final = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


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
        SpecError: it lacks sizes, or describes no language model we know the shape of.
        UnsupportedError: a model type that is not known, or weights quantised already.
    """
    config = language_model(config, name)
    kind = str(config["model_type"])
    family = FAMILIES[kind]
    fields: Fields = {**family.defaults, **config}
    _refuse_incomplete(family, fields, name)
    hidden, layers, _, vocab = (integer(fields, key) for key in NEEDED)
    stateful = _stateful_layers(family, fields)
    linears, other = _count(family, fields, stateful)
    experts = _experts(family, fields)
    tied = bool(fields.get("tie_word_embeddings", fields.get("tie_embedding", family.tied)))
    outside = vocab * hidden * (1 if tied else 2)
    outside += vocab if family.head_bias else 0
    linear = sum(shape.parameters for shape in linears)
    attention_size, kv_size = family.attention.widths(fields)
    return BaseModelFacts(
        name=name,
        revision=revision,
        source=source,
        location=location,
        model_type=kind,
        hidden_size=hidden,
        layers=layers,
        kv_size=kv_size,
        attention_size=attention_size,
        intermediate_size=integer(fields, "intermediate_size"),
        vocab_size=vocab,
        tied_embeddings=tied,
        linear_parameters=linear,
        total_parameters=linear + (experts.parameters if experts else 0) + outside + other,
        linears=linears,
        experts=experts,
        linear_attention_layers=len(stateful),
        max_positions=integer(fields, "max_position_embeddings") or 2048,
        window=_window(family, fields),
        download_bytes=download_bytes,
    )


def language_model(config: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The part of a config that describes the language model, its type known.

    Raises:
        UnsupportedError: not a known family, or quantised already.
    """
    stored = config.get("quantization_config")
    if stored and not _is_unpacked(stored):
        raise UnsupportedError(
            f"{name} is quantised already; training needs the original weights",
            code="not_built",
            hint="name the repository the quantised copy was made from",
        )
    kind = str(config.get("model_type", ""))
    if kind in FAMILIES:
        return config
    inner = config.get("text_config")
    if kind in WRAPPED and isinstance(inner, dict):
        text = cast("dict[str, object]", inner)
        tied = config.get("tie_word_embeddings")
        tying = {} if tied is None else {"tie_word_embeddings": tied}
        return {**text, **tying, "model_type": WRAPPED[kind]}
    seen = "sees pictures too, and its text part cannot be loaded alone" if inner else ""
    known = ", ".join(sorted({*FAMILIES, *WRAPPED}))
    raise UnsupportedError(
        f"{name} is a {kind or 'model of no known'} type{f': it {seen}' if seen else ''}; "
        f"built are {known}",
        code="unknown_architecture",
        hint="choose an instruct model of one of these families",
    )


def _is_unpacked(stored: object) -> bool:
    """Whether the worker can read such quantised files: mxfp4, as gpt-oss is published."""
    return (
        isinstance(stored, dict)
        and cast("dict[str, object]", stored).get("quant_method") == "mxfp4"
    )


def keeps_documents_apart(facts: BaseModelFacts, kernels: tuple[str, ...]) -> bool:
    """Whether packing is exact on a device with these libraries.

    Attention is kept inside each document by its mask. Layers with a state carry it over to the
    next document (measured: Qwen3-Next leaks silently when only position ids reset), unless
    their kernels are there, which take the documents' bounds.
    """
    needed = FAMILIES[facts.model_type].kernels
    return not facts.linear_attention_layers or (bool(needed) and set(needed) <= set(kernels))


def packing_kernels(facts: BaseModelFacts) -> tuple[str, ...]:
    """Libraries without which this model's documents cannot be packed; empty: no library helps."""
    return FAMILIES[facts.model_type].kernels if facts.linear_attention_layers else ()


def _refuse_incomplete(family: Family, fields: Fields, name: str) -> None:
    mixture, needed = family.mixture, [*NEEDED]
    if mixture is None:
        needed.append("intermediate_size")
    else:
        needed += [mixture.width, "num_experts_per_tok"]
        if len(mixture.layers(fields)) < integer(fields, "num_hidden_layers"):
            needed.append("intermediate_size")
    missing = [key for key in dict.fromkeys(needed) if not integer(fields, key)]
    if mixture is not None and not expert_count(fields):
        missing.append(EXPERT_KEYS[0])
    if missing:
        raise SpecError(
            f"{name}: its config.json lacks {', '.join(missing)}",
            code="unknown_architecture",
            hint="the folder's config.json is damaged; fetch the model again",
        )


def _count(
    family: Family, fields: Fields, stateful: frozenset[int]
) -> tuple[tuple[LinearFacts, ...], int]:
    """Linear layers of all blocks, and the parameters that are neither linear nor experts'."""
    hidden = integer(fields, "hidden_size")
    with_experts = family.mixture.layers(fields) if family.mixture else frozenset[int]()
    norm = hidden * (2 if family.norm_bias else 1)
    other = norm if family.final_norm else 0
    copies = Counter[LinearShape]()
    for layer in range(integer(fields, "num_hidden_layers")):
        mixer = family.stateful if family.stateful and layer in stateful else family.attention
        dense = family.feed_forward.part
        beside = family.mixture.beside if family.mixture and layer in with_experts else dense
        other += norm * family.norms
        for part in (mixer.part(fields), beside(fields)):
            copies.update(part.linears)
            other += part.other
    linears = tuple(
        LinearFacts(name=s.name, inputs=s.inputs, outputs=s.outputs, copies=n)
        for s, n in copies.items()
    )
    return linears, other


def _experts(family: Family, fields: Fields) -> ExpertFacts | None:
    mixture = family.mixture
    layers = len(mixture.layers(fields)) if mixture else 0
    if mixture is None or not layers:
        return None
    return ExpertFacts(
        count=expert_count(fields),
        active=integer(fields, "num_experts_per_tok"),
        layers=layers,
        hidden_size=integer(fields, "hidden_size"),
        intermediate_size=integer(fields, mixture.width),
    )


def _stateful_layers(family: Family, fields: Fields) -> frozenset[int]:
    """Layers that carry a state, by `layer_types`, else as the older configs say it."""
    if family.stateful is None:
        return frozenset()
    layers, kinds = integer(fields, "num_hidden_layers"), fields.get("layer_types")
    if isinstance(kinds, list):
        named = cast("list[object]", kinds)
        return frozenset(i for i, kind in enumerate(named) if kind == family.stateful.layer_type)
    attending = fields.get("full_attn_idxs")
    if isinstance(attending, list):
        return frozenset(range(layers)) - set(cast("list[int]", attending))
    interval = integer(fields, "full_attention_interval")
    return frozenset(i for i in range(layers) if interval and (i + 1) % interval)


def _window(family: Family, fields: Fields) -> int | None:
    """The sliding window of the layers that have one, where it is in use."""
    kinds = fields.get("layer_types")
    if isinstance(kinds, list) and "sliding_attention" not in cast("list[object]", kinds):
        return None
    if not (family.windowed or given(fields, "use_sliding_window")):
        return None
    return integer(fields, "sliding_window") or None

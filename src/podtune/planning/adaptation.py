"""What of a model is trained: which layers get an adapter, and how many parameters that is."""

from typing import Final, NamedTuple

from podtune.core.errors import SpecError
from podtune.core.plan import BaseModelFacts, LinearFacts
from podtune.core.spec import AdapterKind, AdapterSpec
from podtune.planning.adapter_targets import default_targets, expert_adapter_parameters

FEED_FORWARD: Final = ("gate_proj", "up_proj", "down_proj")
"""Names that peft 0.21 moves to the experts of a mixture, wherever they stand."""

HEAD_GATES: Final = ("in_proj_ba", "in_proj_b", "in_proj_a")
"""Layers with one or two outputs a head; any rank may be over their smaller side."""


class Adaptation(NamedTuple):
    """The trained part, as far as its size goes."""

    kind: AdapterKind
    rank: int = 16
    targets: tuple[str, ...] = ()
    """Names of the adapted layers; none where every weight is trained."""
    experts: bool = False
    dropout: float = 0.0


class Trained(NamedTuple):
    """Trainable parameters, and those of them that adapt experts."""

    total: int
    experts: int


def adaptation(spec: AdapterSpec, facts: BaseModelFacts, kind: AdapterKind) -> Adaptation:
    """The trained part a spec asks for.

    Raises:
        SpecError: a target that is no linear layer of the model, none at all, a rank over the
            smaller side of a target, or experts where there are none.
    """
    if kind == AdapterKind.FULL:
        return Adaptation(kind)
    if spec.experts and facts.experts is None:
        raise SpecError(
            f"adapter.experts: {facts.name} has no experts",
            code="no_experts",
            hint="leave it away; it is for mixtures of experts",
        )
    made = Adaptation(kind, spec.rank, layer_names(spec, facts), spec.experts, spec.dropout)
    _refuse_rank(facts, made)
    return made


def layer_names(spec: AdapterSpec, facts: BaseModelFacts) -> tuple[str, ...]:
    """Names of the linear layers that get an adapter, as the worker hands them to peft.

    `all-linear` is spelled out: peft would add the experts of a mixture to it. On a mixture the
    names of its feed-forward layers are left out, because peft takes them for the experts'.

    Raises:
        SpecError: a name that no linear layer has, or nothing left to adapt.
    """
    known = tuple(dict.fromkeys(shape.name for shape in facts.linears))
    if spec.target_modules == "all-linear":
        return known if facts.experts is None else mixers(facts)
    stated = tuple(dict.fromkeys(spec.target_modules))
    if facts.experts is not None and substituted(spec, facts):
        kept = tuple(name for name in stated if name not in FEED_FORWARD)
        stated = tuple(dict.fromkeys((*kept, *mixers(facts))))
    unknown = [name for name in stated if name not in known]
    if unknown:
        raise SpecError(
            f"adapter.target_modules: {', '.join(sorted(unknown))} is no linear layer of this model",
            hint=f"choose from {', '.join(sorted(known))}, or all-linear",
        )
    if not stated:
        raise SpecError("adapter.target_modules is empty", hint="leave it at all-linear")
    return stated


def mixers(facts: BaseModelFacts) -> tuple[str, ...]:
    """Layers of a mixture's attention and linear attention that are adapted by default."""
    there = tuple(dict.fromkeys(s.name for s in facts.linears if not _is_fed(s.name)))
    chosen = default_targets(facts.model_type)
    return there if chosen is None else tuple(name for name in there if name in chosen)


def substituted(spec: AdapterSpec, facts: BaseModelFacts) -> tuple[str, ...]:
    """Stated or implied feed-forward names that mean nothing on a mixture."""
    if facts.experts is None or spec.kind == AdapterKind.FULL:
        return ()
    if spec.target_modules == "all-linear":
        return FEED_FORWARD
    return tuple(name for name in spec.target_modules if name in FEED_FORWARD)


def adapted(facts: BaseModelFacts, what: Adaptation) -> tuple[LinearFacts, ...]:
    """The linear layers that get an adapter, experts apart."""
    names = set(what.targets)
    return tuple(shape for shape in facts.linears if shape.name in names)


def trained_parameters(facts: BaseModelFacts, what: Adaptation) -> Trained:
    """Count the trainable parameters.

    Each target of shape [out, in] gains A [rank, in] and B [out, rank], so rank * (in + out);
    DoRA adds a magnitude for each output.

    Source: Hu et al. 2021, arXiv 2106.09685, section 4.1; Liu et al. 2024, arXiv 2402.09353.
    """
    if what.kind == AdapterKind.FULL:
        return Trained(facts.total_parameters, facts.experts.parameters if facts.experts else 0)
    layers = adapted(facts, what)
    total = sum(what.rank * (s.inputs + s.outputs) * s.copies for s in layers)
    if what.kind == AdapterKind.DORA:
        total += sum(s.outputs * s.copies for s in layers)
    experts = expert_parameters(facts, what.rank) if what.experts else 0
    return Trained(total + experts, experts)


def expert_parameters(facts: BaseModelFacts, rank: int) -> int:
    """What adapting the experts adds or would add; 0 where there are none."""
    experts = facts.experts
    if experts is None:
        return 0
    return expert_adapter_parameters(
        experts=experts.count,
        hidden=experts.hidden_size,
        intermediate=experts.intermediate_size,
        layers=experts.layers,
        rank=rank,
    )


def _is_fed(name: str) -> bool:
    return name.rpartition(".")[2] in FEED_FORWARD


def _refuse_rank(facts: BaseModelFacts, what: Adaptation) -> None:
    sides = [min(s.inputs, s.outputs) for s in adapted(facts, what) if s.name not in HEAD_GATES]
    smallest = min(sides, default=what.rank)
    if what.rank > smallest:
        raise SpecError(
            f"adapter.rank {what.rank} is over the smallest side of a target ({smallest})"
        )

"""The part of the model that is trained: a low-rank adapter of any kind, or every weight."""

from typing import Any

import failures
from podtune.core.plan import Plan
from podtune.core.spec import AdapterKind


def attach(model: Any, plan: Plan) -> Any:
    """Make the planned part of a frozen base model trainable, in fp32.

    The adapter's first weights follow `training.seed`. What comes out is compared with the plan:
    a list of names that also matched experts would be found here.

    Raises:
        PlanMismatchError: the trainable parameters are not the plan's within 2 %.
    """
    from peft import get_peft_model
    from transformers import set_seed

    set_seed(plan.spec.training.seed)
    if plan.spec.adapter.kind == AdapterKind.FULL:
        adapted = model.requires_grad_(True)
    else:
        settings = configuration(plan)
        if plan.spec.adapter.experts:
            import expert_adapters

            settings = expert_adapters.configure(settings, model)
        adapted = get_peft_model(model, settings)
    refuse_off_plan("trainable parameters", trainable(adapted), plan.memory.adapter_parameters)
    return adapted


def configuration(plan: Plan) -> Any:
    """The planned adapter as a configuration of peft."""
    from peft import LoraConfig

    spec = plan.spec.adapter
    return LoraConfig(
        r=spec.rank,
        lora_alpha=_whole(spec.alpha),
        lora_dropout=spec.dropout,
        target_modules=list(plan.adapted_layers),  # never left to peft: it would add experts
        use_dora=spec.kind == AdapterKind.DORA,
        use_rslora=spec.kind == AdapterKind.RSLORA,
        bias="none",
        task_type="CAUSAL_LM",
    )


def trainable(model: Any) -> int:
    """Parameters that get a gradient."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def refuse_off_plan(what: str, found: int, planned: int, *, slack: int = 0) -> None:
    """Raise when a size differs from the plan's by more than 2 % (and `slack`, where given).

    Raises:
        PlanMismatchError: with both figures.
    """
    if abs(found - planned) > 0.02 * planned + slack:
        raise failures.PlanMismatchError(
            f"{what}: {found:,} loaded, {planned:,} planned",
            hint="this base model is built differently than its config.json says; choose another",
        )


def _whole(number: float) -> Any:
    """An integer where the number is one: adapter_config.json then says 32 and not 32.0."""
    return int(number) if number == int(number) else number

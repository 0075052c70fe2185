"""LoRA on the experts of a mixture, in peft's format, over experts packed in 4 bit.

peft adapts a fused expert parameter by `target_parameters`: A and B of all experts lie side by
side in two matrices (`ParamWrapper`). It adds their product to the whole unpacked parameter, which
for 512 experts is gigabytes a layer, kept for the backward pass. Over packed experts the class
below hands A and B to the forward pass instead (`expert_layers`), which multiplies rows with them.
What is saved is the same, so the adapter loads over a 16-bit base with plain peft too.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.lora.layer import ParamWrapper

import expert_layers
from podtune.core.errors import TrainingError

TARGET_PARAMETERS: Final = ("experts.gate_up_proj", "experts.down_proj")
"""The fused tensors, as peft's configuration names them."""


class PackedExpertLora(ParamWrapper):
    """peft's wrapper of one expert parameter, where that parameter is packed."""

    def _get_in_out_features(self, module: torch.nn.Module) -> tuple[int, int]:
        """Sizes of the unpacked parameter, in the order it is stored."""
        self.num_experts, first, second = self.get_param().quant_state.shape
        self._param_ndim = 3
        return first, second

    @contextmanager
    def _activate_lora(self, active_adapters: list[str]) -> Generator[None]:
        """Let the experts see the active adapter during their forward pass."""
        active = [name for name in active_adapters if name in self.lora_A]
        if len(active) > 1:
            raise NotImplementedError("one adapter at a time over packed experts")
        experts: Any = self.get_base_layer()
        if not active:
            yield
            return
        factors: dict[str, Any] = experts.__dict__.setdefault(expert_layers.FACTORS, {})
        factors[self.parameter_name] = self._factors(active[0])
        try:
            yield
        finally:
            del factors[self.parameter_name]

    def _factors(self, adapter: str) -> expert_layers.LowRank:
        """A [rank x experts, inputs] and B [outputs, rank x experts] as one matrix per expert.

        In A the experts follow one another; in B they alternate. That is peft's order.
        """
        layers: Any = self
        a, b = layers.lora_A[adapter].weight, layers.lora_B[adapter].weight
        down = a.view(layers.num_experts, -1, a.shape[1]).transpose(1, 2)
        up = b.view(b.shape[0], -1, layers.num_experts).permute(2, 1, 0).contiguous()
        return expert_layers.LowRank(down, up, self.scaling[adapter])

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refused: the sum would have to be quantised again.

        Raises:
            TrainingError: always.
        """
        raise TrainingError(
            "an adapter cannot be merged into experts in 4 bit",
            code="not_mergeable",
            hint="merge it over the base model in 16 bit",
        )


PackedExpertLora.__name__ = "ParamWrapper"
"""peft 0.21 tells its wrappers of parameters by this name when it nests one in another."""


def configure(config: LoraConfig, model: Any) -> LoraConfig:
    """Let a peft configuration adapt the experts of this model, packed or not.

    Args:
        config: Its dropout must be 0: peft cannot apply one to parameters.
        model: The base model.

    Raises:
        TrainingError: the model has no fused experts, the dropout is not 0, or DoRA is asked for.
    """
    if not _expert_modules(model):
        raise TrainingError(
            "this base model has no fused experts to adapt",
            code="no_experts",
            hint="leave adapter.experts off",
        )
    if config.lora_dropout:
        raise TrainingError(
            f"adapter.dropout is {config.lora_dropout:g}; on experts it must be 0",
            code="bad_spec",
            hint="--set adapter.dropout=0",
        )
    if config.use_dora:
        raise TrainingError(
            "DoRA is not possible on experts: peft knows it for linear layers only",
            code="bad_spec",
            hint="--set adapter.kind=lora (or qlora, rslora)",
        )
    config.target_parameters = list(TARGET_PARAMETERS)
    return over_packed_experts(config, model)


def over_packed_experts(config: LoraConfig, model: Any) -> LoraConfig:
    """Tell peft which class adapts packed experts; without such experts nothing changes."""
    packed = {
        type(module)
        for module in _expert_modules(model)
        if any(expert_layers.is_packed(p) for p in module.parameters(recurse=False))
    }
    if packed:
        config._register_custom_module(dict.fromkeys(packed, PackedExpertLora))
    return config


def load(model: Any, folder: Path) -> Any:
    """A saved adapter over a base model whose experts may be packed; frozen.

    The same as `PeftModel.from_pretrained` everywhere else.
    """
    config: Any = LoraConfig.from_pretrained(str(folder))
    return PeftModel.from_pretrained(
        model, str(folder), config=over_packed_experts(config, model), is_trainable=False
    )


def _expert_modules(model: Any) -> list[Any]:
    """Modules that hold fused experts, packed or 3-D."""
    return [
        module
        for module in model.modules()
        if hasattr(module, "num_experts")
        and hasattr(module, "has_gate")
        and any(p.ndim == 3 or expert_layers.is_packed(p) for p in module.parameters(recurse=False))
    ]

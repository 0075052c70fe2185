"""How many bytes a model's weights take in truth, and whether they are in the promised bits."""

from collections.abc import Iterator
from typing import Any, Final

import torch

import failures

STATE_TENSORS: Final = ("absmax", "code", "offset")
"""Tensors of a quantisation state; a nested state holds the same ones again."""

SMALL_OUTPUTS: Final = 1
"""A linear layer with so few outputs is a gate and stays as it is."""


def stored_bytes(model: Any) -> int:
    """Bytes of all parameters and buffers with their quantisation states, each counted once.

    Tied weights and tables that quantisation states share are one tensor. On the meta device
    nothing is stored.
    """
    held = {
        (tensor.data_ptr(), tensor.numel()): tensor.numel() * tensor.element_size()
        for tensor in _tensors(model)
        if tensor.device.type != "meta" and tensor.numel()
    }
    return sum(held.values())


def refuse_unquantised(model: Any, bits: int) -> None:
    """Raise when a large weight is not held in the promised bits.

    Large are the weights of linear layers and every parameter with three or more axes. What may
    stay: embeddings, output head, norms, routers, convolutions, gates, and the adapter.

    Args:
        model: As loaded, adapted or not.
        bits: 4 or 8; with 16 and 32 nothing was promised.

    Raises:
        PlanMismatchError: naming the first such weight.
    """
    if bits not in (4, 8):
        return
    promised = promised_parameters(model)
    loose = [name for name, parameter in promised if held_bits(parameter) != bits]
    if loose:
        raise failures.PlanMismatchError(
            f"{len(loose)} of {len(promised)} large weights are not in {bits} bit, "
            f"the first is {loose[0]}",
            code="not_quantised",
            hint="plan again with --set adapter.bits=16, or take another base model",
        )


def promised_parameters(model: Any) -> list[tuple[str, Any]]:
    """Name and parameter of every weight that quantisation is promised for."""
    head = model.get_output_embeddings()
    found: list[tuple[str, Any]] = []
    for path, module in model.named_modules():
        if module is head or _is_kept(path, module):
            continue
        for name, parameter in module.named_parameters(recurse=False):
            if _is_large(module, name, parameter):
                found.append((f"{path}.{name}", parameter))
    return found


def held_bits(parameter: Any) -> int:
    """4, 8, 16 or 32: how a weight is stored."""
    if parameter.dtype == torch.uint8 and getattr(parameter, "quant_state", None) is not None:
        return 4
    return parameter.element_size() * 8


def _is_kept(path: str, module: Any) -> bool:
    if any(part.startswith("lora_") for part in path.split(".")):
        return True
    if isinstance(module, torch.nn.Embedding | torch.nn.modules.conv._ConvNd):
        return True
    return isinstance(module, torch.nn.Linear) and module.out_features <= SMALL_OUTPUTS


def _is_large(module: Any, name: str, parameter: Any) -> bool:
    if getattr(parameter, "quant_state", None) is not None or parameter.ndim >= 3:
        return True
    return isinstance(module, torch.nn.Linear) and name == "weight"


def _tensors(model: Any) -> Iterator[torch.Tensor]:
    for parameter in model.parameters():
        yield parameter.data
        yield from _state(getattr(parameter, "quant_state", None))
        yield from _scales(parameter)
    yield from model.buffers()
    for module in model.modules():
        yield from _scales(getattr(module, "state", None))


def _state(state: Any) -> Iterator[torch.Tensor]:
    if state is None:
        return
    for name in STATE_TENSORS:
        tensor = getattr(state, name, None)
        if isinstance(tensor, torch.Tensor):
            yield tensor
    yield from _state(getattr(state, "state2", None))


def _scales(holder: Any) -> Iterator[torch.Tensor]:
    """An 8-bit weight's scale per row, on the weight or, once used, in the layer's state."""
    scales = getattr(holder, "SCB", None)
    if isinstance(scales, torch.Tensor):
        yield scales

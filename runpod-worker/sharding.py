"""Spreads a frozen base model over several devices (FSDP2), where one device cannot hold it.

The decoder layers, where nearly all weights are, are sharded with torch's own `fully_shard`: each
device holds its part and gathers one layer at a time. Embeddings, the last norm, the head and the
adapter stay whole on every device: they are small, and everything that looks at them (the loss on
trained positions, generation, saving an adapter, its optimizer, resuming) works as on one device.
The adapter's gradients are averaged by DDP, as without sharding.

Not by accelerate's FSDP plugin: it is ignored on a CPU without a word, so it could not be tested
here, and it shards the adapter and its optimizer too, which only makes them harder to save.
"""

from typing import Any

import torch

from podtune.core.errors import UnsupportedError
from podtune.core.spec import AdapterKind, TrainingSpec


def refuse_unshardable(spec: TrainingSpec) -> None:
    """Raise where a training cannot be spread.

    Raises:
        UnsupportedError: quantised weights come in blocks that do not follow the layers' rows;
            DoRA reads whole weights when it is attached; `full` has no frozen base.
    """
    kind, bits = spec.adapter.kind, spec.adapter.bits
    problem = None
    if bits in (4, 8):
        problem = f"a base in {bits} bits"
    elif kind in (AdapterKind.DORA, AdapterKind.FULL):
        problem = f"adapter.kind {kind}"
    if problem:
        raise UnsupportedError(
            f"training.sharding fsdp is not built for {problem}",
            code="not_built",
            hint="use --set training.sharding=ddp with devices that hold the whole model, or "
            "adapter.kind lora with 16 bits",
        )


def mesh(device: str) -> Any:
    """All processes of the training in a row; every process asks for it at the same time."""
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh(torch.device(device).type, (torch.distributed.get_world_size(),))


def spread(model: Any, device: str, over: Any) -> Any:
    """Shard the layers of a base model over all processes, and move the rest to the device.

    Args:
        model: A causal language model, frozen, in this process's memory and without an adapter:
            an adapter attached afterwards stays whole. Every process has the same weights.
        device: This process's own device, such as `cuda:1`.
        over: As `mesh` gives it.

    Returns:
        The same model. Every process has to take part in each of its passes from now on.
    """
    from torch.distributed.fsdp import fully_shard

    decoder = model.get_decoder()
    layers = _layers(model, decoder)
    for layer in layers:
        fully_shard(layer, mesh=over)
    inside = {id(p) for layer in layers for p in layer.parameters()}
    whole = {p for p in decoder.parameters() if id(p) not in inside}
    fully_shard(decoder, mesh=over, ignored_params=whole)
    for tensor in [*model.parameters(), *model.buffers()]:
        if not is_sharded(tensor):
            tensor.data = tensor.data.to(device)
    return model


def is_sharded(tensor: Any) -> bool:
    """Whether a weight is one of those of which every process holds a part."""
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def is_spread(model: Any) -> bool:
    """Whether a model went through `spread`."""
    return any(is_sharded(parameter) for parameter in model.parameters())


def replicated(model: Any) -> Any:
    """A spread model whose adapter is kept equal in all processes, for training.

    What accelerate does for a model that is not spread; it refuses one that is.
    """
    parallel = torch.nn.parallel.DistributedDataParallel
    spread_over = [name for name, p in model.named_parameters() if is_sharded(p)]
    parallel._set_params_and_buffers_to_ignore_for_model(model, spread_over)
    device = next(p.device for p in model.parameters() if p.requires_grad)
    ids = [device.index] if device.type == "cuda" else None
    return parallel(model, device_ids=ids, find_unused_parameters=False, broadcast_buffers=False)


def _layers(model: Any, decoder: Any) -> list[Any]:
    """The decoder's blocks: the modules that transformers keeps on one device each.

    Raises:
        UnsupportedError: the model names none.
    """
    names: set[str] = set(getattr(model, "_no_split_modules", None) or ())
    layers = [module for module in decoder.modules() if type(module).__name__ in names]
    inner = {id(m) for layer in layers for m in layer.modules() if m is not layer}
    outermost = [layer for layer in layers if id(layer) not in inner]
    if not outermost:
        raise UnsupportedError(
            f"training.sharding fsdp does not know the layers of {type(model).__name__}",
            code="not_built",
            hint="use --set training.sharding=ddp with devices that hold the whole model",
        )
    return outermost

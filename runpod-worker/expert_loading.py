"""Experts on their way from a checkpoint into 4 bit, one at a time.

transformers merges a checkpoint's per-expert tensors into one fused parameter a layer. The
converters here take the place of its own (`HfQuantizer.update_weight_conversions`): each expert is
read, quantised and freed, so that a fused tensor never exists in 16 bit. Where the checkpoint is
fused already, one such tensor exists at a time. Checkpoints in mxfp4 are unpacked expert by expert.

transformers skips its own check of shapes for quantised parameters; the checks are made here.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers.core_model_loading import (
    Concatenate,
    ConversionOps,
    MergeModulelist,
    WeightConverter,
)
from transformers.integrations.mxfp4 import convert_moe_packed_tensors
from transformers.quantizers.quantizers_utils import get_module_from_name

import expert_layers
from checkpoint_format import incomplete, misshapen


def is_expert_parameter(module: Any, name: str) -> bool:
    """Whether this is a fused expert tensor [experts, ., .] (a convolution's weight is 3-D too)."""
    parameter = getattr(module, name, None)
    return (
        isinstance(parameter, torch.nn.Parameter)
        and parameter.ndim == 3
        and hasattr(module, "num_experts")
        and hasattr(module, "has_gate")
    )


def expert_parameters(model: Any) -> dict[str, Any]:
    """Full name -> fused expert parameter, of a model that is not quantised."""
    return {
        f"{path}.{name}": parameter
        for path, module in model.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
        if is_expert_parameter(module, name)
    }


def converters(stock: Sequence[Any], model: Any, *, mxfp4: bool) -> list[Any]:
    """The stock converters for this model, with ours for whatever gives expert tensors.

    Args:
        stock: As transformers has them for the model's type.
        model: On the meta device.
        mxfp4: The checkpoint holds blocks and scales instead of weights.
    """
    targets = sorted({_suffix(name) for name in expert_parameters(model)})
    ours = [_ours(converter, targets) for converter in stock]
    for target in targets:
        sources = [f"{target}_blocks", f"{target}_scales"] if mxfp4 else [target]
        kind = Mxfp4Experts if mxfp4 else FusedExperts
        ours.append(kind(sources, [target], operations=[_AsItIs()]))
    return ours


class ExpertConverter(WeightConverter):
    """Collects the tensors of one fused parameter and packs them; remembers what they were called."""

    __slots__ = ("names",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """As transformers' converter."""
        super().__init__(*arguments, **options)
        self.names: dict[str, list[str]] = {}

    def add_tensor(
        self, target_key: str, source_key: str, source_pattern: str, future: Any
    ) -> None:
        """Take one tensor of the checkpoint (a function that reads it)."""
        super().add_tensor(target_key, source_key, source_pattern, future)
        self.names.setdefault(source_pattern, []).append(source_key)

    def convert(
        self,
        layer_name: str,
        model: Any = None,
        config: Any = None,
        hf_quantizer: Any = None,
        loading_info: Any = None,
    ) -> dict[str, torch.nn.Parameter]:
        """The packed parameter, under its full name.

        Raises:
            TrainingError: a tensor is missing or has another shape than the model's.
        """
        module, name = get_module_from_name(model, layer_name)
        shape = tuple(getattr(module, name).shape)
        compute = hf_quantizer.quantization_config.bnb_4bit_compute_dtype
        pieces = self.pieces(layer_name, shape, {"model": model, "config": config})
        return {layer_name: expert_layers.pack(pieces, shape, compute)}

    def pieces(
        self, layer_name: str, shape: tuple[int, ...], context: dict[str, Any]
    ) -> Iterator[torch.Tensor]:
        """The parameter's elements in order, in pieces that may be freed."""
        raise NotImplementedError


class SeparateExperts(ExpertConverter):
    """A checkpoint with one tensor per expert and projection: read, quantise, free."""

    __slots__ = ()

    def pieces(
        self, layer_name: str, shape: tuple[int, ...], context: dict[str, Any]
    ) -> Iterator[torch.Tensor]:
        """Expert by expert; the projections of one expert lie on one another (gate, then up)."""
        self._refuse_missing(layer_name, shape[0])
        readers: list[Any] = [
            self.collected_tensors.pop(pattern) for pattern in self.source_patterns
        ]
        names = [self.names[pattern] for pattern in self.source_patterns]
        wanted = (shape[1] // len(readers), *shape[2:])
        for expert in range(shape[0]):
            for column, name in zip(readers, names, strict=True):
                tensor = column[expert]()
                column[expert] = None
                _refuse_shape(name[expert], tuple(tensor.shape), wanted)
                yield tensor

    def _refuse_missing(self, layer_name: str, experts: int) -> None:
        for pattern in self.source_patterns:
            there = self.names.get(pattern, [])
            if not there:
                ending = pattern[pattern.rfind("*") :]
                raise incomplete(
                    f"{layer_name.rpartition('.')[0]}.{ending}", f"none of {experts} experts has it"
                )
            held = set(there)
            wanted = [_numbered(there[0], expert) for expert in range(experts)]
            missing = [name for name in wanted if name not in held]
            if missing:
                raise incomplete(missing[0], f"{len(missing)} of {experts} experts lack it")
            if len(there) != experts:
                raise incomplete(there[-1], f"{len(there)} experts are there, not {experts}")


class FusedExperts(ExpertConverter):
    """A checkpoint whose tensor is fused already, or becomes so by other operations."""

    __slots__ = ()

    def pieces(
        self, layer_name: str, shape: tuple[int, ...], context: dict[str, Any]
    ) -> Iterator[torch.Tensor]:
        """The whole tensor, expert by expert."""
        source = next(iter(self.names.values()))[0]
        made: Any = super(ExpertConverter, self).convert(layer_name, **context)
        fused = next(iter(made.values()))
        whole = fused[0] if isinstance(fused, list) else fused
        _refuse_shape(source, tuple(whole.shape), shape)
        yield from whole


class Mxfp4Experts(ExpertConverter):
    """A checkpoint in mxfp4: 4-bit blocks [experts, outputs, groups, 16] and a scale per group.

    Source: OCP Microscaling Formats (MX) 1.0, section 5; transformers 5.23 unpacks them.
    """

    __slots__ = ()

    def pieces(
        self, layer_name: str, shape: tuple[int, ...], context: dict[str, Any]
    ) -> Iterator[torch.Tensor]:
        """Unpacked expert by expert, [inputs, outputs] each."""
        for pattern in self.source_patterns:
            if pattern not in self.names:
                ending = pattern.rpartition(".")[2]
                raise incomplete(f"{layer_name.rpartition('.')[0]}.{ending}", "it is not there")
        compute = getattr(*get_module_from_name(context["model"], layer_name)).dtype
        # They were cast to the model's precision on reading, which holds every byte exactly.
        readers: list[Any] = [self.collected_tensors.pop(p)[0] for p in self.source_patterns]
        blocks, scales = (read().to(torch.uint8) for read in readers)
        unpacked = (shape[0], shape[2], shape[1])
        stored = (*blocks.shape[:-2], blocks.shape[-2] * blocks.shape[-1] * 2)
        _refuse_shape(self.names[self.source_patterns[0]][0], stored, unpacked)
        _refuse_shape(self.names[self.source_patterns[1]][0], scales.shape, blocks.shape[:-1])
        for expert in range(shape[0]):
            part = slice(expert, expert + 1)
            yield convert_moe_packed_tensors(blocks[part], scales[part], dtype=compute)


class _AsItIs(ConversionOps):
    """A tensor that is already what the model wants."""

    def convert(self, input_dict: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return input_dict

    @property
    def reverse_op(self) -> ConversionOps:
        return self


def _ours(converter: Any, targets: Sequence[str]) -> Any:
    """A stock converter, or ours in its place when it makes expert tensors."""
    if not isinstance(converter, WeightConverter) or len(converter.target_patterns) != 1:
        return converter
    made = converter.target_patterns[0].lstrip(".")
    if not any(target.endswith(made) or made.endswith(target) for target in targets):
        return converter
    kind = SeparateExperts if _merges_experts(converter.operations) else FusedExperts
    ours = kind(
        list(converter._original_source_patterns),
        list(converter._original_target_patterns),
        operations=list(converter.operations),
    )
    ours.scope_prefix, ours.base_model_prefix = converter.scope_prefix, converter.base_model_prefix
    return ours


def _merges_experts(operations: Sequence[Any]) -> bool:
    """Whether one tensor per expert is stacked, and the projections of each laid on one another."""
    kinds = [type(operation) for operation in operations]
    if kinds not in ([MergeModulelist], [MergeModulelist, Concatenate]):
        return False
    return operations[0].dim == 0 and all(operation.dim == 1 for operation in operations[1:])


def _suffix(name: str) -> str:
    """`model.layers.3.mlp.experts.down_proj` -> `mlp.experts.down_proj`."""
    return re.sub(r"^.*\.\d+\.", "", name)


def _numbered(name: str, expert: int) -> str:
    """A checkpoint's name of one expert's tensor, of another expert: its last number is replaced."""
    parts = name.split(".")
    last = max(at for at, part in enumerate(parts) if part.isdigit())
    return ".".join([*parts[:last], str(expert), *parts[last + 1 :]])


def _refuse_shape(name: str, found: Sequence[int], wanted: Sequence[int]) -> None:
    if tuple(found) != tuple(wanted):
        raise misshapen(name, found, wanted)

"""Base models in 4 or 8 bit, fused experts included, through transformers' own extension points.

4 bit is nf4 with double quantisation: bitsandbytes for linear layers, `expert_layers` for experts.
Embeddings, output head, norms, routers and convolutions stay in the training's precision. Weights
are quantised on the device they stay on; nothing is moved afterwards, because quantisation states
do not follow a parameter that moves.
"""

import logging
from typing import Any, Final

import bitsandbytes as bnb
import torch
from transformers import BitsAndBytesConfig
from transformers.integrations.bitsandbytes import Bnb4bitQuantize
from transformers.pytorch_utils import Conv1D
from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.quantizers.base import HfQuantizer
from transformers.quantizers.quantizer_bnb_4bit import Bnb4BitHfQuantizer
from transformers.quantizers.quantizers_utils import get_module_from_name

import expert_layers
import expert_loading
from checkpoint_format import DTYPES, already_quantised, misshapen, stored_method
from podtune.core.errors import TrainingError

NAME: Final = "nf4_with_experts"
"""Our quantisation method, as transformers knows it."""

KEPT: Final = ("lm_head", "shared_expert_gate")
"""Linear layers that are never quantised: the output head, and gates with one output."""


@register_quantization_config(NAME)
class Nf4Config(BitsAndBytesConfig):
    """nf4 with double quantisation for linear layers and fused experts.

    Args:
        compute: Precision of what is unpacked.
        mxfp4: The checkpoint's experts are in mxfp4 and are unpacked on the way in.
    """

    def __init__(
        self, compute: torch.dtype = torch.bfloat16, *, mxfp4: bool = False, **_: Any
    ) -> None:
        super().__init__(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute,
            llm_int8_skip_modules=list(KEPT),
        )
        self.quant_method = NAME
        self.mxfp4 = mxfp4


class QuantiseLinear(Bnb4bitQuantize):
    """The weight of a linear layer into 4 bit, as bitsandbytes does, but in bounded memory."""

    def convert(
        self,
        input_dict: dict[str, Any],
        full_layer_name: str | None = None,
        model: Any = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Quantised weights by their names."""
        compute = self.hf_quantizer.quantization_config.bnb_4bit_compute_dtype
        parameter: Any = bnb.nn.Params4bit
        made: dict[str, Any] = {}
        for name, value in input_dict.items():
            module: Any = get_module_from_name(model, name)[0]
            weight = value[0] if isinstance(value, list) else value
            if issubclass(module.source_cls, Conv1D):  # stored the other way round
                weight = weight.T
            packed: Any = expert_layers.pack([weight], weight.shape, compute)
            made[name] = parameter(
                packed.data,
                quant_state=packed.quant_state,
                blocksize=expert_layers.BLOCK,
                compress_statistics=True,
                quant_type="nf4",
                module=module,
                bnb_quantized=True,
            )
            module.quant_state = packed.quant_state
        return made


@register_quantizer(NAME)
class Nf4Quantizer(Bnb4BitHfQuantizer):
    """bitsandbytes' 4-bit loading, taught about fused experts."""

    def param_needs_quantization(self, model: Any, param_name: str, **_: Any) -> bool:
        """Whether a parameter is the weight of a quantised linear layer or a fused expert tensor."""
        if super().param_needs_quantization(model, param_name):
            return True
        return expert_loading.is_expert_parameter(*get_module_from_name(model, param_name))

    def get_quantize_ops(self) -> Any:
        """What quantises linear layers; experts have converters of their own."""
        return QuantiseLinear(self)

    def update_weight_conversions(self, weight_conversions: Any, model: Any) -> Any:
        """Experts go through `expert_loading`."""
        stock = super().update_weight_conversions(weight_conversions, model)
        return expert_loading.converters(stock, model, mxfp4=self.quantization_config.mxfp4)

    @staticmethod
    def get_modules_to_not_convert(
        model: Any, skip_modules: Any = None, keep_in_fp32_modules: Any = None, **_: Any
    ) -> list[str]:
        """Ours and whatever transformers finds to be the output head."""
        return HfQuantizer.get_modules_to_not_convert(
            model, skip_modules, keep_in_fp32_modules, add_default_skips=True
        )

    def _process_model_before_weight_loading(
        self, model: Any, device_map: Any, **options: Any
    ) -> None:
        super()._process_model_before_weight_loading(model, device_map, **options)
        if "cpu" in device_map.values():
            _refuse_broken_rows(model)

    def _process_model_after_weight_loading(self, model: Any, **options: Any) -> Any:
        model = super()._process_model_after_weight_loading(model, **options)
        for module in model.modules():
            if isinstance(module, bnb.nn.Linear4bit):
                # Else the first answer on a CPU with AVX512-BF16 repacks the weights for good, with
                # coarser scales, and no gradient passes through them any more (0.50.2).
                module.support_avx512bf16_for_cpu = False
        if any(expert_layers.is_packed(p) for p in model.parameters()):
            model.set_experts_implementation(expert_layers.NAME)
        return model


def configuration(config: Any, precision: str, bits: int) -> Any:
    """What `from_pretrained` is told as `quantization_config` for a base model in 4 or 8 bit.

    Args:
        config: The checkpoint's; experts stored in mxfp4 are taken note of and out of it, because
            transformers refuses to quantise what says it is quantised.
        precision: `fp32`, `bf16` or `fp16`: of what is not quantised, and of the arithmetic.
        bits: 4 or 8.

    Raises:
        TrainingError: the checkpoint's own quantisation cannot be undone on the way in.
    """
    stored = stored_method(config)
    if stored not in ((None, "mxfp4") if bits == 4 else (None,)):
        raise already_quantised(stored)
    if stored:
        del config.quantization_config
    if bits == 4:
        chosen: Any = Nf4Config
        return chosen(DTYPES[precision], mxfp4=stored is not None)
    logging.getLogger(INT8_LOGGER).addFilter(_without_casts)
    return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=list(KEPT))


def refuse_unfit(model: Any, bits: int) -> None:
    """Raise when a loaded model's quantised weights are not what its layers need.

    A quantised weight may have another shape than its layer (transformers does not look), and
    bitsandbytes leaves fused experts in 16 bit when it was asked for 8.

    Raises:
        TrainingError: naming the weight, or with the way out.
    """
    for name, module in model.named_modules():
        if isinstance(module, bnb.nn.Linear4bit | bnb.nn.Linear8bitLt):
            weight: Any = module.weight
            state = getattr(weight, "quant_state", None)
            found = tuple(weight.shape if state is None else state.shape)
            wanted = (module.out_features, module.in_features)
            if found != wanted:
                raise misshapen(f"{name}.weight", found, wanted)
    if bits == 8 and expert_loading.expert_parameters(model):
        raise TrainingError(
            "fused experts cannot be held in 8 bit",
            code="not_quantised",
            hint="plan again with --set adapter.bits=4 (or 16 where the memory holds it)",
        )


INT8_LOGGER: Final = "bitsandbytes.autograd._functions"


def _without_casts(record: logging.LogRecord) -> bool:
    """Drops what bitsandbytes says at every 8-bit product of every step: inputs become fp16."""
    return "inputs will be cast" not in str(record.msg)


def _refuse_broken_rows(model: Any) -> None:
    for name, module in model.named_modules():
        if isinstance(module, bnb.nn.Linear4bit) and module.in_features % expert_layers.BLOCK:
            raise TrainingError(
                f"{name} has {module.in_features} inputs, no multiple of {expert_layers.BLOCK}; "
                f"on a CPU bitsandbytes {bnb.__version__} unpacks such layers wrongly",
                code="not_quantised",
                hint="plan again with --set adapter.bits=16",
            )

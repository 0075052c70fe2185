"""A tiny random Llama with a byte-level tokenizer and a ChatML template: trains in seconds."""

import json
from pathlib import Path

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
EOS = "<|im_end|>"


def make_tokenizer(folder: Path) -> None:
    """Byte-level BPE of 300 tokens with ChatML's special tokens, and its template."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["how do I reset my grinder? hold the button."] * 4, trainer)
    special = [AddedToken(t, special=True, normalized=False) for t in ("<|im_start|>", EOS)]
    tokenizer.add_special_tokens(special)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(CHATML, encoding="utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": EOS, "pad_token": EOS}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    stop = {"eos_token_id": tokenizer.token_to_id(EOS)}
    (folder / "generation_config.json").write_text(json.dumps(stop), encoding="utf-8")


def make(folder: Path, *, hidden: int = 64, layers: int = 2) -> Path:
    """The whole model folder, weights drawn with a fixed seed."""
    import torch
    from tokenizers import Tokenizer
    from transformers import LlamaConfig, LlamaForCausalLM

    make_tokenizer(folder)
    vocab = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    torch.manual_seed(7)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocab,
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            eos_token_id=vocab - 1,
            pad_token_id=vocab - 1,
            bos_token_id=None,
        )
    )
    # The tokenizer's own generation_config.json names the stop token; keep it.
    stop = (folder / "generation_config.json").read_text(encoding="utf-8")
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_text(stop, encoding="utf-8")
    return folder


def write_rows(path: Path, count: int = 24) -> Path:
    """A messages file of short, different chats."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"how do I reset grinder {n}?"},
                {"role": "assistant", "content": f"hold button {n} for {n + 3} seconds."},
            ]
        }
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_pairs(path: Path, count: int = 16) -> Path:
    """Preference pairs: the better answer names the button, the worse one does not."""
    rows = [
        {
            "prompt": [{"role": "user", "content": f"how do I reset grinder {n}?"}],
            "chosen": [{"role": "assistant", "content": f"hold button {n} for {n + 3} seconds."}],
            "rejected": [{"role": "assistant", "content": f"no idea, ask somebody else {n}."}],
        }
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_rated(path: Path, count: int = 16) -> Path:
    """Answers that are good or bad by themselves."""
    rows = [
        {
            "prompt": f"how do I reset grinder {n}?",
            "completion": f"hold button {n}." if n % 2 else f"no idea about {n}.",
            "label": bool(n % 2),
        }
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_texts(path: Path, count: int = 16) -> Path:
    """Plain texts, one a line."""
    rows = [
        {"text": f"To reset grinder {n}, hold button {n} for {n + 3} seconds. " * (1 + n % 3)}
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path

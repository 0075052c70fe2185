"""A tiny random model with an adapter, rows of every method, and our trainer over them."""

from pathlib import Path

from podtune.data.masks import IGNORED, Example
from podtune.data.preferences import Pair, Rated

VOCABULARY = 97


def model(
    *, spread_on=None, dropout=0.0, checkpointing=False, tied=True, dtype="float32", full=False
):
    """A Llama of three layers with LoRA, the same in every process."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    import document_attention
    import sharding

    document_attention.register()
    torch.manual_seed(0)
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=tied,
            attn_implementation=document_attention.NAME,
        )
    )
    base = base.to(getattr(torch, dtype)).requires_grad_(full)
    if full:
        return base
    if spread_on:
        sharding.spread(base, spread_on, sharding.mesh(spread_on))
    torch.manual_seed(1)
    adapted = get_peft_model(
        base,
        LoraConfig(
            r=4,
            target_modules=["q_proj", "v_proj", "down_proj"],
            task_type="CAUSAL_LM",
            lora_dropout=dropout,
            init_lora_weights=False,
        ),
    )
    if checkpointing:
        adapted.activation_checkpointing_enable(
            activation_checkpointing_kwargs={"use_reentrant": False}
        )
    return adapted


def example(generator, length, number):
    """A document of random tokens, its second half trained."""
    import torch

    ids = torch.randint(0, VOCABULARY, (length,), generator=generator).tolist()
    return Example(tuple(ids), (*[IGNORED] * (length // 2), *ids[length // 2 :]), number)


def rows(method, count):
    """Rows of different lengths for a method; most hold two units."""
    import torch

    import packed_rows
    import preference_rows

    generator = torch.Generator().manual_seed(5)
    lengths = [6 + (7 * n) % 23 for n in range(2 * count - 1)]
    packing = [[2 * n, 2 * n + 1] for n in range(count - 1)] + [[2 * count - 2]]
    documents = [example(generator, length, n) for n, length in enumerate(lengths)]
    if method == "sft":
        return packed_rows.lay_out(documents, packing)
    others = [example(generator, 1 + length, n) for n, length in enumerate(lengths)]
    if method == "kto":
        rated = [Rated(d, n % 3 != 0, n) for n, d in enumerate(documents)]
        return preference_rows.lay_out_rated(rated, packing)
    pairs = [Pair(c, r, n) for n, (c, r) in enumerate(zip(documents, others, strict=True))]
    return preference_rows.lay_out_pairs(pairs, packing)


def trainer(
    model, method, rows, folder: Path, *, accumulation=1, micro_batch=1, apart=False, **more
):
    """Our trainer of a method; every step is logged."""
    from transformers import PrinterCallback, TrainingArguments

    import packed_trainer
    import preference_trainer

    kinds = {"sft": packed_trainer.PackedTrainer, **preference_trainer.TRAINERS}
    options = {} if method == "sft" else {"beta": 0.1}
    made = kinds[method](
        model=model,
        args=TrainingArguments(
            output_dir=str(folder / "checkpoints"),
            num_train_epochs=2,
            per_device_train_batch_size=micro_batch,
            gradient_accumulation_steps=accumulation,
            learning_rate=1e-3,
            weight_decay=0.0,
            use_cpu=True,
            seed=11,
            logging_steps=1,
            eval_strategy="epoch",
            save_strategy="steps",
            save_steps=3,
            ddp_find_unused_parameters=False,
            ddp_broadcast_buffers=False,
            remove_unused_columns=False,
            disable_tqdm=True,
            report_to="none",
            dataloader_pin_memory=False,
            **more,
        ),
        train_dataset=rows,
        eval_dataset=rows[:3],
        apart=apart,
        **options,
    )
    made.remove_callback(PrinterCallback)
    return made


def adapter(model):
    """The adapter's weights by name."""
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}

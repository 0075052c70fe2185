"""TRL's SFTTrainer at its best on a CPU: packing, no checkpointing, fp32, assistant tokens only."""

import tempfile

import setting


def main() -> None:
    length = setting.option("length", 1024, "tokens of a packed row")
    chats = setting.chats()
    setting.quiet()
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [{"input_ids": c.input_ids, "labels": c.labels} for c in chats]
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=setting.base("sdpa"),
            args=setting.arguments(
                SFTConfig, folder, packing=True, packing_strategy="bfd", max_length=length,
                gradient_checkpointing=False, bf16=False, eos_token="w1",
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=setting.tokenizer(),
            peft_config=setting.lora(),
        )  # fmt: skip
        useful = sum(len(c.input_ids) for c in chats)
        rows_packed = len(trainer.train_dataset)
        setting.measure(
            lambda: trainer.train().training_loss, useful, rows=rows_packed, length=length
        )


if __name__ == "__main__":
    main()

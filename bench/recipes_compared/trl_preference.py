"""TRL's DPOTrainer: padded batches, no checkpointing, fp32, the reference by disabling the adapter."""

import tempfile

import setting


def main() -> None:
    batch = setting.option("batch", 8, "pairs in one batch")
    pairs = setting.pairs()
    setting.quiet()
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    rows = []
    for pair in pairs:
        prompt = pair.chosen.labels.count(-100)
        rows.append(
            {
                "prompt_ids": pair.chosen.input_ids[:prompt],
                "chosen_ids": pair.chosen.input_ids[prompt:],
                "rejected_ids": pair.rejected.input_ids[prompt:],
            }
        )
    words = [{"prompt": "w5", "chosen": "w6", "rejected": "w7"}]
    with tempfile.TemporaryDirectory() as folder:
        trainer = DPOTrainer(
            model=setting.base("sdpa"),
            args=setting.arguments(
                DPOConfig, folder, per_device_train_batch_size=batch, beta=setting.BETA,
                gradient_checkpointing=False, bf16=False, max_length=None,
                remove_unused_columns=False,
            ),
            train_dataset=Dataset.from_list(words),
            processing_class=setting.tokenizer(),
            peft_config=setting.lora(),
        )  # fmt: skip
        trainer.train_dataset = rows  # tokenised already
        trainer.data_collator = DataCollatorForPreference(pad_token_id=0)
        useful = sum(len(d.input_ids) for p in pairs for d in (p.chosen, p.rejected))
        setting.measure(lambda: trainer.train().training_loss, useful, batch=batch)


if __name__ == "__main__":
    main()

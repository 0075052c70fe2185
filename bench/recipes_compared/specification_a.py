"""Specification A's recipe: every chat padded to 2,048, all its tokens trained, batch 2 x 8.

As its script does: the tokenizer pads with eos, `DataCollatorForLanguageModeling` masks what is
padding in the labels (and the true eos with it), transformers' Trainer. On 24 chats by default:
on all of them it takes minutes.
"""

import tempfile

import setting

LENGTH = 2048


def main() -> None:
    chats = setting.chats(setting.option("chats", 24, "chats of the 192"))
    setting.quiet()
    from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

    tokenizer = setting.tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    rows = []
    for chat in chats:
        padding = LENGTH - len(chat.input_ids)
        ids = [*chat.input_ids, *[setting.EOS] * padding]
        mask = [1] * len(chat.input_ids) + [0] * padding
        rows.append({"input_ids": ids, "attention_mask": mask})
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=setting.adapted("sdpa"),
            args=setting.arguments(
                TrainingArguments, folder,
                per_device_train_batch_size=2, gradient_accumulation_steps=8,
            ),
            train_dataset=rows,
            data_collator=DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm=False),
        )  # fmt: skip
        useful = sum(len(chat.input_ids) for chat in chats)
        setting.measure(lambda: trainer.train().training_loss, useful, chats=len(chats))


if __name__ == "__main__":
    main()

"""Ours: packed rows, attention inside each chat, head on trained positions, transformers' Trainer."""

import tempfile

import setting


def main() -> None:
    length = setting.option("length", 2048, "tokens of a packed row")
    chats = setting.chats()
    setting.quiet()
    from transformers import PrinterCallback, TrainingArguments

    import document_attention
    from packed_trainer import PackedTrainer, lay_out
    from podtune.data.packing import best_fit_decreasing

    document_attention.register()
    rows = lay_out(chats, best_fit_decreasing([len(c.input_ids) for c in chats], length))
    with tempfile.TemporaryDirectory() as folder:
        trainer = PackedTrainer(
            model=setting.adapted(document_attention.NAME),
            args=setting.arguments(TrainingArguments, folder),
            train_dataset=rows,
        )
        trainer.remove_callback(PrinterCallback)
        useful = sum(len(c.input_ids) for c in chats)
        setting.measure(
            lambda: trainer.train().training_loss, useful, rows=len(rows), length=length
        )


if __name__ == "__main__":
    main()

"""Our DPO: a pair is two documents of one packed row; the reference is counted in."""

import tempfile

import setting


def main() -> None:
    length = setting.option("length", 2048, "tokens of a packed row")
    pairs = setting.pairs()
    setting.quiet()
    from transformers import PrinterCallback, TrainingArguments

    import document_attention
    from podtune.data.packing import best_fit_decreasing
    from preference_rows import lay_out_pairs, pair_lengths
    from preference_trainer import DPOTrainer

    document_attention.register()
    rows = lay_out_pairs(pairs, best_fit_decreasing(pair_lengths(pairs), length))
    with tempfile.TemporaryDirectory() as folder:
        trainer = DPOTrainer(
            model=setting.adapted(document_attention.NAME),
            args=setting.arguments(TrainingArguments, folder),
            train_dataset=rows,
            beta=setting.BETA,
        )
        trainer.remove_callback(PrinterCallback)
        useful = sum(len(d.input_ids) for p in pairs for d in (p.chosen, p.rejected))
        setting.measure(
            lambda: trainer.train().training_loss, useful, rows=len(rows), length=length
        )


if __name__ == "__main__":
    main()

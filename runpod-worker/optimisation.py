"""The training itself: the plan's settings for transformers' Trainer, and what came of it."""

import math
import time
from collections.abc import Sequence
from typing import Any

import failures
from podtune.core.spec import Method
from podtune.core.states import WorkerStage
from training_run import Run


def optimise(run: Run, model: Any, data: Any) -> dict[str, Any]:
    """Train, from the last complete checkpoint if there is one; figures for card and receipt."""
    import guarded_training
    import process_group

    run.events.stage(WorkerStage.TRAINING)
    trainer, per_epoch = make_trainer(run, model, data)
    run.events.facts(steps_per_epoch=per_epoch, total_steps=trainer.args.max_steps)
    place = guarded_training.Place(run.checkpoints, run.work, run.order.attempt)
    begun = time.monotonic()
    result = guarded_training.run(
        trainer,
        place,
        run.events,
        stop=run.stop,
        expected_step_s=run.plan.time.training_s / trainer.args.max_steps,
    )
    facts = figures(trainer, time.monotonic() - begun) | result._asdict()
    facts["world_size"] = process_group.member().world
    run.events.facts(**{k: v for k, v in facts.items() if k != "history"})
    return facts


def make_trainer(run: Run, model: Any, data: Any) -> tuple[Any, int]:
    """The method's trainer over the job's rows, and its steps per epoch.

    Before anything is trained, a model whose documents would see each other is refused; pairs,
    which cannot be told apart from one another otherwise, go through it one document at a time.
    """
    from transformers import PrinterCallback

    import leak_guard
    import tensorboard_log
    from guarded_steps import guarded

    rows = training_rows(run, data.train, data.rows)
    held = training_rows(run, data.validation, [[i] for i in range(len(data.validation))])
    total, per_epoch = total_steps(run, len(rows))
    apart = False
    if run.spec.training.packing:
        leak_guard.refuse_leaking(model, rows)
    elif int(run.spec.training.micro_batch) > 1 or any(len(row.lengths) > 1 for row in rows):
        apart = leak_guard.measure_leak(model).is_found
    kind, options = _trainer_of(run, data)
    trainer = guarded(kind)(
        model=model,
        args=arguments(run, has_validation=bool(held), steps=total),
        train_dataset=rows,
        eval_dataset=held or None,
        apart=apart,
        **options,
    )
    trainer.remove_callback(PrinterCallback)  # it prints each log once more
    if run.spec.training.report_to == "tensorboard":
        trainer.add_callback(tensorboard_log.callback(run.work / tensorboard_log.FOLDER))
    return trainer, per_epoch


def training_rows(run: Run, units: Sequence[Any], packed: Sequence[Sequence[int]]) -> list[Any]:
    """Units of the method laid out as rows."""
    import packed_rows
    import preference_rows

    method = run.spec.method
    if method is Method.KTO:
        return preference_rows.lay_out_rated(units, packed)
    if method.is_preference:
        return preference_rows.lay_out_pairs(units, packed)
    return packed_rows.lay_out(units, packed)


def _trainer_of(run: Run, data: Any) -> tuple[Any, dict[str, Any]]:
    """The method's trainer class, and what it takes besides."""
    import packed_trainer
    import preference_losses
    import preference_trainer

    method = run.spec.method
    if not method.is_preference:
        return packed_trainer.PackedTrainer, {}
    options: dict[str, Any] = {
        "beta": run.spec.training.beta,
        "progress": lambda done, of: run.events.task("reference", done, of, "rows"),
    }
    if method is Method.KTO:
        good = sum(unit.good for unit in data.train)
        options["weights"] = preference_losses.kto_weights(good, len(data.train) - good)
    return preference_trainer.TRAINERS[method], options


def arguments(run: Run, *, has_validation: bool, steps: int) -> Any:
    """The plan as transformers' TrainingArguments."""
    from transformers import TrainingArguments

    import checkpoints

    plan, options = run.plan, run.spec.training
    warmup = options.warmup_ratio if options.warmup_steps is None else options.warmup_steps
    return TrainingArguments(
        output_dir=str(checkpoints.incoming(run.checkpoints)),
        num_train_epochs=float(options.epochs),
        max_steps=steps,  # the plan's; left to the epochs, a larger max_steps would win
        per_device_train_batch_size=int(options.micro_batch),
        gradient_accumulation_steps=plan.schedule.accumulation,
        activation_checkpointing=options.gradient_checkpointing is True,
        activation_checkpointing_kwargs={"use_reentrant": False},
        learning_rate=float(options.learning_rate),
        lr_scheduler_type=options.lr_scheduler,
        warmup_steps=warmup,
        weight_decay=options.weight_decay,
        max_grad_norm=1.0,
        optim="adamw_torch",
        bf16=False,  # no autocast: the base is loaded in its precision, the adapter stays fp32
        use_cpu=plan.device.kind == "cpu",
        seed=options.seed,
        logging_steps=min(options.logging_steps, steps),
        logging_nan_inf_filter=False,
        eval_strategy="epoch" if has_validation else "no",
        eval_on_start=has_validation,
        save_strategy="steps",
        save_steps=int(options.save_steps),
        save_total_limit=None,  # checkpoints.keep removes older ones, after the new one is whole
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,  # they are the base model's, the same everywhere
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
    )


def total_steps(run: Run, rows: int) -> tuple[int, int]:
    """Steps in all and per epoch, as the Trainer counts them.

    Raises:
        PlanMismatchError: an exact plan said another number.
    """
    options, schedule = run.spec.training, run.plan.schedule
    passes = math.ceil(rows / (int(options.micro_batch) * schedule.world))
    per_epoch = math.ceil(passes / schedule.accumulation)
    steps = math.ceil(float(options.epochs) * per_epoch)
    steps = min(steps, options.max_steps) if options.max_steps else steps
    if schedule.exact and steps != schedule.steps:
        raise failures.PlanMismatchError(f"{steps} steps, planned were {schedule.steps}")
    return steps, per_epoch


def figures(trainer: Any, seconds: float) -> dict[str, Any]:
    """What the training came to: losses, steps, speed, peak memory."""
    import adapter
    import machine_facts

    history: Sequence[dict[str, Any]] = trainer.state.log_history
    losses = [e["loss"] for e in history if "loss" in e]
    held = [e["eval_loss"] for e in history if "eval_loss" in e]
    return {
        "history": [e for e in history if "loss" in e or "eval_loss" in e],
        "steps": trainer.state.global_step,
        "epochs": float(trainer.state.epoch),
        "first_loss": losses[0],
        "final_loss": losses[-1],
        "first_validation_loss": held[0] if held else None,
        "final_validation_loss": held[-1] if held else None,
        "train_seconds": seconds,
        "tokens_processed": trainer.tokens_seen,
        "tokens_per_second": trainer.tokens_seen / seconds if seconds else None,
        "adapter_parameters": adapter.trainable(trainer.model),
        "peak_memory_bytes": machine_facts.peak_memory(trainer.args.device.type),
        "versions": machine_facts.versions(),
    }

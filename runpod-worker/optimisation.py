"""The training itself: the plan's settings for transformers' Trainer, and what came of it."""

import math
import time
from collections.abc import Sequence
from typing import Any

import failures
from podtune.core.events import EventKind
from podtune.core.states import WorkerStage
from training_run import Run


def optimise(run: Run, model: Any, data: Any) -> dict[str, Any]:
    """Train, from the last complete checkpoint if there is one; figures for card and receipt."""
    from transformers import PrinterCallback

    import checkpoints
    import packed_trainer
    from progress import Speed

    run.events.stage(WorkerStage.TRAINING)
    rows = packed_trainer.lay_out(data.train, data.rows)
    held = packed_trainer.lay_out(data.validation, [[i] for i in range(len(data.validation))])
    total, per_epoch = total_steps(run, len(rows))
    trainer = packed_trainer.PackedTrainer(
        model=model,
        args=arguments(run, has_validation=bool(held), steps=total),
        train_dataset=rows,
        eval_dataset=held or None,
    )
    run.events.facts(steps_per_epoch=per_epoch, total_steps=total)
    reporter = checkpoints.reporter(run.events, trainer, total, Speed)
    trainer.remove_callback(PrinterCallback)  # it prints each log once more
    trainer.add_callback(reporter)
    resumed = checkpoints.last_complete(run.checkpoints)
    if resumed:
        run.events.emit(EventKind.CHECKPOINT, step=checkpoints.step_of(resumed), message="resumed")
    begun = time.monotonic()
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    facts = figures(trainer, time.monotonic() - begun)
    facts["resumed_from_step"] = checkpoints.step_of(resumed) if resumed else None
    run.events.facts(**{k: v for k, v in facts.items() if k != "history"})
    return facts


def arguments(run: Run, *, has_validation: bool, steps: int) -> Any:
    """The plan as transformers' TrainingArguments."""
    from transformers import TrainingArguments

    plan, options = run.plan, run.spec.training
    warmup = options.warmup_ratio if options.warmup_steps is None else options.warmup_steps
    return TrainingArguments(
        output_dir=str(run.checkpoints),
        num_train_epochs=float(options.epochs),
        max_steps=steps,  # the plan's; left to the epochs, a larger max_steps would win
        per_device_train_batch_size=int(options.micro_batch),
        gradient_accumulation_steps=plan.schedule.accumulation,
        gradient_checkpointing=options.gradient_checkpointing is True,
        gradient_checkpointing_kwargs={"use_reentrant": False},
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
        save_total_limit=2,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        ddp_find_unused_parameters=False,
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
        "adapter_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "peak_memory_bytes": machine_facts.peak_memory(trainer.args.device.type),
        "versions": machine_facts.versions(),
    }

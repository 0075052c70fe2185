"""Train a LoRA adapter: the same program on this machine, on a rented pod and on serverless.

Usage: train_lora.py JOB_FOLDER. Reads `order.json` there, reports `TrainingEvent`s on stdout and
in `events.jsonl`, leaves checkpoints, the artifact and its proof in the folder. The steps of
`train` stand in the order they run. Exit code 0 on success, 5 on a typed failure.
"""

import argparse
import json
import math
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import failures
from podtune.core.artifact import EffectProof
from podtune.core.events import EventKind, WorkerResult
from podtune.core.job import WorkerOrder
from podtune.core.states import WorkerStage
from progress import EventWriter, Speed

HERE = Path(__file__).resolve().parent
GOLDEN_PROMPTS = 4


class Run(NamedTuple):
    """What every step needs: the order, the job's folder, and the voice."""

    order: WorkerOrder
    job: Path
    events: EventWriter

    @property
    def work(self) -> Path:
        """Intermediate files that are no part of the artifact."""
        return self.job / "work"

    @property
    def artifact(self) -> Path:
        """The artifact's folder."""
        return self.job / "artifact"


def train(run: Run) -> dict[str, str]:
    """The whole way; returns the artifact's files and checksums."""
    from podtune.storage.artifact_folder import checksums

    run.work.mkdir(exist_ok=True)
    base, tokenizer = fetch_base_model(run)
    data = read_data(run, tokenizer)
    model = load_model(run, base)
    prompts = ask_before(run, model, tokenizer, data)
    adapted = attach_adapter(run, model)
    facts = optimise(run, adapted, data) | data_facts(data)
    save(run, adapted, base, tokenizer, prompts, facts)
    prove(run)
    return checksums(run.artifact)


def fetch_base_model(run: Run) -> tuple[Path, Any]:
    """Base model on disk, tokenizer and template in memory."""
    import base_model
    from podtune.data.template import TokenizerFolder

    run.events.stage(WorkerStage.DOWNLOADING)
    folder = base_model.prepare(
        run.order.plan.spec.base_model, Path(run.order.models_dir), run.events
    )
    return folder, TokenizerFolder(folder)


def read_data(run: Run, tokenizer: Any) -> Any:
    """Check, split, tokenise, mask and pack; guards before anything is loaded."""
    import chat_dataset

    run.events.stage(WorkerStage.LOADING)
    data = chat_dataset.load(run.order, run.job, tokenizer, run.events)
    trained = sum(e.trained for e in data.train)
    if not trained:
        raise failures.PlanMismatchError("no token would be trained", code="zero_mask")
    planned = run.order.plan.tokens
    if planned.exact and planned.trained != trained:
        raise failures.PlanMismatchError(
            f"{trained} tokens would be trained, planned were {planned.trained}", hint="plan again"
        )
    run.events.facts(**data_facts(data))
    return data


def data_facts(data: Any) -> dict[str, Any]:
    """Counts for the card and the receipt. Masks that lack a stop token never get this far."""
    return {
        "train_rows": data.train_rows,
        "examples": len(data.train),
        "train_tokens": sum(len(e.input_ids) for e in data.train),
        "trained_tokens": sum(e.trained for e in data.train),
        "packed_rows": len(data.rows),
        "validation_rows": len(data.held_out),
        "left_out_rows": len(data.findings),
        "truncated_rows": 0,
        "system_folded": data.folded,
        "stop_token_trained": True,
    }


def load_model(run: Run, base: Path) -> Any:
    """The frozen base model on the planned device."""
    import base_model

    plan = run.order.plan
    run.events.task("load base model", 0, 1, "")
    base_model.settle_threads(plan.device.cores)
    base_model.refuse_other_device(plan.device.kind)
    model = base_model.load(
        base, precision=str(plan.spec.training.precision), device=plan.device.kind
    )
    loaded = sum(p.numel() for p in model.parameters())
    _refuse_off_plan("base model parameters", loaded, plan.base_model.total_parameters)
    run.events.task("load base model", 1, 1, "")
    return model


def ask_before(run: Run, model: Any, tokenizer: Any, data: Any) -> dict[str, Any]:
    """Golden prompts for the proof, and what the base model answers to held-out questions."""
    import generation
    from podtune.data.rendering import prompt_text
    from prove import PROMPTS

    path = run.work / PROMPTS
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    spec = run.order.plan.spec
    system = spec.data.system_prompt
    wanted = spec.evaluate.samples if spec.evaluate.before_after else 0
    chosen = data.held_out[:wanted]
    texts = [prompt_text(c, tokenizer, system) for c in chosen]
    before = generation.answers(
        model,
        tokenizer,
        texts,
        lambda done, of: run.events.task("answers before", done, of, "answers"),
    )
    samples: list[dict[str, str]] = []
    for conversation, text, answer in zip(chosen, texts, before, strict=True):
        last = max(i for i, m in enumerate(conversation.messages) if m.role == "assistant")
        samples.append(
            {
                "prompt": text,
                "question": conversation.messages[last - 1].text,
                "expected": conversation.messages[last].text,
                "before": answer,
            }
        )
    golden = [prompt_text(c, tokenizer, system) for c in data.asked[:GOLDEN_PROMPTS]]
    prompts = {"golden": golden, "samples": samples}
    _write_atomically(path, json.dumps(prompts, ensure_ascii=False))
    return prompts


def attach_adapter(run: Run, model: Any) -> Any:
    """LoRA on the planned layers, in fp32; its size must be the plan's."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    import document_attention

    spec = run.order.plan.spec
    document_attention.register()
    model.set_attn_implementation(document_attention.NAME)
    set_seed(spec.training.seed)
    targets = spec.adapter.target_modules
    adapted = get_peft_model(
        model,
        LoraConfig(
            r=spec.adapter.rank,
            lora_alpha=_whole(spec.adapter.alpha),
            lora_dropout=spec.adapter.dropout,
            target_modules=targets if isinstance(targets, str) else list(targets),
            bias="none",
            task_type="CAUSAL_LM",
        ),
    )
    trainable = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    _refuse_off_plan("trainable parameters", trainable, run.order.plan.memory.adapter_parameters)
    return adapted


def optimise(run: Run, model: Any, data: Any) -> dict[str, Any]:
    """The training itself, from the last complete checkpoint if there is one."""
    from transformers import PrinterCallback

    import checkpoints
    import packed_trainer

    run.events.stage(WorkerStage.TRAINING)
    rows = packed_trainer.lay_out(data.train, data.rows)
    held = packed_trainer.lay_out(data.validation, [[i] for i in range(len(data.validation))])
    total, per_epoch = _total_steps(run, len(rows))
    trainer = packed_trainer.PackedTrainer(
        model=model,
        args=_arguments(run, bool(held), total),
        train_dataset=rows,
        eval_dataset=held or None,
    )
    run.events.facts(steps_per_epoch=per_epoch, total_steps=total)
    reporter = checkpoints.reporter(run.events, trainer, total, Speed)
    trainer.remove_callback(PrinterCallback)  # it prints each log once more
    trainer.add_callback(reporter)
    resumed = checkpoints.last_complete(run.job / "checkpoints")
    if resumed:
        run.events.emit(EventKind.CHECKPOINT, step=checkpoints.step_of(resumed), message="resumed")
    begun = time.monotonic()
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    seconds = time.monotonic() - begun
    facts = _facts(trainer, seconds, run)
    facts["resumed_from_step"] = checkpoints.step_of(resumed) if resumed else None
    run.events.facts(**{k: v for k, v in facts.items() if k != "history"})
    return facts


def save(
    run: Run, model: Any, base: Path, tokenizer: Any, prompts: dict[str, Any], facts: dict[str, Any]
) -> None:
    """Write the artifact, and the trainer's own logits for the proof."""
    from safetensors.torch import save_file

    import artifact_writer
    import generation
    import prove as proof

    run.events.stage(WorkerStage.SAVING)
    model.eval()
    model.base_model.model.set_attn_implementation("sdpa")
    logits = generation.next_token_logits(model, tokenizer, prompts["golden"])
    save_file({"logits": logits.contiguous()}, run.work / proof.GOLDEN)
    plan = run.order.plan
    artifact_writer.write(model, plan, base, run.artifact, facts["history"], facts)


def prove(run: Run) -> None:
    """Let a fresh process load what was saved; its answers are the samples after."""
    run.events.stage(WorkerStage.PROVING)
    with subprocess.Popen(
        [sys.executable, str(HERE / "prove.py"), str(run.job)], stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            if line.startswith('{"answers"'):
                said = json.loads(line)
                run.events.task("answers after", said["answers"], said["of"], "answers")
            else:
                print(line, end="", flush=True)  # noqa: T201 - belongs into the log
    if process.returncode == 3:
        raise _unproved(run.artifact / "proof.json")
    if process.returncode:
        raise failures.TrainingError(
            f"the proof process ended with code {process.returncode}", code="proof_failed"
        )


def _unproved(path: Path) -> failures.TrainingError:
    """Why the proof did not pass: no effect, or not what was trained."""
    said = EffectProof.model_validate_json(path.read_text(encoding="utf-8"))
    if said.difference_from_trainer > said.tolerance:
        return failures.TrainingError(
            f"the saved adapter answers differently than the trained one: logits differ by up to "
            f"{said.difference_from_trainer:.4f} (tolerance {said.tolerance:g})",
            code="not_as_trained",
            hint="run `podtune resume JOB`; if it stays so, please report it with `podtune logs JOB`",
        )
    return failures.TrainingError(
        f"the adapter does not change the model: logits differ by {said.difference_from_base:.4f} only",
        code="no_effect",
        hint="train longer or with a higher learning rate (--set training.learning_rate=...)",
    )


def _arguments(run: Run, has_validation: bool, total_steps: int) -> Any:
    from transformers import TrainingArguments

    plan, options = run.order.plan, run.order.plan.spec.training
    return TrainingArguments(
        output_dir=str(run.job / "checkpoints"),
        num_train_epochs=float(options.epochs),
        max_steps=total_steps,  # the plan's; left to the epochs, a larger max_steps would win
        per_device_train_batch_size=int(options.micro_batch),
        gradient_accumulation_steps=plan.schedule.accumulation,
        learning_rate=float(options.learning_rate),
        lr_scheduler_type=options.lr_scheduler,
        warmup_steps=options.warmup_ratio,
        weight_decay=options.weight_decay,
        max_grad_norm=1.0,
        optim="adamw_torch",
        bf16=False,  # no autocast: the base is loaded in its precision, the adapter stays fp32
        use_cpu=plan.device.kind == "cpu",
        seed=options.seed,
        logging_steps=min(options.logging_steps, total_steps),
        logging_nan_inf_filter=False,
        eval_strategy="epoch" if has_validation else "no",
        eval_on_start=has_validation,
        save_strategy="steps",
        save_steps=int(options.save_steps),
        save_total_limit=2,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
    )


def _total_steps(run: Run, rows: int) -> tuple[int, int]:
    """Steps in all and per epoch, as the Trainer counts them; the plan's when that was exact."""
    options, schedule = run.order.plan.spec.training, run.order.plan.schedule
    per_epoch = math.ceil(math.ceil(rows / int(options.micro_batch)) / schedule.accumulation)
    steps = math.ceil(float(options.epochs) * per_epoch)
    steps = min(steps, options.max_steps) if options.max_steps else steps
    if schedule.exact and steps != schedule.steps:
        raise failures.PlanMismatchError(f"{steps} steps, planned were {schedule.steps}")
    return steps, per_epoch


def _facts(trainer: Any, seconds: float, run: Run) -> dict[str, Any]:
    history = trainer.state.log_history
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
        "peak_memory_bytes": _peak_memory(run.order.plan.device.kind),
        "versions": _versions(),
    }


def _peak_memory(kind: str) -> int | None:
    """Peak of this process (CPU: resident set; CUDA: allocator) in bytes."""
    if kind == "cuda":
        import torch

        return int(torch.cuda.max_memory_reserved())
    try:
        import resource
    except ImportError:  # native Windows has no such counter
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    import podtune

    names = ("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors")
    return {name: version(name) for name in names} | {
        "podtune": podtune.__version__,
        "python": platform.python_version(),
    }


def _whole(number: float) -> Any:
    """An integer where the number is one: adapter_config.json then says 32 and not 32.0."""
    return int(number) if number == int(number) else number


def _refuse_off_plan(what: str, found: int, planned: int) -> None:
    if abs(found - planned) > 0.02 * planned:
        raise failures.PlanMismatchError(
            f"{what}: {found:,} loaded, {planned:,} planned",
            hint="this base model is built differently than its config.json says; choose another",
        )


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def main() -> int:
    """Parse the arguments, train, and report how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=Path, help="folder with order.json")
    parser.add_argument("--name", help="unique name of this attempt, to be found by")
    job: Path = parser.parse_args().job.resolve()
    order = WorkerOrder.model_validate_json((job / "order.json").read_text(encoding="utf-8"))
    events = EventWriter(job / "events.jsonl", job=order.job, attempt=order.attempt)
    try:
        files = train(Run(order, job, events))
    except Exception as error:  # noqa: BLE001 - the attempt's last word is a typed failure
        import traceback

        import checkpoints

        traceback.print_exc()
        try:
            events.result(failures.describe(error))
        except OSError:
            checkpoints.drop_unsealed(job / "checkpoints")
            events.result(failures.describe(error))
        return 5
    events.result(WorkerResult(ok=True, files=files))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Train an adapter: the same program on this machine, on a rented pod and on serverless.

Usage: train_lora.py JOB_FOLDER. Reads `order.json` there, reports `TrainingEvent`s on stdout and
in `events.jsonl`, leaves checkpoints, the artifact and its proof in the folder. The steps of
`train` stand in the order they run; with several devices every process runs them, and the main one
speaks and writes. Exit code 0 on success, 5 on a typed failure.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import failures
import libraries
import process_group
from podtune.core.artifact import EffectProof
from podtune.core.events import WorkerResult
from podtune.core.job import WorkerOrder
from podtune.core.spec import AdapterKind
from podtune.core.states import WorkerStage
from progress import EventWriter
from shutdown import Shutdown
from training_run import Run

HERE = Path(__file__).resolve().parent
GOLDEN_PROMPTS = 4
BUFFER_BYTES = 2**20
"""Rotary tables and the like, which the plan does not count."""


def train(run: Run) -> dict[str, str]:
    """The whole way; returns the artifact's files and checksums (of the main process)."""
    import optimisation
    from podtune.storage.artifact_folder import checksums

    run.work.mkdir(exist_ok=True)
    me = process_group.join(run.plan.device.kind, run.plan.schedule.world)
    base, tokenizer = fetch_base_model(run)
    data = read_data(run, tokenizer)
    model = load_model(run, base)
    prompts = ask_before(run, model, tokenizer, data)
    adapted = attach_adapter(run, model)
    facts = optimisation.optimise(run, adapted, data) | data_facts(data)
    save(run, adapted, base, tokenizer, prompts, facts)
    process_group.leave()
    if not me.is_main:
        return {}
    del adapted, model
    prove(run)
    return checksums(run.artifact)


def fetch_base_model(run: Run) -> tuple[Path, Any]:
    """Base model on disk, tokenizer and template in memory."""
    import base_model
    from podtune.data.template import TokenizerFolder

    run.events.stage(WorkerStage.DOWNLOADING)
    with process_group.main_first():
        folder = base_model.prepare(run.spec.base_model, Path(run.order.models_dir), run.events)
    return folder, TokenizerFolder(folder)


def read_data(run: Run, tokenizer: Any) -> Any:
    """Check, split, tokenise, mask and pack; guards before anything is loaded."""
    import chat_dataset

    run.events.stage(WorkerStage.LOADING)
    data = chat_dataset.load(run.order, run.job, tokenizer, run.events)
    trained = data.trained_tokens
    if not trained:
        raise failures.PlanMismatchError("no token would be trained", code="zero_mask")
    planned = run.plan.tokens
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
        "train_tokens": data.train_tokens,
        "trained_tokens": data.trained_tokens,
        "packed_rows": len(data.rows),
        "validation_rows": len(data.held_out),
        "left_out_rows": len(data.findings),
        "truncated_rows": data.counts.get("shortened", 0),
        "truncated_tokens": data.tokens_left_out,
        "system_folded": data.folded,
        "stop_token_trained": True,
    }


def load_model(run: Run, base: Path) -> Any:
    """The frozen base model on this process's device, in the planned bits and as large as planned."""
    run.events.task("load base model", 0, 1, "")
    libraries.load()
    import adapter
    import base_model
    import document_attention
    import sharding
    import stored_bytes

    plan, me = run.plan, process_group.member()
    base_model.settle_threads(me.cores(plan.device.cores))
    base_model.refuse_other_device(plan.device.kind)
    document_attention.register()
    device = me.device(plan.device.kind)
    spread = run.spec.training.sharding == "fsdp" and not me.is_alone
    if spread:
        sharding.refuse_unshardable(run.spec)
    over = sharding.mesh(device) if spread else None
    with process_group.in_turns():
        model = base_model.load(
            base,
            precision=str(run.spec.training.precision),
            bits=int(run.spec.adapter.bits),
            device="cpu" if spread else device,
        )
        parameters, held = base_model.parameters(model), stored_bytes.stored_bytes(model)
        adapter.refuse_off_plan(
            "base model parameters", parameters, plan.base_model.total_parameters
        )
        stored_bytes.refuse_unquantised(model, int(run.spec.adapter.bits))
        if not spread:  # the plan then counts one device's share
            adapter.refuse_off_plan(
                "bytes of the base model", held, plan.memory.weights, slack=BUFFER_BYTES
            )
        if spread:  # in turn too: one whole model at a time is in the machine's memory
            model = sharding.spread(model, device, over)
    run.events.facts(weight_bytes=held)
    run.events.task("load base model", 1, 1, "")
    return model


def ask_before(run: Run, model: Any, tokenizer: Any, data: Any) -> dict[str, Any]:
    """Golden prompts for the proof, and what the base model answers to held-out questions.

    Every process asks: a model that is spread over devices needs them all in each pass.
    """
    import chat_dataset
    import generation
    from prove import PROMPTS

    path = run.work / PROMPTS
    known = path.read_text(encoding="utf-8") if path.is_file() else None
    known = process_group.share(known)
    if known:
        return json.loads(known)
    wanted = run.spec.evaluate.samples if run.spec.evaluate.before_after else 0
    chosen = chat_dataset.prompts(data.held_out[:wanted], tokenizer, run.order)
    before = generation.answers(
        model,
        tokenizer,
        [asked.prompt for asked in chosen],
        lambda done, of: run.events.task("answers before", done, of, "answers"),
    )
    samples = [
        {**asked._asdict(), "before": answer} for asked, answer in zip(chosen, before, strict=True)
    ]
    golden = chat_dataset.prompts(data.asked[:GOLDEN_PROMPTS], tokenizer, run.order)
    prompts = {"golden": [asked.prompt for asked in golden], "samples": samples}
    if process_group.member().is_main:
        _write_atomically(path, json.dumps(prompts, ensure_ascii=False))
    return prompts


def attach_adapter(run: Run, model: Any) -> Any:
    """What is trained, in fp32; its size must be the plan's."""
    import adapter
    import document_attention
    import fast_kernels

    attention = document_attention.choose_attention(run.plan.device.kind)
    model.set_attn_implementation(attention.name)
    adapted = adapter.attach(model, run.plan)
    run.events.facts(
        kernels=fast_kernels.in_use(model, attention=attention.note),
        kernel_libraries=fast_kernels.detect(),
    )
    return adapted


def save(
    run: Run, model: Any, base: Path, tokenizer: Any, prompts: dict[str, Any], facts: dict[str, Any]
) -> None:
    """Write the artifact, and the trainer's own logits for the proof."""
    from safetensors.torch import save_file

    import artifact_writer
    import base_model
    import generation
    import prove as proof
    import tensorboard_log

    run.events.stage(WorkerStage.SAVING)
    model.eval()
    inner = model if run.spec.adapter.kind == AdapterKind.FULL else model.base_model.model
    inner.set_attn_implementation(base_model.plain_attention(inner.config))
    logits = generation.next_token_logits(model, tokenizer, prompts["golden"])
    if not process_group.member().is_main:
        return
    save_file({"logits": logits.contiguous()}, run.work / proof.GOLDEN)
    artifact_writer.write(model, run.plan, base, run.artifact, facts["history"], facts)
    tensorboard_log.keep(run.work, run.artifact)


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


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def main() -> int:
    """Parse the arguments, train, and report how it went."""
    import launch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=Path, help="folder with order.json")
    parser.add_argument("--name", help="unique name of this attempt, to be found by")
    job: Path = parser.parse_args().job.resolve()
    order = WorkerOrder.model_validate_json((job / "order.json").read_text(encoding="utf-8"))
    if launch.needed(order):
        return launch.run(Path(__file__).resolve(), job, order)
    libraries.leave_out_unused(quantised=order.plan.spec.adapter.bits in (4, 8))
    return attempt(job, order)


def attempt(job: Path, order: WorkerOrder) -> int:
    """Train in this process; its last word is a typed result."""
    import launch
    import rank_results

    me = process_group.member()
    events = (
        EventWriter(job / "events.jsonl", job=order.job, attempt=order.attempt)
        if me.is_main
        else process_group.QuietWriter()
    )
    try:
        with Shutdown() as stop:
            files = train(Run(order, job, events, stop))
    except Exception as error:  # noqa: BLE001 - the attempt's last word is a typed failure
        import traceback

        import checkpoints

        traceback.print_exc()
        try:
            rank_results.last_word(job, me, events, error)
        except OSError:  # a full disk: make room for the word
            checkpoints.drop_unsealed(job / "checkpoints")
            rank_results.last_word(job, me, events, error)
        return launch.end(me, 5)
    events.result(WorkerResult(ok=True, files=files))
    return 0


if __name__ == "__main__":
    sys.exit(main())

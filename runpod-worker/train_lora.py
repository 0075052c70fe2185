"""Train an adapter: the same program on this machine, on a rented pod and on serverless.

Usage: train_lora.py JOB_FOLDER. Reads `order.json` there, reports `TrainingEvent`s on stdout and
in `events.jsonl`, leaves checkpoints, the artifact and its proof in the folder. The steps of
`train` stand in the order they run. Exit code 0 on success, 5 on a typed failure.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import failures
from podtune.core.artifact import EffectProof
from podtune.core.events import WorkerResult
from podtune.core.job import WorkerOrder
from podtune.core.spec import AdapterKind
from podtune.core.states import WorkerStage
from progress import EventWriter
from training_run import Run

HERE = Path(__file__).resolve().parent
GOLDEN_PROMPTS = 4


def train(run: Run) -> dict[str, str]:
    """The whole way; returns the artifact's files and checksums."""
    import optimisation
    from podtune.storage.artifact_folder import checksums

    run.work.mkdir(exist_ok=True)
    base, tokenizer = fetch_base_model(run)
    data = read_data(run, tokenizer)
    model = load_model(run, base)
    prompts = ask_before(run, model, tokenizer, data)
    adapted = attach_adapter(run, model)
    facts = optimisation.optimise(run, adapted, data) | data_facts(data)
    save(run, adapted, base, tokenizer, prompts, facts)
    del adapted, model
    prove(run)
    return checksums(run.artifact)


def fetch_base_model(run: Run) -> tuple[Path, Any]:
    """Base model on disk, tokenizer and template in memory."""
    import base_model
    from podtune.data.template import TokenizerFolder

    run.events.stage(WorkerStage.DOWNLOADING)
    folder = base_model.prepare(run.spec.base_model, Path(run.order.models_dir), run.events)
    return folder, TokenizerFolder(folder)


def read_data(run: Run, tokenizer: Any) -> Any:
    """Check, split, tokenise, mask and pack; guards before anything is loaded."""
    import chat_dataset

    run.events.stage(WorkerStage.LOADING)
    data = chat_dataset.load(run.order, run.job, tokenizer, run.events)
    trained = sum(e.trained for e in data.train)
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
    import adapter
    import base_model

    plan = run.plan
    run.events.task("load base model", 0, 1, "")
    base_model.settle_threads(plan.device.cores)
    base_model.refuse_other_device(plan.device.kind)
    model = base_model.load(
        base, precision=str(plan.spec.training.precision), device=plan.device.kind
    )
    loaded = sum(p.numel() for p in model.parameters())
    adapter.refuse_off_plan("base model parameters", loaded, plan.base_model.total_parameters)
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
    system = run.spec.data.system_prompt
    wanted = run.spec.evaluate.samples if run.spec.evaluate.before_after else 0
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
    """What is trained, in fp32; its size must be the plan's."""
    import adapter
    import document_attention

    document_attention.register()
    model.set_attn_implementation(document_attention.NAME)
    return adapter.attach(model, run.plan)


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
    inner = model if run.spec.adapter.kind == AdapterKind.FULL else model.base_model.model
    inner.set_attn_implementation("sdpa")
    logits = generation.next_token_logits(model, tokenizer, prompts["golden"])
    save_file({"logits": logits.contiguous()}, run.work / proof.GOLDEN)
    artifact_writer.write(model, run.plan, base, run.artifact, facts["history"], facts)


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

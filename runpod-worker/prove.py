"""A fresh process loads the artifact and shows that it works.

Its logits must differ from the base model's and equal the trainer's; its answers are the "after"
samples. Usage: prove.py JOB_FOLDER. Writes `proof.json` and `samples.json` into the artifact; says
its progress as JSON lines `{"answers": done, "of": total}`. Exit code 0 when passed, 3 when not.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import leash
import libraries

THRESHOLD = 0.05
"""Largest logit difference from the base model under which an adapter counts as without effect."""

FP32_TOLERANCE = 1e-3
"""Largest logit difference from the trainer's in fp32: the order of a sum, nothing more."""

BF16_STEP = 2.0**-8
"""One rounding step of bf16 (8 bits of mantissa) at the size of the largest logit."""

GOLDEN = "golden.safetensors"
PROMPTS = "prompts.json"
WORK = "work"


def prove(job: Path) -> bool:
    """Load base and adapter, compare, answer, write both files."""
    libraries.load()
    from safetensors.torch import load_file

    import base_model
    import generation
    import trained_model
    from podtune.core import artifact
    from podtune.data.template import TokenizerFolder
    from podtune.storage.artifact_folder import sha256_file

    order = _order(job)
    plan = order.plan
    base_model.settle_threads(plan.device.cores)
    prompts: dict[str, Any] = json.loads((job / WORK / PROMPTS).read_text(encoding="utf-8"))
    folder = job / "artifact"
    tokenizer = TokenizerFolder(folder)
    base_folder = base_model.prepare(plan.spec.base_model, Path(order.models_dir), None)
    base = trained_model.load_base(plan.spec, base_folder, plan.device.kind)
    plain = generation.next_token_logits(base, tokenizer, prompts["golden"])
    adapted_model = trained_model.apply(base, folder, plan.spec, plan.device.kind)
    adapted = generation.next_token_logits(adapted_model, tokenizer, prompts["golden"])
    trainer = load_file(job / WORK / GOLDEN)["logits"]
    largest = float(trainer.abs().max())
    exact = plan.spec.training.precision == "fp32"
    tolerance = FP32_TOLERANCE if exact else max(FP32_TOLERANCE, BF16_STEP * largest)
    from_base = float((adapted - plain).abs().max())
    from_trainer = float((adapted - trainer).abs().max())
    proof = artifact.EffectProof(
        prompts=len(prompts["golden"]),
        difference_from_base=from_base,
        difference_from_trainer=from_trainer,
        tolerance=tolerance,
        threshold=THRESHOLD,
        adapter_sha256=sha256_file(
            folder / artifact.weights_file({path.name for path in folder.iterdir()})
        ),
        passed=from_base > THRESHOLD and from_trainer <= tolerance,
    )
    (folder / artifact.PROOF).write_text(proof.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if proof.passed and prompts["samples"]:
        _write_samples(adapted_model, tokenizer, prompts["samples"], folder / artifact.SAMPLES)
    return proof.passed


def _write_samples(model: Any, tokenizer: Any, samples: list[dict[str, str]], path: Path) -> None:
    import generation

    after = generation.answers(
        model,
        tokenizer,
        [s["prompt"] for s in samples],
        lambda done, total: print(json.dumps({"answers": done, "of": total}), flush=True),  # noqa: T201
    )
    complete = [
        {key: s[key] for key in ("question", "expected", "before")} | {"after": text}
        for s, text in zip(samples, after, strict=True)
    ]
    path.write_text(json.dumps(complete, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    """Parse the arguments and prove."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=Path)
    arguments = parser.parse_args()
    leash.hold()  # a trainer that was killed needs no proof
    bits = _order(arguments.job).plan.spec.adapter.bits
    libraries.leave_out_unused(quantised=bits in (4, 8))
    return 0 if prove(arguments.job) else 3


def _order(job: Path) -> Any:
    from podtune.core.job import WorkerOrder

    return WorkerOrder.model_validate_json((job / "order.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())

"""Homes with a model folder, data and jobs, made without training anything. For tests only."""

import json
from pathlib import Path
from typing import Any

from podtune.app import planner, receipts
from podtune.app.installation import signing_key
from podtune.app.settings import Settings
from podtune.core.events import EventKind, TrainingEvent, WorkerResult
from podtune.core.job import Job, TerminationProof
from podtune.core.plan import Plan
from podtune.core.progress import fold
from podtune.core.states import JobPhase, Outcome, WorkerStage
from podtune.storage import artifact_folder
from podtune.workflow.folder import JobFolder
from podtune.workflow.store import JobStore
from support import artifacts, build, driving, rented_jobs, tiny_model

ANOTHER_KEY = "rpa_ANOTHERACCOUNT000000000000000000000000"
"""Opens no account of the stand-in's."""


def settings(folder: Path) -> Settings:
    """Settings of a home that does not exist yet."""
    return Settings(home=folder / "home")


def model(folder: Path, **config: object) -> Path:
    """A model folder with a real tokenizer and template; its weights file is empty."""
    from tokenizers import Tokenizer

    tiny_model.make_tokenizer(folder)
    vocab = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    sizes = {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 128,
        "vocab_size": vocab,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": True,
    }
    (folder / "config.json").write_text(json.dumps(sizes | config), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def data(folder: Path, count: int = 24, name: str = "tickets.jsonl") -> Path:
    """A good data file."""
    folder.mkdir(parents=True, exist_ok=True)
    return tiny_model.write_rows(folder / name, count)


def plan(folder: Path, **stated: object) -> Plan:
    """A real plan on a model folder and data below `folder`; stated keys have `__` for dots."""
    base = folder / "model"
    if not base.exists():
        model(base)
    source = folder / "tickets.jsonl"
    if not source.exists():
        data(folder)
    fields = {key.replace("__", "."): value for key, value in stated.items()}
    request = planner.source_request(str(source), {"base_model.name": str(base), **fields})
    return planner.make_plan(request, settings(folder))


def say(path: Path, job: Job, attempt: int = 1, **fields: object) -> None:
    """Append one event of a worker."""
    event = TrainingEvent.model_validate(
        {
            "job": job.id,
            "attempt": attempt,
            "seq": 0,
            "time": build.NOW,
            "kind": EventKind.STAGE,
            "stage": WorkerStage.TRAINING,
            **fields,
        }
    )
    with path.open("a", encoding="utf-8") as stream:
        stream.write(event.line() + "\n")


def say_result(path: Path, job: Job, files: dict[str, str], attempt: int = 1) -> None:
    """Append the last word of a worker that succeeded."""
    result = WorkerResult(ok=True, files=files)
    say(path, job, attempt, kind=EventKind.RESULT, stage=WorkerStage.UPLOADING, result=result)


def finish(home: Settings, job: Job, outcome: Outcome = Outcome.COMPLETED, **changes: Any) -> Job:
    """Bring a stored job to its end as the workflow would; a completed one gets its receipt."""
    proof = TerminationProof(instance_id="1:2", ended=0, absent_at=build.NOW, method="looked")
    store = JobStore(home.database)
    done = {"phase": JobPhase.DONE, "outcome": outcome, "proof": proof, "finished_at": build.NOW}
    ended = store.apply(driving.held(store, job), {"instance_id": "1:2", **done, **changes}, "done")
    store.leave(driving.ME.holder)
    store.close()
    if outcome is Outcome.COMPLETED:
        folder = JobFolder(home.jobs / job.id)
        artifacts.make(folder.artifact)
        files = artifact_folder.checksums(folder.artifact)
        say_result(folder.events, job, files)
        artifact = artifact_folder.verify(folder.artifact, files)
        receipt = receipts.make(ended, fold([]), artifact, folder.artifact, proof)
        receipts.write(receipt, signing_key(home.home), folder.artifact)
    return ended


def rented_plan(folder: Path, **price: Any) -> Plan:
    """A plan for RunPod on real rows."""
    made = plan(folder)
    ladder = rented_jobs.plan(**price)
    spec = made.spec.model_copy(update={"where": ladder.spec.where})
    return made.model_copy(update={"spec": spec, "price": ladder.price})

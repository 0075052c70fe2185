"""Programs that tests run as one of several processes; each returns what its test looks at."""

import faulthandler
import json
import os
import sys
from pathlib import Path

import process_group
import shared_files
from support import tiny_trainings


def main(arguments: list[str]) -> None:
    """Join the others, run the program named, write down what it returns."""
    faulthandler.dump_traceback_later(100, exit=True)  # a test that hangs tells where
    name, folder, options = arguments[0], Path(arguments[1]), json.loads(arguments[2])
    world = process_group.member().world
    me = process_group.join("cpu", world)
    found = globals()[name](me, folder, **options)
    (folder / f"rank-{me.rank}.json").write_text(json.dumps(found))
    process_group.leave()


def agreement(me, folder):
    """What the processes say to each other."""
    seen = {
        "total": process_group.total(me.rank + 1, 0.5),
        "any": [process_group.any_rank(me.rank == 1), process_group.any_rank(False)],
        "shared": process_group.share(f"from {me.rank}"),
    }
    log = folder / "order.log"

    def note(word: str) -> None:
        with log.open("a") as stream:
            stream.write(f"{word}{me.rank} ")

    with process_group.main_first():
        note("fetch")
    process_group.barrier()
    with process_group.in_turns():
        note("load")
        note("shard")
    process_group.barrier()
    return {**seen, "order": log.read_text().split(), "threads": os.environ["OMP_NUM_THREADS"]}


def other_machines(me, folder):
    """A checkpoint that only rank 0's machine has; machines are folders of their own here."""
    machine = folder / f"machine-{me.rank}"
    machine.mkdir()
    os.chdir(machine)
    os.environ["LOCAL_RANK"] = "0"
    shared_files.CHUNK_BYTES = 1000
    checkpoint = Path("checkpoints/checkpoint-3")
    if me.is_main:
        (checkpoint / "deep").mkdir(parents=True)
        (checkpoint / "weights").write_bytes(bytes(range(256)) * 11)
        (checkpoint / "deep" / "state").write_text("7")
        (checkpoint / "empty").write_bytes(b"")
    else:
        checkpoint.mkdir(parents=True)
    if me.rank == 1:
        (checkpoint / "weights").write_bytes(b"of another attempt")
    own = checkpoint / f"random-{me.rank}"
    own.write_text(f"of {me.rank}")
    shared_files.collect(own)
    if not me.is_main:
        own.unlink()
    nothing = shared_files.share_folder(None)
    assert nothing is None
    found = shared_files.share_folder(checkpoint if me.is_main else None)
    return {
        "folder": str(found),
        "files": {
            p.relative_to(found).as_posix(): p.read_bytes().hex()
            for p in sorted(found.rglob("*"))
            if p.is_file()
        },
    }


def lost(me, folder):
    """Rank 1 goes away without a word; what rank 0 makes of it."""
    process_group.barrier()
    if me.rank == 1:
        sys.stdout.flush()
        (folder / "rank-1.json").write_text("{}")
        os._exit(0)
    try:
        process_group.barrier()
    except RuntimeError as error:
        (folder / "rank-0.json").write_text(
            json.dumps({"lost": process_group.is_lost_peer(error), "said": str(error)})
        )
        os._exit(0)


def train(me, folder, *, method="sft", rows=7, spread=False, resume=None, model=None, **options):
    """Train a tiny model; the losses that were told, and the adapter it came to."""
    import torch

    adapted = tiny_trainings.model(spread_on="cpu" if spread else None, **(model or {}))
    trainer = tiny_trainings.trainer(
        adapted, method, tiny_trainings.rows(method, rows), folder, **options
    )
    process_group.refuse_other_world(trainer.args.world_size, me.world)
    trainer.train(resume_from_checkpoint=str(folder.parent / resume) if resume else None)
    torch.save(tiny_trainings.adapter(adapted), folder / f"adapter-{me.rank}.pt")
    return told(trainer)


def told(trainer):
    """What a training says of itself."""
    history = trainer.state.log_history
    return {
        "loss": [e["loss"] for e in history if "loss" in e],
        "norm": [e["grad_norm"] for e in history if "loss" in e],
        "held_out": [e["eval_loss"] for e in history if "eval_loss" in e],
        "tokens": trainer.tokens_seen,
    }


def trainings(me, folder, *, runs):
    """Several trainings one after the other: starting processes costs more than they do."""
    found = {}
    for name, options in runs.items():
        (folder / name).mkdir(exist_ok=True)
        process_group.barrier()
        found[name] = train(me, folder / name, **options)
    return found


def spreading(me, folder):
    """A base model before and after it was spread over the processes."""
    import torch

    import sharding

    asked = torch.arange(2, 14)[None]
    options = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0}
    found = {}
    for tied in (True, False):
        whole = tiny_trainings.model(tied=tied).unload()
        with torch.no_grad():
            expected = whole(asked).logits
        answer = whole.generate(asked, **options).tolist()
        held = sum(p.numel() for p in whole.parameters())
        layers = sum(p.numel() for p in whole.model.layers.parameters())
        over = sharding.mesh("cpu")
        with process_group.in_turns():
            model = sharding.spread(whole, "cpu", over)
        with torch.no_grad():
            logits = model(asked).logits
        parts = [p.to_local() for p in model.parameters() if sharding.is_sharded(p)]
        found[f"tied {tied}"] = {
            "spread": sharding.is_spread(model),
            "logits": float((logits - expected).abs().max()),
            "same_answer": model.generate(asked, **options).tolist() == answer,
            "layers": layers,
            "others": held - layers,
            "held_of_layers": sum(p.numel() for p in parts),
            "held_of_others": sum(
                p.numel() for p in model.parameters() if not sharding.is_sharded(p)
            ),
        }
    return found

"""What to give up when the memory runs out, so that the effective batch stays the same.

The ladder, in order: the micro-batch is halved and the accumulation doubled until a pass holds one
row; gradient checkpointing is turned on; rows are split between their documents until a pass holds
one document. Documents of a row do not see each other and the loss is a sum over tokens, so every
rung has the gradient of the one above it. Knows nothing of the Trainer's loop.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from packed_rows import PackedRow

FILE = "ladder.json"


class Rung(NamedTuple):
    """How one micro-batch is put through the model."""

    passes: int = 1
    """Forward passes over which it is spread: micro-batch / passes, accumulation * passes."""
    checkpointing: bool = False
    """Keep only the inputs of layers and compute the rest again in the backward pass."""


def next_rung(rung: Rung, rows: int, documents: int) -> Rung | None:
    """The next way to need less memory; None when there is none left.

    Args:
        rung: The one on which memory ran out.
        rows: Rows of the micro-batch.
        documents: Documents of the micro-batch; a pass holds one at least.
    """
    finest = documents if rung.checkpointing else min(rows, documents)
    if rung.passes < finest:
        return rung._replace(passes=min(2 * rung.passes, finest))
    return None if rung.checkpointing else rung._replace(checkpointing=True)


def lowest(rungs: Sequence[Rung]) -> Rung:
    """The rung that needs no more memory than any of these."""
    return Rung(max(r.passes for r in rungs), any(r.checkpointing for r in rungs))


def lengths_of(batch: Mapping[str, Any]) -> list[int]:
    """Tokens of each document of a flat packed batch [1, tokens]."""
    if "cu_seq_lens_q" not in batch:
        return [batch["input_ids"].shape[1]]
    return [right - left for left, right in pairwise(batch["cu_seq_lens_q"].tolist())]


def split(batch: Mapping[str, Any], passes: int) -> list[PackedRow]:
    """A flat packed batch as so many rows, cut between documents.

    Fewer when there are fewer documents; about the same number of tokens in each.
    """
    lengths = lengths_of(batch)
    ids, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
    bounds = [0, *accumulate(lengths)]
    return [
        PackedRow(
            ids[bounds[first] : bounds[last]],
            labels[bounds[first] : bounds[last]],
            lengths[first:last],
        )
        for first, last in pairwise(_cuts(bounds, min(passes, len(lengths))))
    ]


def _cuts(bounds: list[int], parts: int) -> list[int]:
    """Indices into `bounds` that cut a row into parts of about the same length."""
    count = len(bounds) - 1
    cuts = [0]
    for number in range(1, parts):
        wanted = number * bounds[-1] / parts
        # Each part gets a document, and one is left over for every part to come.
        allowed = range(cuts[-1] + 1, count - (parts - number) + 1)
        cuts.append(min(allowed, key=lambda index: abs(bounds[index] - wanted)))
    return [*cuts, count]


class MemoryLadder:
    """The rung of a job, remembered in its folder: a later attempt begins where this one got to."""

    def __init__(self, folder: Path, *, checkpointing: bool = False) -> None:
        """`folder` is the job's work folder; `checkpointing` as the plan has it."""
        self._path = folder / FILE
        self.rung = Rung(checkpointing=checkpointing)
        self.steps: list[dict[str, Any]] = []
        """What was changed at which step, for the receipt."""
        if self._path.is_file():
            known = json.loads(self._path.read_text(encoding="utf-8"))
            self.steps = known["steps"]
            self.rung = Rung(known["passes"], known["checkpointing"] or checkpointing)

    def descend(self, step: int, rows: int, documents: int) -> bool:
        """Take the next rung; False when there is none."""
        lower = next_rung(self.rung, rows, documents)
        if lower is None:
            return False
        self.rung = lower
        self.steps.append({"step": step, **lower._asdict()})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps({**lower._asdict(), "steps": self.steps}), encoding="utf-8")
        temporary.replace(self._path)
        return True

    def words(self) -> str:
        """The rung in words."""
        spread = f"each micro-batch in {self.rung.passes} passes" if self.rung.passes > 1 else ""
        kept = "gradient checkpointing" if self.rung.checkpointing else ""
        return " and ".join(part for part in (spread, kept) if part)


def keep_inputs_only(model: Any) -> None:
    """Turn gradient checkpointing on in a loaded model, adapter and all.

    Without re-entrance, which needs no input with a gradient: the base is frozen.
    """
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})

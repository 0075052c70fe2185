"""transformers' Trainer on packed rows: exact document bounds, loss on trained positions only.

Checkpoints, bit-equal resume, accumulation and callbacks are the Trainer's own; what is ours is
the batch, the loss and an evaluation weighted by tokens (the stock one averages row means).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from transformers import Trainer

from podtune.data.masks import IGNORED, Example


class PackedRow(NamedTuple):
    """One training row: documents laid end to end."""

    input_ids: list[int]
    labels: list[int]
    lengths: list[int]


def lay_out(examples: Sequence[Example], rows: Sequence[Sequence[int]]) -> list[PackedRow]:
    """Documents into rows as the packing says.

    The first label of each document is masked: its prediction would come from the previous one.
    """
    packed: list[PackedRow] = []
    for row in rows:
        chosen = [examples[index] for index in row]
        packed.append(
            PackedRow(
                [token for e in chosen for token in e.input_ids],
                [label for e in chosen for label in (IGNORED, *e.labels[1:])],
                [len(e.input_ids) for e in chosen],
            )
        )
    return packed


def collate(rows: Sequence[PackedRow]) -> dict[str, Any]:
    """Rows -> one flat batch [1, tokens] with positions and document bounds, and no mask."""
    lengths = torch.tensor([n for row in rows for n in row.lengths])
    bounds = torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
    positions = torch.cat([torch.arange(int(n)) for n in lengths])
    longest = int(lengths.max())
    return {
        "input_ids": torch.tensor([[t for row in rows for t in row.input_ids]]),
        "labels": torch.tensor([[t for row in rows for t in row.labels]]),
        "position_ids": positions[None],
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def token_loss(model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, int, Any]:
    """Summed negative log-likelihood of the trained tokens, and how many they are.

    The head runs only where the next token is trained, by transformers' own `logits_to_keep`.
    """
    inputs = dict(batch)
    if "attention_mask" in inputs:
        raise ValueError("a packed batch carries no attention_mask: documents would leak")
    targets = inputs.pop("labels")[0, 1:]
    keep = (targets != IGNORED).nonzero().squeeze(1)
    output = model(**inputs, use_cache=False, logits_to_keep=keep)
    loss = torch.nn.functional.cross_entropy(
        output.logits[0].float(), targets[keep], reduction="sum"
    )
    return loss, keep.numel(), output


class PackedTrainer(Trainer):
    """Trains on `PackedRow`s."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """As transformers.Trainer; the collator is ours."""
        super().__init__(*arguments, data_collator=collate, **options)
        self.model_accepts_loss_kwargs = True  # the loss is divided by the step's token count here
        self.tokens_seen = 0

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
        **_: Any,
    ) -> Any:
        """Mean over the trained tokens of the whole optimizer step, however they are spread."""
        total, trained, output = token_loss(model, inputs)
        self.tokens_seen += inputs["input_ids"].numel()
        loss = total / (num_items_in_batch if num_items_in_batch is not None else max(1, trained))
        return (loss, output) if return_outputs else loss

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Token-weighted loss over the held-out rows."""
        rows: Any = self.eval_dataset if eval_dataset is None else eval_dataset
        model: Any = self.model
        training = model.training
        model.eval()
        total, trained = 0.0, 0
        with torch.no_grad():
            for row in rows:
                loss, tokens, _ = token_loss(model, self._prepare_inputs(collate([row])))
                total, trained = total + float(loss), trained + tokens
        model.train(training)
        metrics = {f"{metric_key_prefix}_loss": total / max(1, trained)}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

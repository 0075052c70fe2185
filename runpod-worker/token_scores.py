"""Log-probabilities of the trained tokens of a packed batch: what every loss here is made of.

The head runs only where the next token is trained, by transformers' own `logits_to_keep`. Where
those logits would still be large (a vocabulary of 150,000 in fp32 is 0.6 MB a token) the head
runs over them in pieces: the same numbers, bounded memory.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from packed_rows import documents_of, trained_positions

Logits = Callable[[torch.Tensor], torch.Tensor]

PIECE_BYTES = 256 << 20
"""Logits in fp32 that are held at once; the softmax and its gradient take as much again each."""
PROBE_TOKENS = 8


class TokenScores(NamedTuple):
    """Scores of the trained tokens of a batch, in their order."""

    log_probs: torch.Tensor
    """[trained], fp32."""
    documents: torch.Tensor
    """[trained]: which document of the batch each belongs to."""

    def by_document(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Sums of log-probabilities [count], and how many tokens each sum has [count]."""
        sums = self.log_probs.new_zeros(count).index_add(0, self.documents, self.log_probs)
        return sums, torch.bincount(self.documents, minlength=count)


class Head(NamedTuple):
    """A model's output layer, and what the model does to its logits."""

    module: torch.nn.Module
    finish: Logits
    tokens: int
    """Tokens whose logits are held at once."""

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Of hidden states [tokens, hidden]; fp32."""
        return self.finish(self.module(hidden)).float()


class TokenScorer:
    """Scores batches of one model."""

    def __init__(self, *, head: Head | None = None, apart: bool = False) -> None:
        """As `scorer_of` finds them.

        Args:
            head: Run over many tokens in pieces; None: always at once.
            apart: One forward for each document, for models that cannot tell them apart.
        """
        self._head, self._apart = head, apart

    def score(self, model: Any, batch: dict[str, Any]) -> TokenScores:
        """Run a model (wrapped as it may be) over a batch.

        Raises:
            ValueError: the batch carries an attention mask.
        """
        refuse_unsound(batch)
        if not self._apart:
            return self._score(model, batch)
        parts = [self._score(model, document) for document in documents_of(batch)]
        return TokenScores(
            torch.cat([part.log_probs for part in parts]),
            torch.cat([part.documents + i for i, part in enumerate(parts)]),
        )

    def _score(self, model: Any, batch: dict[str, Any]) -> TokenScores:
        inputs = dict(batch)
        targets = inputs.pop("labels")[0, 1:]
        keep = inputs.pop("trained_positions", None)
        if keep is None:
            keep = trained_positions(batch["labels"][0])
        documents = torch.zeros_like(keep)
        if "cu_seq_lens_q" in inputs:
            ends = inputs["cu_seq_lens_q"][1:].long()
            documents = torch.bucketize(keep, ends, right=True)
        inputs |= {"use_cache": False, "logits_to_keep": keep}
        targets = targets[keep]
        if self._head is None or keep.numel() <= self._head.tokens:
            logits = model(**inputs).logits[0]
            return TokenScores(_log_probs(logits.float(), targets), documents)
        with _captured(self._head.module, cut=True) as taken:
            model(**inputs)
        return TokenScores(_in_pieces(self._head, taken[0][0], targets), documents)


def scorer_of(
    model: Any, *, tokens: int, apart: bool = False, piece_bytes: int = PIECE_BYTES
) -> TokenScorer:
    """A scorer for a model: with a head in pieces where its logits may be large.

    What the model does to its logits is found by trying: of the known ways (nothing, capping,
    scaling) the one that gives the model's own logits for a few tokens. Where none does, the
    logits stay whole.

    Args:
        model: Loaded, with its adapter; unwrapped.
        tokens: Tokens of the largest batch.
        apart: As for `TokenScorer`.
        piece_bytes: As `PIECE_BYTES`.
    """
    module = model.get_output_embeddings()
    if module is None:
        return TokenScorer(apart=apart)
    at_once = max(1, piece_bytes // (4 * _outputs(module)))
    finish = _finish_of(model, module) if tokens > at_once else None
    return TokenScorer(head=None if finish is None else Head(module, finish, at_once), apart=apart)


def refuse_unsound(batch: dict[str, Any]) -> None:
    """Raise for a batch in which documents would see each other.

    Raises:
        ValueError: it carries an attention mask (gradient off by 100 %, training.md section 3).
    """
    if "attention_mask" in batch:
        raise ValueError("a packed batch carries no attention_mask: documents would leak")


def _log_probs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return -functional.cross_entropy(logits, targets, reduction="none")


def _in_pieces(head: Head, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-probabilities [tokens] of hidden states [tokens, hidden], some tokens at a time."""
    if not any(parameter.requires_grad for parameter in head.module.parameters()):
        return _FrozenHead.apply(hidden, targets, head)  # type: ignore[no-any-return]
    pieces = zip(hidden.split(head.tokens), targets.split(head.tokens), strict=True)
    return torch.cat([checkpoint(_piece_log_probs, head, *p, use_reentrant=False) for p in pieces])


def _outputs(module: Any) -> int:
    """Logits of one token."""
    return int(getattr(module, "out_features", 0) or module.weight.shape[0])


def _piece_log_probs(head: Head, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return _log_probs(head.logits(hidden), targets)


class _FrozenHead(torch.autograd.Function):
    """A head without trained weights: each piece's gradient is made at once, its logits let go.

    A token's score depends on its own hidden state only, so the gradient of all scores can be
    made before it is known how they are weighed; backward multiplies the weights in.
    """

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, targets: torch.Tensor, head: Head) -> torch.Tensor:
        wanted = ctx.needs_input_grad[0]
        scores, gradients = [], []
        pieces = zip(hidden.split(head.tokens), targets.split(head.tokens), strict=True)
        for states, next_tokens in pieces:
            with torch.set_grad_enabled(wanted):
                leaf = states.detach().requires_grad_(wanted)
                score = _piece_log_probs(head, leaf, next_tokens)
                if wanted:
                    gradients += torch.autograd.grad(score.sum(), leaf)
            scores.append(score.detach())
        ctx.save_for_backward(torch.cat(gradients) if gradients else hidden[:0])
        return torch.cat(scores)

    @staticmethod
    def backward(ctx: Any, *weights: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradients,) = ctx.saved_tensors
        weighed = gradients.float() * weights[0][:, None]
        return weighed.to(gradients.dtype), None, None


@contextmanager
def _captured(module: torch.nn.Module, *, cut: bool) -> Generator[list[torch.Tensor]]:
    """What a module is given while the context lasts; with `cut` it computes nothing."""
    taken: list[torch.Tensor] = []

    def take(_: Any, arguments: tuple[torch.Tensor, ...]) -> Any:
        taken.append(arguments[0])
        return (arguments[0][:, :0], *arguments[1:]) if cut else None

    handle = module.register_forward_pre_hook(take)
    try:
        yield taken
    finally:
        handle.remove()


def _finish_of(model: Any, module: torch.nn.Module) -> Logits | None:
    """What turns the output layer's values into the model's logits; None: nothing known does."""
    device = next(module.parameters()).device
    probe = torch.arange(3, 3 + PROBE_TOKENS, device=device)[None]
    with torch.no_grad(), _captured(module, cut=False) as taken:
        expected = model(input_ids=probe, use_cache=False).logits.float()
        raw = module(taken[0])
    best = min(
        _known_finishes(model.config.get_text_config()),
        key=lambda finish: float((finish(raw).float() - expected).abs().max()),
    )
    fits = torch.allclose(best(raw).float(), expected, rtol=1e-3, atol=1e-6)
    return best if fits else None


def _known_finishes(config: Any) -> Iterator[Logits]:
    """Nothing; a cap (Gemma); a scale to multiply by (Cohere) or to divide by (Granite)."""
    yield lambda logits: logits
    cap = getattr(config, "final_logit_softcapping", None)
    if cap:
        yield lambda logits: torch.tanh(logits / cap) * cap
    for name in ("logit_scale", "logits_scaling"):
        scale = getattr(config, name, None)
        if scale:
            yield lambda logits, scale=scale: logits * scale
            yield lambda logits, scale=scale: logits / scale

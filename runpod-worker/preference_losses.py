"""The losses of preference training, on log-probabilities of whole answers.

Pure arithmetic on tensors [pairs] or [documents]; knows nothing of models or rows.
"""

import math
from typing import NamedTuple

import torch
from torch.nn import functional


class Weights(NamedTuple):
    """How much good and bad answers count in KTO."""

    good: float = 1.0
    bad: float = 1.0


EQUAL = Weights()


def dpo(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    reference_chosen: torch.Tensor,
    reference_rejected: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """Loss of each pair [pairs], from summed log-probabilities of its answers.

    Source: Rafailov et al. 2023, arXiv 2305.18290, equation 7.
    """
    margin = (chosen - rejected) - (reference_chosen - reference_rejected)
    return -functional.logsigmoid(beta * margin)


def orpo(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
    """Odds-ratio term of each pair [pairs], from mean log-probabilities of its answers' tokens.

    The whole loss is the negative log-likelihood of the better answers plus beta times this.

    Source: Hong et al. 2024, arXiv 2403.07691, equations 4 and 7.
    """
    log_odds = (chosen - rejected) - (log_one_minus_exp(chosen) - log_one_minus_exp(rejected))
    return -functional.logsigmoid(log_odds)


def kto(
    log_ratios: torch.Tensor,
    good: torch.Tensor,
    divergence: float,
    beta: float,
    weights: Weights = EQUAL,
) -> torch.Tensor:
    """Loss of each document [documents].

    Args:
        log_ratios: Summed log-probability of the answer, minus the reference's.
        good: Whether the answer was rated good; bool.
        divergence: KL of the model from the reference (z0), at least 0.
        beta: How closely the reference is kept to.
        weights: Of good and of bad answers.

    Source: Ethayarajh et al. 2024, arXiv 2402.01306, equation 8; the value of an answer is
    sigmoid(beta (r - z0)) or, for a bad one, sigmoid(beta (z0 - r)), and the loss its distance
    from 1.
    """
    signs = torch.where(good, 1.0, -1.0)
    counts = torch.where(good, weights.good, weights.bad)
    return counts * (1 - torch.sigmoid(signs * beta * (log_ratios - divergence)))


def kto_weights(good: int, bad: int) -> Weights:
    """Weights by which the rarer kind of answers counts as much as the other in all.

    Source: the KTO paper, equation 9: the ratio of both sides' total weight is to lie in
    [1, 4/3]; this makes it 1.

    >>> kto_weights(90, 30)
    Weights(good=1.0, bad=3.0)
    """
    if not good or not bad:
        return EQUAL
    return Weights(max(1.0, bad / good), max(1.0, good / bad))


def log_one_minus_exp(log_probs: torch.Tensor) -> torch.Tensor:
    """log(1 - exp(x)) for x < 0 without losing digits at either end.

    Source: Maechler 2012, "Accurately Computing log(1 - exp(-|a|))".
    """
    near = log_probs > -math.log(2)
    small = torch.where(near, log_probs, -1.0)
    large = torch.where(near, -1.0, log_probs)
    return torch.where(near, torch.log(-torch.expm1(small)), torch.log1p(-torch.exp(large)))

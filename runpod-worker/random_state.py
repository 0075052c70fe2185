"""The states of all random generators a training draws from, taken and put back.

Knows nothing of what is drawn. Dropout draws from torch's generator of the device; order of rows
comes from a generator of its own (accelerate's seedable sampler) and is not touched here.
"""

import random
from typing import Any, NamedTuple

import numpy as np
import torch


class RandomState(NamedTuple):
    """Where every generator stands; some kilobytes."""

    python: Any
    numpy: Any
    cpu: torch.Tensor
    cuda: list[torch.Tensor]
    """One for each CUDA device, none where CUDA is not in use."""


def take() -> RandomState:
    """The states now. Costs some microseconds and no synchronisation with a device."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return RandomState(random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda)


def put_back(state: RandomState) -> None:
    """Go on drawing from where the generators stood."""
    random.setstate(state.python)
    np.random.set_state(state.numpy)
    torch.set_rng_state(state.cpu)
    if state.cuda:
        torch.cuda.set_rng_state_all(state.cuda)

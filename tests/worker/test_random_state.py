import random

import numpy as np
import torch

import random_state


def draw():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_what_was_drawn_is_drawn_again():
    state = random_state.take()
    first = draw()
    assert draw() != first
    random_state.put_back(state)
    assert draw() == first


def test_taking_it_draws_nothing():
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    random_state.take()
    assert torch.equal(torch.rand(3), expected)

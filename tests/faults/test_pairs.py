"""A sample of all pairs of crash points; every pair is `make faults`'s."""

import pytest

from faults import pairs
from faults.stage import Stage

EVERY = 97


@pytest.mark.parametrize("name", pairs.STORIES)
def test_a_driver_may_die_at_two_points_of_a_story(name):
    story = pairs.STORIES[name]
    with Stage() as stage, stage.playing():
        chosen = list(pairs.pairs(stage, story, every=EVERY))
        assert len(chosen) >= 5
        for pair in chosen:
            audit, wrong = pairs.play(stage, story, pair)
            assert wrong == {}, pair
            assert audit.ledger.counts["kills"] >= 1

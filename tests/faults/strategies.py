"""Schedules for hypothesis: the same type that seeds draw, so that what it finds shrinks to few steps."""

from hypothesis import strategies as st

from faults.schedule import GPUS, Schedule, Step, What, draw


def schedules() -> st.SearchStrategy[Schedule]:
    """Any part of the schedule of any seed: it shrinks to the steps that matter."""
    whole = st.integers(0, 100_000).map(draw)
    return whole.flatmap(_parts)


def _parts(schedule: Schedule) -> st.SearchStrategy[Schedule]:
    kept = st.lists(st.booleans(), min_size=len(schedule), max_size=len(schedule))
    return kept.map(lambda which: tuple(s for s, keep in zip(schedule, which, strict=True) if keep))


def steps() -> st.SearchStrategy[Schedule]:
    """Schedules of free steps: cancels, kills, losses, offers."""
    moments = st.integers(0, 90).map(float)
    gpus = st.lists(st.sampled_from(GPUS), min_size=1, max_size=4, unique=True)
    one = st.one_of(
        st.builds(Step, moments, st.just(What.CANCEL), st.just({})),
        st.builds(
            lambda at, point, back: Step(at, What.KILL, {"point": point, "back_s": back}),
            moments, st.integers(1, 12), st.sampled_from((0.5, 30, 600)),
        ),
        st.builds(lambda found: Step(0, What.OFFERS, {"gpus": found}), gpus),
        st.builds(
            lambda nth: Step(
                0, What.FAULT, {"kind": "after_effect", "route": "create_pod", "nth": [nth]}
            ),
            st.integers(1, 2),
        ),
        st.builds(
            lambda s: Step(0, What.FAULT, {"kind": "eviction", "seconds": s, "nth": [1]}),
            st.integers(0, 60),
        ),
    )  # fmt: skip
    return st.lists(one, max_size=6).map(lambda found: tuple(sorted(found, key=lambda s: s.at)))

"""The types that cross the seam."""

from pathlib import Path

from podtune.providers.base import InstanceState, LaunchRequest, Provider
from podtune.providers.local.processes import LocalProvider


def test_an_instance_exists_in_three_ways_or_is_gone():
    assert {state.value for state in InstanceState} == {"starting", "running", "stopped", "gone"}


def test_a_launch_request_is_a_plain_value():
    one = LaunchRequest("pt-a-b-1", Path("/x"), {"A": "1"})
    assert one == LaunchRequest(name="pt-a-b-1", folder=Path("/x"), environment={"A": "1"})


def test_the_local_provider_has_every_verb_of_the_seam():
    verbs = {name for name in vars(Provider) if not name.startswith("_")}
    assert verbs == {"launch", "inspect", "terminate", "owned"}
    assert all(callable(getattr(LocalProvider, verb)) for verb in verbs)

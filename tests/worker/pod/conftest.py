import pytest

from support import pod_bundles, pod_machine


@pytest.fixture
def machine(tmp_path):
    """A machine that waits for work; a test may change its environment before it is started."""
    made = pod_machine.Machine(tmp_path / "machine")
    yield made
    made.end()
    made.control.close()


@pytest.fixture
def up(machine):
    """The same, started."""
    machine.start()
    pod_machine.eventually(machine.is_up)
    return machine


@pytest.fixture
def bundle(tmp_path):
    return pod_bundles.write(tmp_path / "bundle.tar")


@pytest.fixture
def long_bundle(tmp_path):
    """Its trainer waits for the file `go`."""
    return pod_bundles.write(tmp_path / "bundle.tar", mode="wait")

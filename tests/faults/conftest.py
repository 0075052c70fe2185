"""What several harnesses of real processes share."""

import pytest

from faults.real_drivers import Drivers
from faults.real_world import Template


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A home with one planned job, to copy."""
    with Template(tmp_path_factory.mktemp("template")) as made:
        yield made


@pytest.fixture(scope="module")
def drivers():
    """Where drivers are started from."""
    with Drivers() as started:
        yield started

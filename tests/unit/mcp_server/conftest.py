"""A served house on a home of its own, with data and a model in its workspace; nothing is driven."""

import pytest

from podtune.app.settings import Settings
from support import homes
from support.agents import Host


@pytest.fixture
def work(tmp_path):
    """The working folder: `tickets.jsonl` and `model/`."""
    folder = tmp_path / "work"
    homes.data(folder)
    homes.model(folder / "model")
    return folder


@pytest.fixture
def hosted(tmp_path, work):
    """Serve a house with these settings."""
    made = []

    def start(*folders, door=None, closing=None, **settings):
        home = Settings(home=tmp_path / "home", **settings)
        made.append(Host(home, *(folders or (work,)), door=door, closing=closing))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def host(hosted):
    return hosted()


@pytest.fixture
def planned(host):
    """A plan of the house, ready to be submitted."""
    return host.told("plan", fields={"data.source": "tickets.jsonl", "base_model": "model"})

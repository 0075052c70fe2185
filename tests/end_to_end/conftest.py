import pytest

from support.home import Home


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home", tmp_path)
    yield made
    made.end_everything()

"""A request read at a fixed local time: Sunday, 22 November 2026, ten in the morning."""

from datetime import datetime

import pytest

from podtune.intake.words.parse import parse

NOW = datetime(2026, 11, 22, 10)  # noqa: DTZ001 - local time, as people mean `tomorrow`


@pytest.fixture
def read():
    """A request -> what it states."""
    return lambda request: parse(request, NOW)


@pytest.fixture
def fields(read):
    """A request -> the fields it states."""
    return lambda request: dict(read(request).fields)

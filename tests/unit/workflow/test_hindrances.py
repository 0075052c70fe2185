"""Each reason to wait says what to do."""

import pytest

from podtune.workflow import hindrances
from podtune.workflow.shifts import Orphan
from support.driving import ME


@pytest.mark.parametrize(
    ("account", "host", "driver", "words"),
    [
        (None, "there", ME, "run `podtune watch` there"),
        (None, "there", ME._replace(account="acc"), "run `podtune watch` there"),
        ("old", None, ME, "RUNPOD_API_KEY is not set"),
        ("old", "here", ME, "RUNPOD_API_KEY is not set"),
        ("old", None, ME._replace(account="acc"), "not what the job was submitted with"),
    ],
)
def test_why_nobody_drives_a_job(account, host, driver, words):
    told = hindrances.of(Orphan("a", account, host, None), driver)
    assert told.startswith("waits: ")
    assert words in told
    assert "podtune watch" in told

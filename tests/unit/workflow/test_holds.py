import json

import pytest
from sqlalchemy import insert

from podtune.workflow import holds
from podtune.workflow.holds import Hold
from podtune.workflow.store import JobStore
from podtune.workflow.tables import submissions


@pytest.fixture
def connection(tmp_path):
    store = JobStore(tmp_path / "podtune.db")
    with store.transaction() as opened:
        opened.execute(
            insert(submissions).values(
                id="rows-abc", owner="me", tenant="ann", kind="openai", digest="0" * 64,
                note=json.dumps({"suffix": "bot"}), state="accepted", created_at=1,
            )
        )  # fmt: skip
        yield opened
    store.close()


def test_a_hold_is_put_and_taken_and_the_rest_of_the_note_stays(connection):
    assert holds.find(connection, "rows-abc") == Hold("openai", paused=False)
    holds.put(connection, "rows-abc", paused=True)
    holds.put(connection, "rows-abc", paused=True)
    assert holds.find(connection, "rows-abc") == Hold("openai", paused=True)
    holds.put(connection, "rows-abc", paused=False)
    note = connection.execute(submissions.select()).one().note
    assert json.loads(note) == {"suffix": "bot"}


def test_a_job_without_a_submission_has_none(connection):
    holds.put(connection, "other", paused=True)
    assert holds.find(connection, "other") is None

"""The types between a face and the desk."""

import inspect

from podtune.app.asked import Asked, SubmissionState, Submitted
from podtune.app.desk import Desk
from podtune.core.request import TrainingRequest


def test_a_plan_is_approved_only_where_somebody_says_so():
    asked = Asked(TrainingRequest(), "training", None, "0" * 64, {})
    assert asked.plan_digest is None


def test_states_are_the_words_of_the_rows():
    from podtune.workflow import submissions as rows

    assert set(SubmissionState) == {rows.PREPARING, rows.ACCEPTED, rows.REFUSED}


def test_every_verb_of_the_desk_that_gives_a_job_gives_it_so():
    for verb in (Desk.submit, Desk.get, Desk.cancel, Desk.resume):
        assert inspect.signature(verb).return_annotation is Submitted

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.providers.runpod import names

WORD = st.text("abcdefghjkmnpqrstuvwxyz23456789", min_size=1, max_size=16)


@given(WORD, st.lists(WORD, min_size=1, max_size=3), st.integers(1, 99), st.integers(1, 2**33))
def test_what_a_name_says_is_read_back(owner, words, attempt, deadline):
    job = "-".join(words)
    said = names.parse(f"pt-{owner}-{job}-{attempt}-x{deadline}")
    assert said is not None
    assert (said.owner, said.job, said.attempt) == (owner, job, attempt)
    assert said.deadline == datetime.fromtimestamp(deadline, UTC)


def test_a_name_of_this_machine_has_no_deadline():
    said = names.parse("pt-abcdefgh-k2m9qx-3")
    assert said == ("abcdefgh", "k2m9qx", 3, None)


@pytest.mark.parametrize(
    "name", ["", "my-pod", "pt-", "pt-abc", "pt-abc-job", "PT-abc-job-1", "xpt-abc-job-1", "pt-abc-job-1-x", "pt-abc-job-1\n"]
)  # fmt: skip
def test_another_form_is_none_of_ours(name):
    assert names.parse(name) is None


@given(st.text(max_size=200))
def test_any_text_is_read_without_failing(text):
    names.parse(text)
    names.parse("pt-" + text)


def test_an_owner_that_only_begins_so_is_another():
    assert names.is_owned("pt-abc-job-1", "abc")
    assert not names.is_owned("pt-abcd-job-1", "abc")
    assert not names.is_owned("pt-abc", "abc")

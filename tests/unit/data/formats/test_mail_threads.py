# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats.mail_message import Mail
from podtune.data.formats.mail_threads import subject_key, threads


def mail(number, subject="", answers=(), sender="a@x", to=("b@y",), time=None):
    return Mail(
        line=number, id=str(number), answers=tuple(map(str, answers)), sender=sender, name="", recipients=frozenset(to),
        subject=subject, time=number if time is None else time, text="t", is_automatic=False, had_quotes=False, had_html=False,
    )  # fmt: skip


def lines(mails):
    return [[found.line for found in thread] for thread in threads(mails)]


def test_ids_tie_mails():
    assert lines([mail(1), mail(2), mail(3, answers=[1]), mail(4, answers=[1, 3])]) == [
        [1, 3, 4],
        [2],
    ]


def test_ids_of_mails_that_are_not_here_tie_too():
    assert lines([mail(1, answers=[99]), mail(2, answers=[99]), mail(3)]) == [[1, 2], [3]]


def test_threads_go_by_time_and_not_by_place():
    assert lines([mail(1, answers=[2], time=9), mail(2, time=5)]) == [[2, 1]]
    assert lines([mail(1, time=2)._replace(time=None), mail(2, answers=[1], time=1)]) == [[1, 2]]


def test_subjects_tie_replies_of_the_same_people():
    first, other = (
        mail(1, "Lamp", sender="a@x", to=["s@y"]),
        mail(2, "Lamp", sender="c@x", to=["t@y"]),
    )
    reply = mail(3, "RE: Lamp", sender="s@y", to=["a@x"])
    lost = mail(4, "AW: Lamp", answers=[77], sender="c@x", to=["t@y"])
    assert lines([first, other, reply, lost]) == [[1, 3], [2, 4]]


def test_equal_subjects_alone_tie_nothing():
    assert lines([mail(1, "Question"), mail(2, "Question"), mail(3, "Re:"), mail(4, "")]) == [
        [1],
        [2],
        [3],
        [4],
    ]


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        ("Lamp", ("lamp", False)),
        ("Re: Fwd: AW: Lamp", ("lamp", True)),
        ("RE[2]: Lamp ", ("lamp", True)),
        ("回复：Lamp", ("lamp", True)),
        ("[ticket 7] Re: Lamp", ("lamp", True)),
        ("Regards", ("regards", False)),
        ("Invoice: 7", ("invoice: 7", False)),
    ],
)
def test_prefixes_of_many_programs(subject, key):
    assert subject_key(subject) == key


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "x", "Re: x"]), st.lists(st.integers(0, 9), max_size=3)),
        max_size=10,
    )
)
def test_every_mail_is_in_one_thread(told):
    mails = [mail(at, subject, answers) for at, (subject, answers) in enumerate(told)]
    assert sorted(line for thread in lines(mails) for line in thread) == list(range(len(mails)))

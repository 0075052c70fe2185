# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats.exchanges import (
    GAP_SECONDS,
    MAX_RUN,
    Utterance,
    answering,
    asks,
    exchanges,
    far,
)
from support.readings import Pass, talk


def utterances(*told):
    return [Utterance(line, who, text, (at,)) for line, (who, text, at) in enumerate(told, start=1)]


def gathered(said, assistant="B"):
    made = Pass()
    found = list(exchanges(said, lambda part: part.speaker == assistant, made.reading))
    return [(record.line, talk(record)) for record in found], made.dropped


def test_runs_become_turns():
    said = utterances(
        ("A", "q", 0), ("C", "q2", 1), ("B", "a", 2), ("B", "a2", 3), ("A", "r", 4), ("B", "b", 5)
    )
    assert gathered(said) == (
        [
            (1, [("user", "q\nq2"), ("assistant", "a\na2")]),
            (5, [("user", "r"), ("assistant", "b")]),
        ],
        {},
    )


def test_a_long_silence_ends_an_exchange():
    late = GAP_SECONDS + 1
    said = utterances(
        ("A", "old", 0), ("A", "q", late), ("B", "a", late + 1), ("B", "unasked", 3 * late)
    )
    assert gathered(said) == (
        [(2, [("user", "q"), ("assistant", "a")])],
        {"unthreaded_messages_dropped": "2 messages"},
    )


def test_what_nobody_asked_or_answered_is_counted():
    said = utterances(("B", "hello", 0), ("A", "q", 1))
    assert gathered(said) == ([], {"unthreaded_messages_dropped": "2 messages"})


def test_an_endless_run_is_no_question():
    said = utterances(*[("A", "x", 0)] * (3 * MAX_RUN + 5), ("B", "a", 0))
    found, dropped = gathered(said)
    assert found == [(3 * MAX_RUN + 1, [("user", "\n".join("xxxxx")), ("assistant", "a")])]
    assert dropped == {"unthreaded_messages_dropped": f"{3 * MAX_RUN} messages"}


def test_ambiguous_dates_are_near_when_one_reading_is():
    assert not far(Utterance(1, "A", "", (0, 10**9)), Utterance(2, "A", "", (60, 0)))
    assert far(Utterance(1, "A", "", (0, None)), Utterance(2, "A", "", (10**6, 0)))
    assert not far(Utterance(1, "A", ""), Utterance(2, "A", "", (5,)))


def test_who_follows_questions_answers():
    said = utterances(
        ("A", "q?", 0), ("B", "a", 1), ("A", "and?", 2), ("B", "b", 3), ("A", "thanks", 4)
    )
    scores = answering(said)
    assert list(scores) == ["A", "B"]
    assert scores["B"] > scores["A"]


def test_a_name_such_as_support_outweighs_counts():
    said = utterances(("Support", "anything else?", 0), ("A", "no", 1))
    scores = answering(said)
    assert scores["Support"] > scores["A"]


def test_question_marks_of_other_scripts():
    assert asks("何？")
    assert asks("ماذا؟")
    assert not asks("what")


MESSAGES = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["x", "y?"]), st.floats(0, 10**6)),
    max_size=40,
)


@given(MESSAGES)
def test_every_message_is_told_or_counted(told):
    said = utterances(*told)
    found, dropped = gathered(said)
    kept = sum(len(content.split("\n")) for _, turns in found for _, content in turns)
    lost = int(dropped.get("unthreaded_messages_dropped", "0 ").split()[0])
    assert kept + lost == len(said)
    assert all([role for role, _ in turns] == ["user", "assistant"] for _, turns in found)
    answering(said)

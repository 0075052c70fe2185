import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podtune.core.dataset import Conversation, Message
from podtune.data.split import by_question, leaking_lines, normalise, sides
from support import build

questions = st.lists(st.text(alphabet="abcAB ?!.\t", max_size=6), max_size=30)
shares = st.floats(0, 0.49)


def rows(asked):
    return [build.conversation(text, f"answer {i}", i) for i, text in enumerate(asked, start=1)]


def asks(part):
    return {normalise(row.first_user_turn()) for row in part}


@given(questions, shares)
def test_the_two_sides_are_a_partition_in_the_file_s_order(asked, share):
    given_rows = rows(asked)
    split = by_question(given_rows, share)
    assert sorted(row.line for part in split for row in part) == list(range(1, len(asked) + 1))
    for part in split:
        assert [row.line for row in part] == sorted(row.line for row in part)


@given(questions, shares)
def test_no_question_stands_on_both_sides(asked, share):
    split = by_question(rows(asked), share)
    assert not asks(split.train) & asks(split.validation)
    assert leaking_lines(split.train, split.validation) == []


@example(["b", "c"], 0.49)  # the hashes of both are under the share
@given(questions, st.floats(0.001, 0.49))
def test_at_least_one_row_on_each_side_when_two_questions_differ(asked, share):
    split = by_question(rows(asked), share)
    if len({normalise(text) for text in asked}) > 1:
        assert split.train
        assert split.validation


@given(questions.filter(bool), shares)
def test_some_row_is_always_trained_on(asked, share):
    assert by_question(rows(asked), share).train


@given(st.randoms(use_true_random=False), st.floats(0.001, 0.49))
def test_shuffling_moves_no_row(random, share):
    given_rows = rows(f"question {i % 25}" for i in range(40))
    shuffled = list(given_rows)
    random.shuffle(shuffled)
    before, after = by_question(given_rows, share), by_question(shuffled, share)
    assert {row.line for row in before.validation} == {row.line for row in after.validation}


@given(st.integers(0, 100))
def test_adding_rows_moves_no_row(added):
    old = rows(f"question {i}" for i in range(100))
    new = [*old, *rows(f"another {i}" for i in range(added))]
    before, after = by_question(old, 0.2), by_question(new, 0.2)
    assert before.validation
    assert set(before.validation) <= set(after.validation)
    assert set(before.train) <= set(after.train)


def test_the_answer_and_the_system_text_do_not_decide():
    plain = [build.conversation(f"q{i}", "a", i) for i in range(50)]
    other = [build.conversation(f"q{i}", "b", i, system="s") for i in range(50)]
    held = [{row.line for row in by_question(part, 0.2).validation} for part in (plain, other)]
    assert held[0] == held[1]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
def test_about_the_share_is_held_out(share):
    split = by_question(rows(f"question {i}" for i in range(2000)), share)
    assert len(split.validation) == pytest.approx(2000 * share, rel=0.2)


def test_a_larger_share_holds_out_the_same_rows_and_more():
    given_rows = rows(f"question {i}" for i in range(300))
    held = [set(by_question(given_rows, share).validation) for share in (0.1, 0.2, 0.4)]
    assert held[0] < held[1] < held[2]


@pytest.mark.parametrize("share", [0, -1])
def test_no_share_holds_nothing_out(share):
    given_rows = rows(["a", "b"])
    assert by_question(given_rows, share) == (tuple(given_rows), ())


def test_one_question_alone_is_trained_on():
    given_rows = rows(["Why?", "why", " WHY ?"])
    assert by_question(given_rows, 0.49) == (tuple(given_rows), ())


def test_no_rows_give_no_rows():
    assert by_question([], 0.2) == ((), ())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("  How do I RESET it? ", "how do i reset it"),
        ("Why?!", "why"),
        ("Wait...", "wait"),
        ("a\n\tb", "a b"),
        ("\uff21\uff22\uff23", "abc"),
        ("Straße", "STRASSE"),
        ("one\u00a0two", "one two"),
    ],
)
def test_case_width_blanks_and_closing_marks_make_no_other_question(left, right):
    assert normalise(left) == normalise(right)


@pytest.mark.parametrize(
    ("left", "right"), [("a b", "ab"), ("is it 1.5", "is it 15"), ("why", "what"), ("é", "e")]
)
def test_other_words_make_another_question(left, right):
    assert normalise(left) != normalise(right)


@given(st.text())
def test_normalising_blanks_twice_is_normalising_once(text):
    once = normalise(text)
    assert once == once.strip()
    assert "  " not in once
    assert normalise(f"\t{text} ") == once


def test_leaking_lines_are_those_of_the_held_out_rows():
    train = rows(["How?", "Why?"])
    held = [build.conversation(text, "x", 70 + i) for i, text in enumerate(["WHY", "Who", "how ?"])]
    assert leaking_lines(train, held) == [70, 72]


def test_rows_nobody_asks_count_as_one_question():
    silent = [
        Conversation(messages=(Message(role="assistant", content=str(i)),), line=i)
        for i in range(4)
    ]
    split = by_question([*silent, *rows(["Why?"])], 0.3)
    with_them = [part for part in split if set(part) & set(silent)]
    assert len(with_them) == 1
    assert set(silent) <= set(with_them[0])


def test_a_source_that_says_its_sides_is_taken_at_its_word():
    said = ["train", "validation", None, "train"]
    given_rows = [row._replace(split=s) for row, s in zip(rows("abcd"), said, strict=True)]
    split = sides(given_rows, 0.4)
    assert ([r.line for r in split.train], [r.line for r in split.validation]) == ([1, 3, 4], [2])


@given(questions, shares)
def test_a_source_that_holds_nothing_out_is_split_by_question(asked, share):
    given_rows = [row._replace(split="train") for row in rows(asked)]
    assert sides(given_rows, share) == by_question(given_rows, share)

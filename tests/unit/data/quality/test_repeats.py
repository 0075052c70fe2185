import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.quality import repeats
from podtune.data.quality.repeats import Repeats, Seen

QUESTION = "My speaker will not pair with my phone, what can I do about it?"
ANSWER = (
    "Hold the key for six seconds until the light blinks blue, then remove the speaker from the"
    " list of your phone and add it again as a new device."
)
NEW = Seen(None, None, None)


def whole(question, answer):
    return f"[user] {question} [assistant] {answer}"


def see_all(*pairs):
    seen = Repeats()
    return [seen.see(i, q, a, whole(q, a)) for i, (q, a) in enumerate(pairs, start=1)]


def second(question, answer, first=(QUESTION, ANSWER)):
    return see_all(first, (question, answer))[1]


def test_the_same_text_is_an_exact_repeat_whatever_its_blanks():
    assert second(QUESTION, ANSWER) == Seen(duplicate_of=1)
    assert second(QUESTION.replace(" ", "  "), f"\n{ANSWER}\t") == Seen(duplicate_of=1)


def test_every_repeat_names_the_first_row():
    assert see_all(*[(QUESTION, ANSWER)] * 3)[1:] == [Seen(duplicate_of=1)] * 2


def test_a_repeat_of_a_later_row_with_the_same_question_is_found():
    rows = see_all((QUESTION, "yes"), (QUESTION, "no"), (QUESTION, "no"))
    assert rows[1:] == [Seen(conflicts_with=1), Seen(duplicate_of=2)]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (QUESTION.upper(), ANSWER),
        (QUESTION.replace(",", " -"), ANSWER.rstrip(".")),
        (f"Hello, {QUESTION}", ANSWER),
        (QUESTION.replace("speaker", "speeker"), ANSWER),
        (QUESTION, ANSWER.replace("device", "devices")),
        (QUESTION, ANSWER + " Thank you!"),
        (QUESTION.replace("can I", "I can"), ANSWER),
    ],
)
def test_near_repeats(question, answer):
    assert second(question, answer) == Seen(near_of=1)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (QUESTION.replace("speaker", "printer"), ANSWER.replace("speaker", "printer")),
        (QUESTION.replace("speaker", "printer"), ANSWER),
        (QUESTION.replace("phone", "phone 12"), ANSWER),
        (QUESTION, ANSWER),
    ],
)
def test_a_template_with_another_name_or_number_is_another_row(question, answer):
    first = (QUESTION.replace("phone", "phone 11"), ANSWER.replace("blue", "red"))
    assert second(question, answer, first) == NEW


def test_a_long_template_with_one_other_number_or_colour_is_another_row():
    long = " ".join([ANSWER] * 5)
    for old, new in [("blue", "red"), ("six", "nine"), ("key", "key 2")]:
        got = second(f"{QUESTION} {new}", long.replace(old, new), (f"{QUESTION} {old}", long))
        assert got == NEW


def test_short_rows_are_near_repeats_only_when_folding_makes_them_the_same():
    assert second("is it open", "yes, it is", ("Is it open?", "Yes it is!")).near_of == 1
    assert second("Is it open?", "Yes, it is not.", ("Is it open?", "Yes, it is.")) == Seen(
        conflicts_with=1
    )


def test_signs_that_tell_things_apart_are_kept():
    assert second("Is C++ old?", "Yes.", ("Is C# old?", "Yes.")) == NEW


def test_rows_without_blanks_between_words():
    q, a = (
        "電話が繋がりません",
        "設定を開いて、ブルートゥースを一度切り、もう一度入れてからお試しください。",
    )
    assert second(q, "まず、" + a, (q, a)).near_of == 1
    assert second("時計が繋がりません", a, (q, a)) == NEW


@pytest.mark.parametrize("question", [QUESTION, QUESTION.upper(), QUESTION.rstrip("?") + " "])
def test_another_answer_to_the_same_question_is_a_conflict(question):
    assert second(question, "Please bring it to us.") == Seen(conflicts_with=1)


def test_rows_without_a_question_do_not_contradict_each_other():
    assert second("", "two", ("", "one")) == NEW


def test_the_caller_s_row_numbers_are_given_back():
    seen = Repeats()
    seen.see(17, "a", "b", "a|b")
    assert seen.see(99, "a", "b", "a|b").duplicate_of == 17


def test_beyond_its_limit_only_near_repeats_are_missed(monkeypatch):
    monkeypatch.setattr(repeats, "NEAR_ROWS", 1)
    seen = Repeats()
    seen.see(1, QUESTION, ANSWER, whole(QUESTION, ANSWER))
    assert seen.near_complete
    assert seen.see(2, f"Hi, {QUESTION}", ANSWER, whole(f"Hi, {QUESTION}", ANSWER)) == NEW
    assert not seen.near_complete
    assert seen.see(3, QUESTION, ANSWER, whole(QUESTION, ANSWER)) == Seen(duplicate_of=1)


def test_the_text_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(repeats, "NEAR_CHARACTERS", 100)
    seen = Repeats()
    for row in range(3):
        seen.see(row, QUESTION, f"{ANSWER} {row}", f"{QUESTION} {ANSWER} {row}")
    assert not seen.near_complete


def test_thousands_of_rows_of_one_template_are_no_repeats():
    seen = Repeats()
    for row in range(2_000):
        q, a = QUESTION.replace("phone", f"phone {row}"), ANSWER.replace("six", str(row))
        assert seen.see(row, q, a, whole(q, a)) == NEW


def test_the_commonest_answer():
    seen = Repeats()
    assert seen.commonest_answer() == (0, 0)
    for row, answer in enumerate(["one", "Two.", "three", "two", "", "TWO", "three"], start=1):
        seen.see(row, f"q{row}", answer, f"q{row}|{answer}")
        assert row > 3 or seen.commonest_answer() == (1, 1)
    assert seen.commonest_answer() == (3, 2)


short = st.text(alphabet="ab .A\u00e9", max_size=4)


@given(st.lists(st.tuples(short, short), max_size=12))
def test_exact_repeats_and_conflicts_are_those_of_the_definition(pairs):
    collapsed, asked = {}, {}
    for row, ((q, a), seen) in enumerate(zip(pairs, see_all(*pairs), strict=True), start=1):
        text = " ".join(whole(q, a).split())
        assert seen.duplicate_of == collapsed.get(text)
        question, answer = repeats.normalise(q), repeats.normalise(a)
        first = asked.setdefault(question, (row, answer))
        if seen.conflicts_with:
            assert first[0] == seen.conflicts_with
            assert first[1] != answer
        elif first[1] != answer and q.strip():
            assert seen.duplicate_of or seen.near_of
        assert sum(value is not None for value in seen) <= 1
        collapsed.setdefault(text, row)


@given(st.lists(st.text(), min_size=1, max_size=6))
def test_no_text_breaks_it(texts):
    seen = Repeats()
    for row, text in enumerate(texts):
        seen.see(row, text, text[::-1], text * 30)


def test_a_lone_surrogate_breaks_nothing():
    text = "\ud800 " + " ".join("abcdefghijklmnopqrstuvwxyz")
    assert see_all((text, text), (text, text))[1] == Seen(duplicate_of=1)

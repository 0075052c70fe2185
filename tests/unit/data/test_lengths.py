import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.dataset import TEXT_ROLE, Conversation, Message
from podtune.core.spec import Method
from podtune.data.lengths import (
    CHARACTERS_PER_TOKEN,
    TOKENS_PER_CONVERSATION,
    TOKENS_PER_MESSAGE,
    Lengths,
    counted,
    estimate,
    estimated,
)
from podtune.data.masks import IGNORED, Example, encode
from podtune.data.preferences import Pair, Rated
from podtune.data.sizes import Sizes
from support import build

texts = st.text(min_size=1, max_size=500)


def example(length, trained):
    ids = tuple(range(length))
    labels = (IGNORED,) * (length - trained) + ids[length - trained :]
    return Example(ids, labels, line=1)


def test_counted_lengths_are_those_of_the_examples():
    lengths = counted([example(10, 4), example(3, 1)], [example(7, 2)])
    assert lengths == Lengths(
        exact=True, train=(10, 3), trained=(4, 1), validation=(7,), longest_document=10
    )


def test_a_pair_is_one_length_of_both_its_documents():
    pair = Pair(example(10, 4), example(12, 6), line=1)
    rated = Rated(example(5, 2), True, line=2)
    assert counted([pair], [pair]) == Lengths(True, (22,), (10,), (22,), 12)
    assert counted([rated], []) == Lengths(True, (5,), (2,), (), 5)


def test_nothing_counted_is_nothing():
    assert counted([], []) == Lengths(exact=True, train=(), trained=(), validation=())


def test_an_estimate_says_so():
    assert estimated(build.conversations(3), ()).exact is False


def test_an_estimate_is_characters_and_markup():
    lengths = estimated([build.conversation("q" * 43, "a" * 86)], [build.conversation("q", "a")])
    markup = 2 * TOKENS_PER_MESSAGE + TOKENS_PER_CONVERSATION
    assert lengths.train == (round(129 / CHARACTERS_PER_TOKEN) + markup,)
    assert lengths.trained == (round(86 / CHARACTERS_PER_TOKEN) + 1,)
    assert lengths.validation == (round(2 / CHARACTERS_PER_TOKEN) + markup,)


def test_a_row_with_its_own_system_text_gets_no_default_one():
    bare, own = estimated(
        [build.conversation("q", "a"), build.conversation("q", "a", system="")], ()
    ).train
    assert bare - own == TOKENS_PER_CONVERSATION - TOKENS_PER_MESSAGE


def test_an_estimate_goes_by_the_units_of_the_method():
    row = build.conversation("q" * 40, "a" * 80)
    pair = row._replace(rejected=(Message("assistant", "b" * 40),))
    better, worse = estimated([row, build.conversation("q" * 40, "b" * 40)], ()).train
    weighed = estimated([pair], (), Method.DPO)
    assert weighed.train == (better + worse,)
    assert weighed.longest_document == better
    assert estimated([pair], (), Method.ORPO) == weighed
    rated = estimated([pair, row._replace(label=True)], (), Method.KTO)
    assert rated.train == (better, worse, better)
    assert sum(rated.trained[:2]) == weighed.trained[0]


@pytest.mark.parametrize("limit", [None, 64, 100, 10_000])
def test_texts_are_estimated_in_pieces(limit):
    text = Conversation((Message(TEXT_ROLE, "x" * 3930),), 1)
    lengths = estimated([text], [text], Method.CPT, limit)
    assert lengths.train == lengths.validation
    assert sum(lengths.train) == pytest.approx(1001, rel=0.02)
    assert len(lengths.train) == (1 if limit is None else -(-1001 // limit))
    assert max(lengths.train) <= (limit or 1001)
    assert all(t == n - 1 for t, n in zip(lengths.trained, lengths.train, strict=True))


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_trained_tokens_are_some_of_all(pairs):
    rows = [build.conversation(question, answer) for question, answer in pairs]
    lengths = estimated(rows, rows)
    assert len(lengths.train) == len(lengths.trained) == len(lengths.validation) == len(rows)
    assert lengths.train == lengths.validation
    for trained, whole in zip(lengths.trained, lengths.train, strict=True):
        assert 1 <= trained < whole


@given(texts, texts, texts)
def test_longer_answers_are_not_estimated_shorter(question, answer, more):
    short, long = estimated(
        [build.conversation(question, answer), build.conversation(question, answer + more)], ()
    ).trained
    assert long >= short


def test_the_estimate_is_near_the_count_for_english(tmp_path):
    # the tokenizer of the tests knows few words, so only the order of magnitude can agree
    rows = build.conversations(20)
    exact = counted(encode(rows, build.tokenizer_folder(tmp_path)).examples, ())
    guess = estimated(rows, ())
    assert sum(guess.train) == pytest.approx(sum(exact.train), rel=0.6)


def sizes_of(rows):
    sizes = Sizes()
    for row in rows:
        sizes.add(row.messages)
    return sizes


def test_without_a_tokenizer_the_lengths_of_rows_are_guessed_from_characters():
    rows = [build.conversation("q" * 43, "a" * 86), build.conversation("q", "a")]
    found = estimate([sizes_of(rows[:1]), sizes_of(rows[1:])], rows, None)
    assert found.exact is False
    assert str(CHARACTERS_PER_TOKEN) in found.basis
    assert list(found.rows) == [
        round(n / CHARACTERS_PER_TOKEN) + 2 * TOKENS_PER_MESSAGE + TOKENS_PER_CONVERSATION
        for n in (129, 2)
    ]
    assert (
        found.trained == round(86 / CHARACTERS_PER_TOKEN) + 1 + round(1 / CHARACTERS_PER_TOKEN) + 1
    )


def test_with_a_tokenizer_and_all_rows_they_are_counted(tmp_path):
    rows, folder = build.conversations(5), build.tokenizer_folder(tmp_path / "tiny")
    found = estimate([sizes_of(rows)], rows, folder)
    examples = encode(rows, folder).examples
    assert (found.exact, found.basis) == (True, "counted with tiny")
    assert list(found.rows) == [len(e.input_ids) for e in examples]
    assert found.trained == sum(e.trained for e in examples)


def test_with_a_sample_the_guess_is_scaled_to_what_the_sample_took(tmp_path):
    rows, folder = build.conversations(20), build.tokenizer_folder(tmp_path / "tiny")
    found = estimate([sizes_of(rows)], rows[:5], folder)
    exact = estimate([sizes_of(rows)], rows, folder)
    assert found.exact is False
    assert "first 5 rows" in found.basis
    assert sum(found.rows) == pytest.approx(sum(exact.rows), rel=0.2)
    assert found.trained == pytest.approx(exact.trained, rel=0.3)


def test_no_rows_take_no_tokens(tmp_path):
    assert list(estimate([], [], None).rows) == []
    assert estimate([Sizes()], [], build.tokenizer_folder(tmp_path)).trained == 0


def test_what_the_assistant_thinks_counts_too():
    row = build.conversation("q", "a")
    answer = row.messages[1]._replace(reasoning_content="t" * 400)
    thinking = row._replace(messages=(row.messages[0], answer))
    bare, with_thoughts = estimated([row, thinking], ()).train
    assert with_thoughts - bare == pytest.approx(400 / CHARACTERS_PER_TOKEN, abs=1)

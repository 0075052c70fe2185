import pytest

from podtune.data.labels import IGNORED, Labeller, unlabelled
from support import build

IM_START, IM_END = 1, 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build.tokenizer_folder(tmp_path_factory.mktemp("model"))


def encoded(folder, text):
    return folder.tokenizer.encode(text, add_special_tokens=False)


def trained(folder, document):
    kept = [t for t, label in zip(document.ids, document.labels, strict=True) if label != IGNORED]
    assert kept == [label for label in document.labels if label != IGNORED]
    return folder.tokenizer.decode(kept, skip_special_tokens=False)


def span(text, part):
    at = text.index(part)
    return at, at + len(part)


def test_a_span_is_trained_up_to_its_stop_token(folder):
    text = "Why?So.<|im_end|>\nmore"
    document = Labeller(folder).label(encoded(folder, text), [span(text, "So.<|im_end|>\n")])
    assert trained(folder, document) == "So.<|im_end|>"
    assert document.ends == [document.ids.index(IM_END) + 1]


def test_markers_and_blanks_may_stand_behind_the_stop_token(folder):
    text = "So.<|im_end|>\n<|endoftext|> "
    document = Labeller(folder).label(encoded(folder, text), [(0, len(text))])
    assert trained(folder, document) == "So.<|im_end|>"


def test_words_behind_the_stop_token_are_of_the_answer(folder):
    text = "So.<|im_end|> and more\n"
    assert Labeller(folder).label(encoded(folder, text), [(0, len(text))]) is None


def test_words_behind_the_stop_token_may_be_known_to_be_the_template_s(folder):
    text = "Why?So.<|im_end|> and more\nWhy?"
    one = span(text, "So.<|im_end|> and more\n")
    labeller = Labeller(folder)
    document = labeller.label(encoded(folder, text), [one], [len("<|im_end|> and more\n")])
    assert trained(folder, document) == "So.<|im_end|>"
    # the stop token stands among the answer's own words
    assert labeller.label(encoded(folder, text), [one], [len(" and more\n")]) is None


def test_an_empty_answer_ends_with_its_own_stop_token_not_with_an_earlier_one(folder):
    text = "<|im_end|>Why?<|im_end|> ok"
    start = text.index("?") + 1
    document = Labeller(folder).label(
        encoded(folder, text), [(start, len(text))], [len(text) - start]
    )
    assert trained(folder, document) == "<|im_end|>"
    assert document.labels[0] == IGNORED
    silent = "<|im_end|>Why? ok"
    assert Labeller(folder).label(encoded(folder, silent), [(14, 17)], [3]) is None


@pytest.mark.parametrize("text", ["So.", "", " \n"])
def test_a_span_without_stop_token_has_no_labels(folder, text):
    assert Labeller(folder).label(encoded(folder, f"{text}x"), [(0, len(text))]) is None


def test_one_span_without_stop_token_spoils_the_document(folder):
    text = "So.<|im_end|>Why?Because."
    spans = [span(text, "So.<|im_end|>"), span(text, "Because.")]
    assert Labeller(folder).label(encoded(folder, text), spans) is None


@pytest.mark.parametrize("answer", ["größer 🙂", "是", "🙂🙂", "a 🙂 b"])
def test_a_letter_of_several_tokens_is_trained_whole(folder, answer):
    text = f"Why? {answer}"
    document = Labeller(folder).close(encoded(folder, text), [(5, len(text))], IM_END)
    assert trained(folder, document) == f"{answer}<|im_end|>"


def test_the_end_of_a_text_is_given_a_stop_token(folder):
    text = "Why?So."
    document = Labeller(folder).close(encoded(folder, text), [(4, 7)], IM_END)
    assert document.ids == [*document.encoding.ids, IM_END]
    assert len(document.labels) == len(document.ids)
    assert document.ends == [len(document.ids)]
    assert trained(folder, document) == "So.<|im_end|>"


def test_only_a_stop_token_is_added(folder):
    text = "Why?So."
    assert Labeller(folder).close(encoded(folder, text), [(4, 7)], IM_START) is None
    assert Labeller(folder).close(encoded(folder, text), [(4, 7)], None) is None


def test_the_next_token_is_taken_where_it_is_a_stop_token(folder):
    text = "So.<|im_end|>Why?Because."
    spans = [(0, 3), span(text, "Because.")]
    document = Labeller(folder).close(encoded(folder, text), spans, IM_END)
    assert trained(folder, document) == "So.<|im_end|>Because.<|im_end|>"
    other = "So.<|im_start|>Why?"
    assert Labeller(folder).close(encoded(folder, other), [(0, 3)], IM_END) is None


def test_an_empty_span_is_given_nothing(folder):
    assert Labeller(folder).close(encoded(folder, "Why?"), [(4, 4)], IM_END) is None


def test_tokens_without_width_are_trained_where_they_stand(tmp_path):
    folder = build.tokenizer_folder(tmp_path, trim_offsets=True)
    text = "Why?\n  So.\n  - it\n<|im_end|>"
    document = Labeller(folder).label(encoded(folder, text), [(5, len(text))])
    assert trained(folder, document) == "  So.\n  - it\n<|im_end|>"


def test_nothing_of_an_unlabelled_document_is_trained(folder):
    document = unlabelled(encoded(folder, "So.<|im_end|>"))
    assert set(document.labels) == {IGNORED}
    assert len(document.labels) == len(document.ids)
    assert document.ends == []

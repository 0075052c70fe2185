"""Plain texts as pieces: nothing is lost, nothing repeated, all of it is trained on."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers.processors import TemplateProcessing

from podtune.core.dataset import TEXT_ROLE, Conversation, Message
from podtune.core.errors import SpecError
from podtune.data.template import TokenizerFolder
from podtune.data.text_pieces import encode_texts, piece_length
from support import build

END = 2
"""`<|im_end|>`, the eos token of `build.tokenizer_folder`."""

START = 1


def text(content, line=1, **more):
    return Conversation((Message(TEXT_ROLE, content),), line, row=line, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build.tokenizer_folder(tmp_path_factory.mktemp("tokenizer"), None)


def test_a_text_is_trained_whole_and_ends(folder):
    found = encode_texts([text("Once upon a time.", 4)], folder)
    (piece,) = found.examples
    ids = folder.tokenizer.encode("Once upon a time.", add_special_tokens=False).ids
    assert list(piece.input_ids) == list(piece.labels) == [*ids, END]
    assert (piece.line, piece.trained, found.findings, found.counts) == (4, len(ids), (), {})


def test_a_text_that_goes_on_has_no_end(folder):
    first, last = encode_texts([text("Once ", continues=True), text("more.")], folder).examples
    assert first.input_ids[-1] != END
    assert last.input_ids[-1] == END


def test_the_tokenizers_own_beginning_stands_before_a_text_once(tmp_path):
    folder = build.tokenizer_folder(tmp_path, None)
    begins = TemplateProcessing(single="<|im_start|> $A", special_tokens=[("<|im_start|>", START)])
    folder.tokenizer.post_processor = begins
    found = encode_texts([text("abcdefghijklmnopqrstuvwxyz" * 4)], folder, max_length=16)
    starts = [list(e.input_ids).count(START) for e in found.examples]
    assert starts == [1] + [0] * (len(starts) - 1)
    assert found.examples[0].input_ids[0] == START


def test_an_end_that_the_tokenizer_writes_itself_is_not_written_twice(tmp_path):
    folder = build.tokenizer_folder(tmp_path, None)
    ends = TemplateProcessing(single="$A <|im_end|>", special_tokens=[("<|im_end|>", END)])
    folder.tokenizer.post_processor = ends
    (piece,) = encode_texts([text("Once.")], folder).examples
    assert list(piece.input_ids).count(END) == 1


def test_a_divided_text_is_noted_at_its_line(folder):
    found = encode_texts([text("short", 1), text("long " * 40, 2)], folder, max_length=32)
    assert found.counts == {"text_divided": 1}
    assert [(n.code, n.line) for n in found.notes] == [("text_divided", 2)]
    assert {e.line for e in found.examples} == {1, 2}


def test_what_is_no_text_is_left_out_with_a_finding(folder):
    found = encode_texts([build.conversation("q", "a", 3), text("So.", 4)], folder)
    assert [(f.code, f.line) for f in found.findings] == [("not_plain_text", 3)]
    assert [e.line for e in found.examples] == [4]


def test_a_single_token_has_nothing_to_predict(folder):
    (problem,) = encode_texts([text("a", continues=True)], folder).findings
    assert problem.code == "zero_mask"


def test_a_tokenizer_without_an_end_is_refused(tmp_path):
    build.tokenizer_folder(tmp_path, None)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(SpecError) as caught:
        encode_texts([text("So.")], TokenizerFolder(tmp_path))
    assert caught.value.code == "no_end_token"


contents = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(contents, min_size=1, max_size=4), st.integers(3, 40))
def test_pieces_put_together_are_the_text(folder, given_, most):
    rows = [text(content, line) for line, content in enumerate(given_, start=1)]
    whole = encode_texts(rows, folder)
    found = encode_texts(rows, folder, max_length=most)
    for full in whole.examples:
        pieces = [e for e in found.examples if e.line == full.line]
        assert [t for e in pieces for t in e.input_ids] == list(full.input_ids)
        assert all(2 <= len(e.input_ids) <= most for e in pieces)
        assert all(e.input_ids == e.labels for e in pieces)
        needed = -(-len(full.input_ids) // most)
        assert len(pieces) == needed
    assert found.counts.get("text_divided", 0) == sum(
        len(e.input_ids) > most for e in whole.examples
    )


@given(st.integers(0, 10**9), st.integers(64, 200_000))
def test_a_piece_is_a_power_of_two_that_the_model_takes(tokens, most):
    length = piece_length(tokens, most)
    assert length <= most
    assert length == most or length in (256, 512, 1024, 2048)
    assert length >= piece_length(tokens // 2, most)

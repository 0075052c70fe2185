"""Pairs and rated answers as tokens: what of them is trained, and what keeps a row out."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podtune.core.dataset import Conversation, Message
from podtune.data import masks
from podtune.data.masks import IGNORED
from podtune.data.preferences import encode_pairs, encode_rated
from support import build

REWRITING = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and loop.last %}<think></think>{% endif %}"
    "{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think></think>{% endif %}"
)
"""A template that takes the thoughts out of earlier answers, so that a prefix is no prefix."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build.tokenizer_folder(tmp_path_factory.mktemp("tokenizer"))


def pair(better="Hold the key.", worse="No idea.", *, line=1, asked="How do I reset it?", **more):
    row = build.conversation(asked, better, line)
    return row._replace(rejected=(Message("assistant", worse),), **more)


def rated(label, answer="Hold the key.", line=1):
    return build.conversation("How do I reset it?", answer, line)._replace(label=label)


def trained(example, folder):
    """The text of the trained tokens, end token included."""
    ids = [token for token in example.labels if token != IGNORED]
    return folder.tokenizer.decode(ids, skip_special_tokens=False)


def untrained(example, folder):
    ids = [
        token
        for token, label in zip(example.input_ids, example.labels, strict=True)
        if label == IGNORED
    ]
    return folder.tokenizer.decode(ids, skip_special_tokens=False)


def test_only_what_follows_the_prompt_is_trained_on_either_side(folder):
    found = encode_pairs([pair(line=7)], folder)
    (made,) = found.pairs
    assert (found.findings, made.line, made.chosen.line) == ((), 7, 7)
    assert trained(made.chosen, folder) == "Hold the key.<|im_end|>"
    assert trained(made.rejected, folder) == "No idea.<|im_end|>"
    assert "How do I reset it?" in untrained(made.chosen, folder)


def test_both_sides_begin_with_the_same_tokens(folder):
    (made,) = encode_pairs([pair()], folder, system_prompt="Be brief.").pairs
    start = next(i for i, label in enumerate(made.chosen.labels) if label != IGNORED)
    assert made.chosen.input_ids[:start] == made.rejected.input_ids[:start]
    assert "Be brief." in folder.tokenizer.decode(list(made.chosen.input_ids[:start]))
    assert all(label == IGNORED for label in made.rejected.labels[:start])


def test_earlier_answers_are_context(folder):
    row = pair()
    earlier = (Message("user", "Hello?"), Message("assistant", "Good day."))
    (made,) = encode_pairs([row._replace(messages=(*earlier, *row.messages))], folder).pairs
    for side in (made.chosen, made.rejected):
        assert "Good day." in untrained(side, folder)
        assert "Good day." not in trained(side, folder)


PARTED = Conversation(
    tuple(
        Message(role, text)
        for role, text in (
            ("user", "Why?"), ("assistant", "So."), ("user", "And?"), ("assistant", "Thus."),
        )
    ),
    line=1,
    rejected=(Message("assistant", "No."), Message("user", "And?"), Message("assistant", "Never.")),
    shared=1,
)  # fmt: skip
"""Two sides that part after the first question."""


def test_all_answers_behind_a_prompt_that_the_sides_share_are_trained(folder):
    (made,) = encode_pairs([PARTED], folder).pairs
    assert trained(made.chosen, folder) == "So.<|im_end|>Thus.<|im_end|>"
    assert trained(made.rejected, folder) == "No.<|im_end|>Never.<|im_end|>"


def test_a_template_that_rewrites_history_trains_the_last_answer(tmp_path):
    folder = build.tokenizer_folder(tmp_path, REWRITING)
    (made,) = encode_pairs([PARTED], folder).pairs
    assert trained(made.chosen, folder) == "Thus.<|im_end|>"
    assert trained(made.rejected, folder) == "Never.<|im_end|>"


def test_the_better_side_is_the_document_that_supervised_training_makes(folder):
    row = pair()
    (made,) = encode_pairs([row], folder).pairs
    (same,) = masks.encode([row._replace(rejected=())], folder).examples
    assert list(made.chosen.input_ids) == list(same.input_ids)
    assert list(made.chosen.labels) == list(same.labels)


def test_a_row_without_a_worse_answer_is_no_pair(folder):
    found = encode_pairs([pair(line=1), build.conversation("Why?", "So.", 2)], folder)
    assert [p.line for p in found.pairs] == [1]
    assert [(f.code, f.line, f.row) for f in found.findings] == [("no_pair", 2, 2)]


def test_sides_that_the_template_makes_the_same_are_no_pair(tmp_path):
    trimming = build.CHATML.replace("message['content']", "message['content'] | lower")
    folder = build.tokenizer_folder(tmp_path, trimming)
    (problem,) = encode_pairs([pair("NO.", "no.")], folder).findings
    assert problem.code == "chosen_equals_rejected"
    assert "rendered" in problem.message


def test_both_documents_have_to_fit_one_row(folder):
    (made,) = encode_pairs([pair()], folder).pairs
    both = len(made.chosen.input_ids) + len(made.rejected.input_ids)
    assert encode_pairs([pair()], folder, max_length=both).pairs == (made,)
    (problem,) = encode_pairs([pair(line=3)], folder, max_length=both - 1).findings
    assert (problem.code, problem.line) == ("too_long", 3)
    assert f"{both} tokens" in problem.message
    assert "No idea" not in problem.message


def test_what_is_wrong_with_one_side_keeps_the_row_out_once(tmp_path):
    refusing = "{% if 'bad' in messages[-1]['content'] %}{{ raise_exception('no') }}{% endif %}"
    folder = build.tokenizer_folder(tmp_path, refusing + build.CHATML)
    rows = [pair("bad", "bad too", line=1), pair("fine", "bad", line=2), pair(line=3)]
    found = encode_pairs(rows, folder)
    assert [p.line for p in found.pairs] == [3]
    assert [(f.code, f.line) for f in found.findings] == [
        ("template_refused", 1),
        ("template_refused", 2),
    ]


def test_rows_of_one_line_are_told_apart(folder):
    rows = [pair(f"answer {n}", "no", line=1)._replace(row=n) for n in range(1, 6)]
    found = encode_pairs(rows, folder)
    assert [trained(p.chosen, folder) for p in found.pairs] == [
        f"answer {n}<|im_end|>" for n in range(1, 6)
    ]
    rows[2] = rows[2]._replace(rejected=())
    (problem,) = encode_pairs(rows, folder).findings
    assert (problem.line, problem.row) == (1, 3)


def test_no_rows_are_no_pairs(folder):
    assert encode_pairs([], folder) == ((), (), (), {})
    assert encode_rated([], folder) == ((), (), (), {})


def test_what_was_done_to_the_answers_is_counted(tmp_path):
    # no end of turn in the template: the answers are closed with the stop token
    bare = build.CHATML.replace("<|im_end|>", "")
    folder = build.tokenizer_folder(tmp_path, bare)
    found = encode_pairs([pair(line=4), pair("a", "b", line=9)], folder)
    assert found.counts == {"stop_token_added": 4}
    assert [n.code for n in found.notes] == ["stop_token_added"]
    assert all(trained(p.rejected, folder).endswith("<|im_end|>") for p in found.pairs)


@pytest.mark.parametrize("label", [True, False])
def test_a_rated_answer_carries_its_rating(folder, label):
    found = encode_rated([rated(label, line=5)], folder)
    (made,) = found.rated
    assert (made.good, made.line, found.findings) == (label, 5, ())
    assert trained(made.example, folder) == "Hold the key.<|im_end|>"


def test_the_rating_is_of_the_last_answer(folder):
    row = rated(False)
    earlier = (Message("user", "Hello?"), Message("assistant", "Good day."))
    (made,) = encode_rated([row._replace(messages=(*earlier, *row.messages))], folder).rated
    assert trained(made.example, folder) == "Hold the key.<|im_end|>"


def test_a_pair_is_two_rated_answers(folder):
    found = encode_rated([pair(line=2), rated(True, line=3)], folder)
    assert [(r.good, r.line) for r in found.rated] == [(True, 2), (False, 2), (True, 3)]
    assert trained(found.rated[1].example, folder) == "No idea.<|im_end|>"


def test_a_row_that_nobody_rated_is_left_out(folder):
    found = encode_rated([rated(None, line=1), rated(True, line=2)], folder)
    assert [r.line for r in found.rated] == [2]
    assert [(f.code, f.line) for f in found.findings] == [("not_rated", 1)]


def test_a_rated_answer_has_to_fit_by_itself(folder):
    (made,) = encode_rated([rated(True)], folder).rated
    size = len(made.example.input_ids)
    assert len(encode_rated([rated(True)], folder, max_length=size).rated) == 1
    (problem,) = encode_rated([rated(True)], folder, max_length=size - 1).findings
    assert problem.code == "too_long"
    longer = pair("Hold the key.", "No idea at all, I am afraid, none whatever.")
    assert encode_rated([longer], folder, max_length=size).rated == ()


words = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12
)  # fmt: skip


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(words, words, words), max_size=6))
def test_every_row_is_a_pair_or_has_one_finding(folder, rows):
    given_ = [pair(b, w, line=n, asked=q) for n, (q, b, w) in enumerate(rows, start=1)]
    found = encode_pairs(given_, folder)
    lines = [p.line for p in found.pairs] + [f.line for f in found.findings]
    assert sorted(lines) == list(range(1, len(rows) + 1))
    for made in found.pairs:
        for side in (made.chosen, made.rejected):
            assert len(side.input_ids) == len(side.labels)
            assert side.trained > 0
            last = next(label for label in reversed(side.labels) if label != IGNORED)
            assert last in folder.stop_ids

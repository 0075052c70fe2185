"""Which words before turns are labels, and which are words of an answer."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats.labelled import MAX_HEADS, heads_of, labels_of


def told(text):
    """Roles and texts between the heads."""
    labels = labels_of(text)
    if labels is None:
        return None
    heads = heads_of(text, labels)
    stops = [*(head.start for head in heads[1:]), len(text)]
    return [(h.role, text[h.end : s].strip()) for h, s in zip(heads, stops, strict=True)]


ORDER = "Your order:\nModel: XPS 13\nClient: Acme\nTotal: 5"
LOGIN = "Log in with\nUser: root\nAgent: ssh\nSystem: Linux"


@pytest.mark.parametrize(
    "text",
    [
        f"Human: q\n\nAssistant: {ORDER}",
        f"Human: q\n\nAssistant: {LOGIN}",
        f"**Human:** q\n\n**Assistant:** {LOGIN}\nHuman: a word",
        f"### Instruction:\nq\n\n### Response:\n{LOGIN}\n\n### Output:\nx\n\n### Input:\ny\n\n### Answer:\nz",
        f"USER: q ASSISTANT: {ORDER}",
        f"Human: q\nAssistant: {ORDER}\n### Question: x\n### Answer: y",
        "Human: q\nAssistant: The marks USER: and ASSISTANT: are of Vicuna.",
        "User: q\nAssistant: Write this:\n```\nUser: root\nAssistant: none\n```\nand go.",
        "### Instruction:\nq\n\n### Response:\nIt says ### Response: and ### Instruction: there.",
    ],
)
def test_words_of_an_answer_are_no_speakers(text):
    (asked, question), (answered, answer) = told(text)
    assert (asked, question, answered) == ("user", "q", "assistant")
    assert text.endswith(answer)
    assert len(answer.split()) > 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Customer: q\nAgent: a", ["user", "assistant"]),
        ("customer: q\nAGENT: a\nCustomer: q2", ["user", "assistant", "user"]),
        ("System: s\nUser: q\nAI: a\nSystem: word", ["system", "user", "assistant"]),
        ("Model: X1\nHuman: q\nAssistant: a", ["user", "assistant"]),
        ("### Human: q### Assistant: a### Human: q2", ["user", "assistant", "user"]),
        ("### Instruction:\nq\n### Input:\nx\n### Output:\na", ["user", "user", "assistant"]),
        ("### Instruction:\nas ### Output:\n### Output:\nx\n### Response:\na", ["user", "assistant"]),
        ("### Input:\nq\n### Output:\na\n### Input:\nq2", ["user", "assistant", "user"]),
        ("User: q\nAssistant: ```py\nUser: q2\nAssistant: a2", ["user", "assistant"] * 2),
        ("Assistant: a\nHuman: q\nAssistant: b", ["assistant", "user", "assistant"]),
    ],
)  # fmt: skip
def test_turns_are_found_by_the_first_two_labels(text, expected):
    assert [role for role, _ in told(text)] == expected


@pytest.mark.parametrize("text", ["", "Human: q", "Assistant: a\nHuman: q", "say ### Response: x"])
def test_a_text_without_question_and_answer_has_no_labels(text):
    assert told(text) is None


def test_alpaca_is_told_from_people():
    assert labels_of("### Instruction:\nq\n### Response:\na").is_alpaca
    assert labels_of("### Input:\nq\n### Output:\na").is_alpaca
    assert not labels_of("### Human: q\n### Assistant: a").is_alpaca
    assert not labels_of("Human: q\nAssistant: a").is_alpaca


def test_a_line_is_looked_at_by_the_labels_of_its_file():
    labels = labels_of("Human: q\nAssistant: a")
    assert [labels.role_at(f"{w}: x") for w in ("human", "Assistant", "System", "Model", "User")] == [
        "user", "assistant", "system", None, None,
    ]  # fmt: skip


def test_a_text_of_too_many_turns_has_none():
    text = "Human: q\nAssistant: a\n" * MAX_HEADS
    assert heads_of(text, labels_of(text)) == []


PIECES = st.sampled_from(
    ["Human: ", "\n", "Assistant: ", "### Instruction:", "### Response:", "```", "~~~~", "x", " ", "USER: ", " ASSISTANT:", "**User:**"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=200))
def test_heads_stand_in_their_order(text):
    labels = labels_of(text)
    if labels is not None:
        heads = heads_of(text, labels)
        assert {"user", "assistant"} <= {head.role for head in heads}
        places = [at for head in heads for at in (head.start, head.end)]
        assert places == sorted(places)


@pytest.mark.parametrize(
    "piece", ["```a\n", "```\n", "\n*", "# ", "###", "\nHuman:", " ", "\n" + "`" * 50]
)
def test_long_texts_take_no_long_time(piece):
    text = "Human: q\nAssistant: a\n" + piece * (300_000 // len(piece))
    before = time.process_time()
    heads_of(text, labels_of(text))
    assert time.process_time() - before < 3

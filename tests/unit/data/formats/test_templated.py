# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats import templated
from support.readings import Pass, numbered, said, talk

PAIR = [("user", "q"), ("assistant", "a")]
FULL = [("system", "s"), *PAIR]
TWICE = [*PAIR, ("user", "q2"), ("assistant", "a2")]

MARKED = {
    "chatml": ("<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n", FULL),
    "llama 3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\ns<|eot_id|><|start_header_id|>user<|end_header_id|>"
        "\n\nq<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\na<|eot_id|><|end_of_text|>",
        FULL,
    ),
    "llama 4": ("<|header_start|>user<|header_end|>\n\nq<|eot|><|header_start|>assistant<|header_end|>\n\na<|eot|>", PAIR),
    "llama 2": ("<s>[INST] <<SYS>>\ns\n<</SYS>>\n\nq [/INST] a </s>", FULL),
    "llama 2 twice": ("<s>[INST] q [/INST] a </s><s>[INST] q2 [/INST] a2 </s>", TWICE),
    "mistral": ("<s>[SYSTEM_PROMPT] s[/SYSTEM_PROMPT][INST] q[/INST] a</s>", FULL),
    "gemma": ("<bos><start_of_turn>user\nq<end_of_turn>\n<start_of_turn>model\na<end_of_turn>\n", PAIR),
    "zephyr": ("<|system|>\ns</s>\n<|user|>\nq</s>\n<|assistant|>\na</s>\n", FULL),
    "phi": ("<|user|>\nq<|end|>\n<|assistant|>\na<|end|>\n<|endoftext|>", PAIR),
    "deepseek": ("<｜begin▁of▁sentence｜><｜User｜>q<｜Assistant｜>a<｜end▁of▁sentence｜>", PAIR),
    "granite": ("<|start_of_role|>user<|end_of_role|>q<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>a<|end_of_text|>", PAIR),
    "alpaca": ("Below is an instruction that describes a task.\n\n### Instruction:\nq\n\n### Response:\na", PAIR),
    "alpaca headings": (
        "### Instruction:\nq\n\n### Response:\na\n\n### Output:\nb\n\n### Answer:\nc",
        [("user", "q"), ("assistant", "a\n\n### Output:\nb\n\n### Answer:\nc")],
    ),
    "alpaca input": ("### Instruction:\nq\n\n### Input:\nx\n\n### Response:\na</s>", [("user", "q\n\nx"), ("assistant", "a")]),
}  # fmt: skip

LABELLED = {
    "human": ("\n\nHuman: q\n\nAssistant: a", PAIR),
    "user ai": ("User: q\nAI: a\nUser: q2\nAI: a2", TWICE),
    "bot": ("user: q\nbot: a", PAIR),
    "bold": ("**User:** q\n\n**Assistant:** a", PAIR),
    "system": ("System: s\nHuman: q\nAssistant: a", FULL),
    "preamble": ("s\n\nHuman: q\n\nAssistant: a", FULL),
    "vicuna": ("A chat between a curious user and an assistant. USER: q ASSISTANT: a</s>USER: q2 ASSISTANT: a2</s>", TWICE),
    "guanaco": ("### Human: q### Assistant: a", PAIR),
    "words of an answer": (
        "Human: What do I have?\n\nAssistant: Your order:\nModel: XPS 13\nClient: Acme\nTotal: 5",
        [("user", "What do I have?"), ("assistant", "Your order:\nModel: XPS 13\nClient: Acme\nTotal: 5")],
    ),
    "lines": ("Human: q\n\nmore\nAssistant: a\n- b", [("user", "q\n\nmore"), ("assistant", "a\n- b")]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MARKED.values(), ids=MARKED)
def test_templates_are_taken_apart(text, expected):
    name, turns = templated.split_text(text)
    assert (name, said(turns)) == (templated.CHATML, expected)


@pytest.mark.parametrize(("text", "expected"), LABELLED.values(), ids=LABELLED)
def test_labels_are_taken_apart(text, expected):
    name, turns = templated.split_text(text)
    assert (name, said(turns)) == (templated.LABELLED, expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Plain words.",
        "Human: nobody answers",
        "Assistant: a\nHuman: q",
        "Ingredients:\nflour",
        "<|im_start|>user\nq<|im_end|>",
        "Use <|user|> before the text.",
        "The model: a small one. The user: anybody.",
        "[INST] never closed",
        "### Question: alone",
    ],
)
def test_other_texts_are_left_alone(text):
    assert templated.split_text(text) is None


def test_a_prompt_for_the_next_answer_is_no_turn():
    text = MARKED["chatml"][0] + "<|im_start|>user\nq2<|im_end|>\n<|im_start|>assistant\n"
    assert said(templated.split_text(text)[1])[-1] == ("user", "q2")


def test_an_empty_answer_is_shown_to_the_rules():
    text = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<|im_end|>"
    assert said(templated.split_text(text)[1]) == [("user", "q"), ("assistant", "")]


def test_an_unknown_speaker_has_no_role():
    text = MARKED["chatml"][0].replace("system", "narrator")
    assert said(templated.split_text(text)[1])[0] == (None, "s")


def gathered(text):
    made = Pass()
    found = list(templated.gather_text(numbered(text), made.reading))
    talks = [(record.line, talk(record)) for record in found if "messages" in record.value]
    return talks, made.dropped


def test_wider_gaps_part_conversations_of_a_file():
    text = "Human: q\nAssistant: a\n\nHuman: q2\nAssistant: a2\n"
    assert templated.fits_text(text)
    assert gathered(text) == (
        [(1, PAIR), (4, [("user", "q2"), ("assistant", "a2")])],
        {},
    )


def test_even_gaps_do_not():
    assert gathered("Human: q\n\nAssistant: a\n\nHuman: q2\n\nAssistant: a2\n")[0] == [(1, TWICE)]
    assert gathered("Human: q\nAssistant: a\nHuman: q2\nAssistant: a2")[0] == [(1, TWICE)]


def test_a_long_row_of_even_gaps_is_a_list_of_pairs():
    found, _ = gathered("Human: q\nAssistant: a\n" * 5_000)
    assert len(found) == 5_000
    assert found[-1] == (9_999, PAIR)


@pytest.mark.parametrize("rule", ["---", "======", "<|endoftext|>", "***"])
def test_rules_part_conversations(rule):
    text = f"Human: q\n\nAssistant: a\n{rule}\nHuman: q2\n\nAssistant: a2"
    assert [line for line, _ in gathered(text)[0]] == [1, 5]


def test_systems_and_starts_part_conversations():
    text = MARKED["chatml"][0] * 2
    found, notes = gathered(text)
    assert [turns for _, turns in found] == [FULL, FULL]
    assert notes == {"already_templated": None}
    lines = MARKED["llama 2"][0] + "\n" + MARKED["llama 2"][0]
    assert gathered(lines)[0] == [(1, FULL), (6, FULL)]


LINES = "User: root\n\n\nAgent: ssh\n\nModel: X1\nSystem: Linux\n\n\nClient: Acme"


def test_words_in_a_file_are_no_speakers():
    text = f"Human: q\n\nAssistant: a\n{LINES}\n\n\nHuman: q2\n\nAssistant: a2"
    assert gathered(text)[0] == [
        (1, [("user", "q"), ("assistant", f"a\n{LINES}")]),
        (16, [("user", "q2"), ("assistant", "a2")]),
    ]


def test_a_system_word_close_below_is_of_the_answer():
    text = "System: s\n\nHuman: q\n\nAssistant: a\nSystem: Linux"
    assert gathered(text)[0] == [
        (1, [("system", "s"), ("user", "q"), ("assistant", "a\nSystem: Linux")])
    ]


def test_labels_in_code_part_no_conversations():
    code = "```\nUser: root\n\n\nUser: guest\n---\nAI: none\n```"
    text = f"User: q\nAI: a\n{code}\n\nUser: q2\nAI: a2"
    assert gathered(text)[0] == [
        (1, [("user", "q"), ("assistant", f"a\n{code}")]),
        (12, [("user", "q2"), ("assistant", "a2")]),
    ]


def test_blocks_with_labels_of_their_own_are_read_by_them():
    text = "Human: q\nAssistant: a\n---\nUser: q2\nAI: a2"
    assert [turns for _, turns in gathered(text)[0]] == [PAIR, TWICE[2:]]


def test_what_is_no_conversation_stays_a_record():
    made = Pass()
    found = list(
        templated.gather_text(numbered("words\n---\nHuman: q\nAssistant: a"), made.reading)
    )
    assert found[0].value == {"text": "words"}


PIECES = st.sampled_from(
    ["<|im_start|>", "user\n", "assistant\n", "<|im_end|>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "Human: ", "\n",
     "Assistant: ", "### Instruction:", "### Response:", "<|user|>", "<s>", "</s>", "---", "x", " ", "USER: ", " ASSISTANT:"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=200))
def test_any_text_is_read(text):
    found = templated.split_text(text)
    if found is not None:
        assert found[0] in templated.NAMES
        assert {"user", "assistant"} <= {turn.get("role") for turn in found[1]}
    gathered(text)


@pytest.mark.parametrize(
    "piece", ["[INST]", "<s>", "<<SYS>>[INST]x[/INST]", "### Input:", "\nHuman:", "<|im_start|>", "\n*", " ", "</s>", "Human: a\nAssistant: b\n"]
)  # fmt: skip
def test_long_texts_take_no_long_time(piece):
    before = time.process_time()
    templated.split_text(piece * (300_000 // len(piece)))
    gathered(piece * (300_000 // len(piece)))
    assert time.process_time() - before < 8

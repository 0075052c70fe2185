"""Questions with their answers: as records, as tables, and as better and worse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.dataset import Conversation, Message
from podtune.data.findings import CODES
from podtune.data.formats import pairs

USER = {"role": "user", "content": "Why?"}
GOOD = {"role": "assistant", "content": "Because."}
BAD = {"role": "assistant", "content": "No idea."}


def codes(converted):
    return [problem.code for problem in converted.problems]


def texts(converted):
    return [(m.role, m.content) for m in converted.messages]


def as_json(converted):
    row = Conversation(
        converted.messages, 1, converted.tools, converted.rejected, shared=converted.shared
    )
    return row.as_json()


# Prompt and completion


@pytest.mark.parametrize(("prompt", "completion"), pairs.PAIRS)
@pytest.mark.parametrize("change", [str, str.upper, str.title])
def test_every_pair_of_keys_is_known(prompt, completion, change):
    record = {change(prompt): " Why?\n", change(completion): "Because.", "id": 7}
    converted = pairs.prompt_completion(record)
    assert texts(converted) == [("user", "Why?"), ("assistant", "Because.")]


def test_a_system_text_comes_first():
    record = {"prompt": "Why?", "completion": "Because.", "system": " Be short. "}
    assert pairs.prompt_completion(record).messages[0] == Message("system", "Be short.")


@pytest.mark.parametrize("system", [None, "", "  ", 3])
def test_a_pair_without_a_system_text_has_two_messages(system):
    assert len(pairs.from_pair("Why?", "Because.", system).messages) == 2


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"prompt": "x"}, ["missing_column"]),
        ({"completion": "x"}, ["missing_column"]),
        ({"output": "x"}, ["missing_column"]),
        ({}, ["no_messages"]),
        ({"text": "x"}, ["no_messages"]),
        ({"prompt": "x", "completion": ""}, ["empty_answer"]),
        ({"prompt": "x", "completion": None}, ["empty_answer"]),
        ({"prompt": "", "completion": "x"}, ["empty_question"]),
        ({"prompt": 1, "completion": None}, ["not_text"]),
        ({"prompt": 1, "completion": 2}, ["not_text", "not_text"]),
        ({"prompt": {"a": 1}, "completion": "x"}, ["not_text"]),
        ({"prompt": ["x"], "completion": "x"}, ["not_text"]),
        ({"prompt": [USER], "completion": 3}, ["not_text"]),
        ({"prompt": [], "completion": []}, ["no_messages"]),
    ],
    ids=str,
)
def test_a_pair_that_cannot_be_trained_on(record, expected):
    converted = pairs.prompt_completion(record)
    assert codes(converted) == expected
    assert converted.messages == ()


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "missing or null"), ({}, "an object"), (True, "true or false"), (1, "a number")],
)
def test_what_stands_instead_of_a_text_is_named_by_its_kind(value, words):
    assert pairs.from_pair(value, "x").problems[0].detail == f"prompt is {words}"


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [
        ([USER], [GOOD]),
        ([USER], "Because."),
        ("Why?", [GOOD]),
        ([{"role": "human", "content": "Why?"}], [{"role": "gpt", "content": "Because."}]),
    ],
)
def test_a_side_may_be_a_list_of_messages(prompt, completion):
    converted = pairs.from_pair(prompt, completion)
    assert texts(converted) == [("user", "Why?"), ("assistant", "Because.")]


def test_a_prompt_of_several_messages_keeps_them():
    asked = [{"role": "system", "content": "Be short."}, USER, GOOD, USER]
    converted = pairs.prompt_completion({"prompt": asked, "completion": [BAD]})
    assert [m.role for m in converted.messages] == ["system", *["user", "assistant"] * 2]


# Alpaca


@pytest.mark.parametrize(
    ("further", "asked"),
    [
        ({"input": " My grinder. "}, "Answer.\n\nMy grinder."),
        ({"input": ""}, "Answer."),
        ({"input": "  "}, "Answer."),
        ({"input": None}, "Answer."),
        ({}, "Answer."),
        ({"input": 7}, "Answer.\n\n7"),
        ({"input": 0}, "Answer.\n\n0"),
        ({"context": "My grinder."}, "Answer.\n\nMy grinder."),
        ({"input": "", "context": "My grinder."}, "Answer.\n\nMy grinder."),
        ({"input": "This.", "context": "That."}, "Answer.\n\nThis."),
    ],
)
def test_the_input_stands_under_the_instruction(further, asked):
    converted = pairs.alpaca({"instruction": " Answer. ", "output": "Yes.", **further})
    assert texts(converted) == [("user", asked), ("assistant", "Yes.")]


@pytest.mark.parametrize("key", ["output", "response", "completion", "Output"])
def test_names_of_the_output(key):
    assert pairs.alpaca({"Instruction": "x", key: "y"}).messages[-1].content == "y"


def test_history_goes_before_the_instruction():
    record = {
        "system": "Be short.",
        "instruction": "And?",
        "output": "So.",
        "history": [["Why? ", " Because."], ["Really?", "Yes."]],
    }
    assert texts(pairs.alpaca(record)) == [
        ("system", "Be short."),
        ("user", "Why?"),
        ("assistant", "Because."),
        ("user", "Really?"),
        ("assistant", "Yes."),
        ("user", "And?"),
        ("assistant", "So."),
    ]


@pytest.mark.parametrize("history", [None, [], "x", [["one"]], [[1, 2]], ["x"], [None]])
def test_what_is_no_history_is_left_out(history):
    assert len(pairs.alpaca({"instruction": "x", "output": "y", "history": history}).messages) == 2


def test_an_empty_answer_in_the_history_keeps_the_row_out():
    record = {"instruction": "x", "output": "y", "history": [["a", ""]]}
    assert codes(pairs.alpaca(record)) == ["empty_answer"]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"instruction": "x"}, ["missing_column"]),
        ({"instruction": "x", "output": None}, ["empty_answer"]),
        ({"instruction": "x", "output": ""}, ["empty_answer"]),
        ({"output": "y"}, ["not_text"]),
        ({"instruction": 3, "output": "y", "input": "z"}, ["not_text"]),
        ({"instruction": "x", "output": "y", "input": ["z"]}, ["not_text"]),
        ({"instruction": "x", "output": "y", "input": {"a": 1}}, ["not_text"]),
        ({"instruction": "x", "output": "y", "input": True}, ["not_text"]),
        ({"instruction": "x", "response": "y", "context": ["z"]}, ["not_text"]),
    ],
    ids=str,
)
def test_alpaca_that_cannot_be_trained_on(record, expected):
    assert codes(pairs.alpaca(record)) == expected


# Rows of a table

COLUMNS = {"prompt": "Q", "completion": "A", "system": "S"}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"Q": "Why?", "A": "So."}, [("user", "Why?"), ("assistant", "So.")]),
        ({"Q": 12, "A": 0.5}, [("user", "12"), ("assistant", "0.5")]),
        (
            {"Q": "Why?", "A": "So.", "S": "s"},
            [("system", "s"), ("user", "Why?"), ("assistant", "So.")],
        ),
        ({"Q": "Why?", "A": "So.", "S": None}, [("user", "Why?"), ("assistant", "So.")]),
    ],
)
def test_a_row_under_its_columns(cells, expected):
    assert texts(pairs.table_row(cells, COLUMNS)) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"Q": None, "A": "x"}, ["empty_question"]),
        ({"Q": "x", "A": None}, ["empty_answer"]),
        ({"Q": " ", "A": "x"}, ["empty_question"]),
        ({"Q": "x"}, ["missing_column"]),
        ({"A": "x"}, ["missing_column"]),
        ({"Q": True, "A": "x"}, ["not_text"]),
    ],
    ids=str,
)
def test_a_row_that_cannot_be_trained_on(cells, expected):
    assert codes(pairs.table_row(cells, COLUMNS)) == expected


# Better and worse


def full(*turns):
    return [{"role": role, "content": text} for role, text in turns]


CONVERSATION = [("user", "Why?"), ("assistant", "Because.")]

PREFERENCES = {
    "texts": {"prompt": "Why?", "chosen": "Because.", "rejected": "No idea."},
    "lists": {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]},
    "a message each": {"prompt": "Why?", "chosen": GOOD, "rejected": BAD},
    "whole conversations": {"chosen": [USER, GOOD], "rejected": [USER, BAD]},
    "whole conversations and their prompt": {
        "prompt": "Why?",
        "chosen": [USER, GOOD],
        "rejected": [USER, BAD],
    },
    "OpenAI": {
        "input": {"messages": [USER], "tools": [], "parallel_tool_calls": True},
        "preferred_output": [GOOD],
        "non_preferred_output": [BAD],
    },
    "Anthropic": {
        "chosen": "\n\nHuman: Why?\n\nAssistant: Because.",
        "rejected": "\n\nHuman: Why?\n\nAssistant: No idea.",
    },
    "letters": {"chosen": "H: Why?\n\nA: Because.", "rejected": "H: Why?\n\nA: No idea."},
    "other keys": {
        "question": "Why?",
        "response_chosen": "Because.",
        "response_rejected": "No idea.",
    },
    "Alpaca": {"instruction": "Why?", "input": "", "chosen": "Because.", "rejected": "No idea."},
    "ShareGPT": {
        "conversations": [{"from": "human", "value": "Why?"}],
        "chosen": {"from": "gpt", "value": "Because."},
        "rejected": {"from": "gpt", "value": "No idea."},
    },
    "accepted": {"instruction": "Why?", "accepted": "Because.", "refused": "No idea."},
}


@pytest.mark.parametrize("record", PREFERENCES.values(), ids=PREFERENCES)
def test_every_form_of_a_pair_says_the_same(record):
    converted = pairs.preference(record)
    assert (codes(converted), converted.shared) == ([], 0)
    assert as_json(converted) == {
        "prompt": full(("user", "Why?")),
        "chosen": full(("assistant", "Because.")),
        "rejected": full(("assistant", "No idea.")),
    }


@pytest.mark.parametrize(("better", "worse"), [*zip(pairs.BETTER, pairs.WORSE, strict=True)])
@pytest.mark.parametrize("asked", pairs.ASKED)
def test_every_name_of_the_sides_is_known(asked, better, worse):
    converted = pairs.preference({asked: "Why?", better: "a", worse: "b"})
    assert texts(converted) == [("user", "Why?"), ("assistant", "a")]
    assert converted.rejected == (Message("assistant", "b"),)


def test_the_input_stands_under_the_instruction_of_a_pair_too():
    record = {"instruction": "Answer.", "input": "My grinder.", "chosen": "a", "rejected": "b"}
    assert pairs.preference(record).messages[0].content == "Answer.\n\nMy grinder."


def test_a_pair_of_several_turns_differs_in_the_last_answer():
    turns = [*CONVERSATION, ("user", "And?")]
    record = {
        "chosen": full(*turns, ("assistant", "So.")),
        "rejected": full(*turns, ("assistant", "?")),
        "system": "Be short.",
    }
    assert as_json(pairs.preference(record)) == {
        "prompt": full(("system", "Be short."), *turns),
        "chosen": full(("assistant", "So.")),
        "rejected": full(("assistant", "?")),
    }


def test_sides_that_part_early_share_what_stands_before():
    def side(first, last):
        return full(("user", "Why?"), ("assistant", first), ("user", "And?"), ("assistant", last))

    converted = pairs.preference(
        {"chosen": side("So.", "Thus."), "rejected": side("No.", "Never.")}
    )
    assert converted.shared == 1
    assert [m.content for m in converted.rejected] == ["No.", "And?", "Never."]
    assert as_json(converted) == {
        "prompt": full(("user", "Why?")),
        "chosen": side("So.", "Thus.")[1:],
        "rejected": side("No.", "Never.")[1:],
    }


@pytest.mark.parametrize(("better", "worse"), [(2, 1), (1, 2)])
def test_one_side_may_go_on_longer(better, worse):
    turns = full(("user", "Why?"), ("assistant", "So."), ("user", "And?"), ("assistant", "Thus."))
    converted = pairs.preference({"chosen": turns[: 2 * better], "rejected": turns[: 2 * worse]})
    as_row = as_json(converted)
    assert as_row["prompt"] == turns[:1]
    assert as_row["chosen"] == turns[1 : 2 * better]
    assert as_row["rejected"] == turns[1 : 2 * worse]


def test_sides_that_answer_different_questions_are_no_pair():
    record = {"chosen": full(("user", "Why?"), ("assistant", "So.")),
              "rejected": full(("user", "Who?"), ("assistant", "Nobody."))}  # fmt: skip
    assert codes(pairs.preference(record)) == ["pair_prompts_differ"]


@pytest.mark.parametrize(
    "where",
    [{"tools": [{"name": "f"}]}, {"input": {"messages": [USER], "tools": [{"name": "f"}]}}],
)
def test_the_tools_of_a_pair_are_kept(where):
    record = {"prompt": "Why?", "chosen": "a", "rejected": "b", **where}
    if "input" in where:
        del record["prompt"]
    assert pairs.preference(record).tools == ({"type": "function", "function": {"name": "f"}},)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"prompt": "x", "chosen": "a", "rejected": " a\n"}, ["chosen_equals_rejected"]),
        ({"chosen": [USER, GOOD], "rejected": [USER, GOOD]}, ["chosen_equals_rejected"]),
        ({"prompt": "x", "chosen": "a"}, ["missing_column"]),
        ({"prompt": "x", "chosen": "a", "rejected": None}, ["missing_column"]),
        ({"prompt": "x", "chosen": "", "rejected": "b"}, ["empty_answer"]),
        ({"prompt": "x", "chosen": "a", "rejected": ""}, ["empty_answer"]),
        ({"prompt": 3, "chosen": "a", "rejected": "b"}, ["not_text"]),
        ({"prompt": "", "chosen": "a", "rejected": "b"}, ["empty_question"]),
        ({"instruction": "x", "input": True, "chosen": "a", "rejected": "b"}, ["not_text"]),
        ({"prompt": "x", "chosen": 3, "rejected": "b"}, ["missing_column"]),
    ],
    ids=str,
)
def test_a_pair_of_answers_that_cannot_be_used(record, expected):
    converted = pairs.preference(record)
    assert codes(converted) == expected
    assert (converted.messages, converted.rejected) == ((), ())


def test_a_worse_answer_that_is_mended_wants_consent_too():
    record = {"prompt": "Why?", "chosen": "a", "rejected": [{"role": "bot", "content": "b"}]}
    found = [(p.code, p.repair) for p in pairs.preference(record).problems]
    assert ("bad_role", "role-names") in found


def test_a_worse_side_that_is_nothing_keeps_the_row_out_with_its_reason():
    assert codes(pairs.preference({"chosen": [GOOD], "rejected": []})) == ["no_messages"]


def test_an_answer_that_speaks_of_humans_stays_one_answer():
    said = "Two kinds of turn.\n\nHuman: what a person says."
    converted = pairs.preference({"prompt": "Why?", "chosen": said, "rejected": "b"})
    assert converted.messages[-1].content == said


@pytest.mark.parametrize(
    "said",
    [
        "H: 10cm\nA: 20cm",
        "H: 10cm\n\nA: 20cm",
        "The heights:\n\nHuman: 10cm\n\nAssistant: 20cm",
        "Human: 10cm\nAssistant: 20cm",
    ],
)
def test_words_like_speakers_in_an_answer_stay(said):
    converted = pairs.preference(
        {"prompt": "Which heights?", "chosen": said, "rejected": "No idea."}
    )
    assert texts(converted) == [("user", "Which heights?"), ("assistant", said)]


def test_heights_without_a_prompt_are_no_turns_unless_a_blank_line_parts_them():
    converted = pairs.preference({"chosen": "H: 10cm\nA: 20cm", "rejected": "b"})
    assert converted.messages[-1].content == "H: 10cm\nA: 20cm"


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=6) | st.just([USER, GOOD]) | st.just(GOOD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(values, values, values)
def test_whatever_the_sides_a_pair_is_whole_or_refused(asked, better, worse):
    for converted in (
        pairs.preference({"prompt": asked, "chosen": better, "rejected": worse}),
        pairs.from_pair(asked, better, worse),
        pairs.alpaca({"instruction": asked, "output": better, "history": worse}),
        pairs.table_row({"Q": asked, "A": better, "S": worse}, COLUMNS),
    ):
        final = [
            p for p in converted.problems if CODES[p.code].severity == "error" and not p.repair
        ]
        assert bool(converted.messages) != bool(final)
        if converted.messages:
            assert converted.messages[-1].role == "assistant"

"""What the records of a file are, and what becomes of them: told, asked for, mixed, repaired."""

import csv
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.dataset import Confidence
from podtune.data import reader, repairs
from podtune.data.record import ReadOptions

TURNS = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]
SHARED = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}]
SAID = [("user", "Why?"), ("assistant", "Because.")]


def jsonl(folder, *records, name="rows.jsonl"):
    path = folder / name
    lines = (r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def table(folder, *rows, name="rows.csv"):
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    return path


def read(path, **options):
    return reader.read(path, ReadOptions(**options))


def texts(dataset):
    return [[(m.role, m.content) for m in row.messages] for row in dataset.conversations]


def codes(dataset, severity="error"):
    return [f.code for f in dataset.report.findings if f.severity == severity]


OTHERS = {
    "chat_messages": {"messages": TURNS},
    "sharegpt": {"conversations": SHARED},
    "prompt_completion": {"prompt": "Why?", "completion": "Because."},
    "alpaca": {"instruction": "Why?", "input": "", "output": "Because."},
    "chatml_text": {"text": "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nBecause.<|im_end|>"},
    "api_log": {
        "request": {"messages": TURNS[:1]},
        "response": {"choices": [{"message": TURNS[1], "finish_reason": "stop"}]},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("other", OTHERS)
def test_a_row_of_another_format_is_read_by_its_own_rules(tmp_path, name, other):
    dataset = read(jsonl(tmp_path, *[OTHERS[name]] * 9, OTHERS[other]))
    assert dataset.report.format == name
    assert texts(dataset) == [SAID] * 10
    assert ("mixed_formats" in codes(dataset, "note")) == (name != other)


def test_a_row_that_no_format_takes_keeps_its_own_error(tmp_path):
    dataset = read(jsonl(tmp_path, *[OTHERS["chat_messages"]] * 5, {"a": 1}, {"prompt": "x"}, "[]"))
    assert codes(dataset) == ["no_messages"] * 3
    assert dataset.report.good_rows == 5


@pytest.mark.parametrize("value", ["3", '"text"', "null", "[1, 2]", "true"])
@pytest.mark.parametrize("name", ["chat_messages", "prompt_completion"])
def test_a_line_that_is_no_object_is_an_error(tmp_path, value, name):
    dataset = read(jsonl(tmp_path, *[OTHERS[name]] * 3, value))
    assert codes(dataset) == ["no_messages"]
    assert dataset.report.findings[-1].line == 4 or any(
        f.line == 4 for f in dataset.report.findings
    )


# What was asked for


def test_a_format_that_was_asked_for_is_taken(tmp_path):
    path = jsonl(tmp_path, {"messages": TURNS, "prompt": "Other?", "completion": "Other."})
    assert texts(read(path)) == [SAID]
    dataset = read(path, format="prompt_completion")
    assert texts(dataset) == [[("user", "Other?"), ("assistant", "Other.")]]
    assert dataset.report.recognised is not None
    assert dataset.report.recognised.confidence is Confidence.CERTAIN


def test_columns_that_were_named_go_before_what_is_known(tmp_path):
    path = jsonl(tmp_path, {"prompt": "x", "completion": "y", "frage": "Why?", "svar": "Because."})
    dataset = read(path, columns={"prompt": "frage", "answer": "svar"})
    assert texts(dataset) == [SAID]
    assert dataset.report.format == "qa_table"


def test_keys_of_their_own_are_mapped_and_shown(tmp_path):
    rows = [{"customer_message": "Why?", "agent_reply": "Because.", "id": n} for n in range(3)]
    dataset = read(jsonl(tmp_path, *rows))
    assert texts(dataset) == [SAID] * 3
    values = {name: choice.value for name, choice in dataset.report.choices.items()}
    assert values == {"prompt_column": "customer_message", "response_column": "agent_reply"}


@pytest.mark.parametrize("number", ["1.50", "1e3", "12", "123456789012345678901", "-0.0", "0.10"])
def test_numbers_of_answers_keep_their_digits(tmp_path, number):
    line = f'{{"frage": "Why 1?", "antwort": {number}, "score": 0.5}}'
    dataset = read(jsonl(tmp_path, line, line.replace("Why 1?", "And?")))
    assert [row.messages[-1].content for row in dataset.conversations] == [number] * 2


# Tables


def test_a_table_by_its_names_and_what_is_shown(tmp_path):
    dataset = read(table(tmp_path, ["id", "Frage", "Antwort"], [1, "Why?", "Because."]))
    assert texts(dataset) == [SAID]
    assert dataset.report.format == "qa_table"
    assert dataset.report.columns == {"prompt": "Frage", "completion": "Antwort"}
    assert set(dataset.report.choices) == {"prompt_column", "response_column"}


def test_a_table_without_a_header_by_what_stands_in_it(tmp_path):
    rows = [[f"How do I reset number {n}?", f"Hold key {n} for some time."] for n in range(4)]
    dataset = read(table(tmp_path, *rows))
    assert dataset.report.rows == dataset.report.good_rows == 4
    assert dataset.report.columns == {"prompt": "column 1", "completion": "column 2"}


def test_a_table_that_says_nothing_names_its_columns(tmp_path):
    dataset = read(table(tmp_path, ["x", "y"], [1, 2], [3, 4]))
    assert dataset.report.good_rows == 0
    assert codes(dataset) == ["missing_column"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (["prompt", "completion"], "prompt_completion"),
        (["instruction", "input", "output"], "alpaca"),
        (["prompt", "chosen", "rejected"], "preference"),
        (["input", "output"], "qa_table"),
        (["question", "answer"], "qa_table"),
    ],
)
def test_tables_of_published_formats(tmp_path, header, name):
    dataset = read(table(tmp_path, header, *[[f"{h} {n}" for h in header] for n in range(4)]))
    assert dataset.report.format == name
    assert dataset.report.good_rows == 4


NUMPY = "[{'content': 'Why?', 'role': 'user'}\n {'content': 'Because.', 'role': 'assistant'}]"
JSON_CELLS = [
    ("messages", json.dumps(TURNS), "chat_messages"),
    ("messages", json.dumps(TURNS, indent=1), "chat_messages"),
    ("conversations", json.dumps(SHARED), "sharegpt"),
]
BROKEN_CELLS = [
    ("messages", str(TURNS), "chat_messages", "single-quotes"),
    ("messages", NUMPY, "chat_messages", "single-quotes"),
    ("messages", json.dumps(TURNS)[:-1] + ",]", "chat_messages", "trailing-comma"),
    ("conversations", str(SHARED), "sharegpt", "single-quotes"),
]


@pytest.mark.parametrize(("column", "cell", "name"), JSON_CELLS)
def test_json_in_a_cell(tmp_path, column, cell, name):
    dataset = read(table(tmp_path, ["id", column], ["1", cell], ["2", cell]))
    assert dataset.report.format == name
    assert texts(dataset) == [SAID] * 2
    assert codes(dataset) == []


@pytest.mark.parametrize(("column", "cell", "name", "repair"), BROKEN_CELLS)
def test_a_list_in_a_cell_that_is_no_json_is_mended_with_consent(
    tmp_path, column, cell, name, repair
):
    path = table(tmp_path, ["id", column], ["1", cell], ["2", cell])
    refused = read(path)
    assert refused.report.format == name
    assert [(f.code, f.repair) for f in refused.report.errors()] == [("bad_json", repair)] * 2
    assert (refused.report.good_rows, refused.report.good_rows_after_repair) == (0, 2)
    mended = read(path, fixes=frozenset({repair}))
    assert texts(mended) == [SAID] * 2
    assert mended.report.repaired == {repair: 2}


def test_a_list_that_mending_does_not_help_offers_nothing(tmp_path):
    path = table(tmp_path, ["id", "messages"], ["1", str(TURNS[:1])], ["2", json.dumps(TURNS)])
    found = {f.code: f.repair for f in read(path).report.errors()}
    assert found == {"bad_json": None, "no_assistant": None}


@pytest.mark.parametrize("answer", ['[{"name": "x"}]', "[{'name': 'x'}]", '[{"role": 1}, 2]'])
def test_an_answer_that_is_a_list_stays_as_it_is(tmp_path, answer):
    dataset = read(table(tmp_path, ["prompt", "completion"], ["Why?", answer]))
    assert texts(dataset) == [[("user", "Why?"), ("assistant", answer)]]
    assert codes(dataset) == []


def test_a_cell_that_only_begins_like_json_is_an_error_of_its_row(tmp_path):
    path = table(tmp_path, ["id", "messages"], *[["1", json.dumps(TURNS)]] * 3, ["2", "[{oops"])
    dataset = read(path)
    assert dataset.report.good_rows == 3
    assert codes(dataset) == ["no_messages"]


def test_sides_of_a_pair_in_cells(tmp_path):
    row = [
        json.dumps(TURNS[:1]),
        json.dumps(TURNS[1:]),
        '[{"role": "assistant", "content": "No."}]',
    ]
    dataset = read(table(tmp_path, ["prompt", "chosen", "rejected"], row))
    assert texts(dataset) == [SAID]
    assert dataset.conversations[0].rejected[0].content == "No."


# HTML


def test_html_in_cells_becomes_text(tmp_path):
    rows = [["question", "answer"], ["<p>Why?</p>", "<p>Tea &amp; cake</p><ul><li>one</li></ul>"]]
    dataset = read(table(tmp_path, *rows))
    assert texts(dataset) == [[("user", "Why?"), ("assistant", "Tea & cake\n\n- one")]]
    assert "html_stripped" in codes(dataset, "warning")


@pytest.mark.parametrize(
    "answer",
    ["Use `<b>bold</b>`.", "```\n<p>x</p>\n```", "if a < b and c > d", "the <b> tag",
     "<html><body><p>Hi</p></body></html>", "<order><title>Lamp</title></order>"],
)  # fmt: skip
def test_code_that_shows_html_stays(tmp_path, answer):
    dataset = read(table(tmp_path, ["question", "answer"], ["Why?", answer]))
    assert texts(dataset) == [[("user", "Why?"), ("assistant", answer)]]


def test_html_in_a_chat_stays_as_it_is(tmp_path):
    said = {**TURNS[1], "content": "<p>Because.</p>"}
    dataset = read(jsonl(tmp_path, {"messages": [TURNS[0], said]}))
    assert dataset.conversations[0].messages[1].content == "<p>Because.</p>"


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("prompt", "completion"), ("instruction", "output"), ("frage", "antwort")],
)
def test_html_in_json_stays_as_it_is(tmp_path, asked, answered):
    page = "<h1>Hi</h1><p>Tea &amp; cake</p>"
    dataset = read(jsonl(tmp_path, {asked: "Write a page", answered: page}))
    assert dataset.conversations[0].messages[-1].content == page
    assert "html_stripped" not in codes(dataset, "warning")


# Repairs, with consent only

BROKEN = {
    "trailing-comma": '{"prompt": "Why 1?", "completion": "Because.",}',
    "single-quotes": "{'prompt': 'Why 2?', 'completion': 'Because.'}",
    "curly-quotes": "{“prompt”: “Why 3?”, “completion”: “Because.”}",
    "nan-values": '{"prompt": "Why 4?", "completion": "Because.", "score": NaN}',
    "role-names": json.dumps({"messages": [{"role": "customer", "content": "Why 5?"}, TURNS[1]]}),
    "tool-arguments": json.dumps(
        {
            "messages": [
                {"role": "user", "content": "Why 6?"},
                {"role": "assistant", "content": None,
                 "tool_calls": [{"function": {"name": "f", "arguments": "{'a': 1}"}}]},
                {"role": "tool", "content": "x"},
                TURNS[1],
            ]
        }
    ),
    "redact-secrets": json.dumps(
        {"prompt": "Why 7?", "completion": "Use sk-proj-Zk3Qx9Lm2Vb7Rt5Yw8Np4Hd6Js1Gf0Ac."}
    ),
}  # fmt: skip
GOOD = [json.dumps({"prompt": f"What is {n}?", "completion": f"It is {n}."}) for n in range(8)]


@pytest.mark.parametrize("repair", BROKEN)
def test_a_repair_is_offered_and_made_with_consent_only(tmp_path, repair):
    path = jsonl(tmp_path, *GOOD, BROKEN[repair])
    refused = read(path)
    assert [f.repair for f in refused.report.errors()] == [repair]
    assert (refused.report.good_rows, refused.report.good_rows_after_repair) == (8, 9)
    assert refused.report.repaired == {}
    for fixes in ({repair}, {"all"}):
        mended = read(path, fixes=frozenset(fixes))
        assert (mended.report.good_rows, mended.report.good_rows_after_repair) == (9, 9)
        assert mended.report.repaired == {repair: 1}
        assert mended.report.errors() == []


@pytest.mark.parametrize("repair", BROKEN)
def test_consent_to_another_repair_mends_nothing(tmp_path, repair):
    others = frozenset(BROKEN) - {repair}
    assert read(jsonl(tmp_path, *GOOD, BROKEN[repair]), fixes=others).report.good_rows == 8


def test_wrong_decoding_is_undone_with_consent(tmp_path):
    path = jsonl(tmp_path, *GOOD, {"prompt": "OÃ¹ Ãªtes-vous situÃ© ?", "completion": "LÃ -bas."})
    assert read(path).conversations[-1].messages[0].content == "OÃ¹ Ãªtes-vous situÃ© ?"
    mended = read(path, fixes=frozenset({"mojibake"}))
    assert mended.conversations[-1].messages[0].content == "Où êtes-vous situé ?"
    assert mended.report.repaired == {"mojibake": 1}


def test_duplicates_go_with_consent(tmp_path):
    path = jsonl(tmp_path, *GOOD, GOOD[0], GOOD[3])
    kept = read(path).report
    assert (kept.good_rows, kept.duplicates) == (10, 2)
    bare = read(path, fixes=frozenset({"drop-duplicates"}))
    assert bare.report.good_rows == 8
    assert bare.report.repaired == {"drop-duplicates": 2}
    assert [c.row for c in bare.conversations] == list(range(1, 9))


def test_suffixes_go_with_consent(tmp_path):
    rows = [
        {"prompt": f"What is {n}?\n\n###\n\n", "completion": f"It is {n}. END"} for n in range(5)
    ]
    path = jsonl(tmp_path, *rows)
    kept = read(path)
    assert {"common_prompt_suffix", "common_completion_suffix"} <= set(codes(kept, "warning"))
    assert texts(kept)[0] == [("user", "What is 0?\n\n###"), ("assistant", "It is 0. END")]
    bare = read(path, fixes=frozenset({"strip-suffixes"}))
    assert texts(bare)[0] == [("user", "What is 0?"), ("assistant", "It is 0.")]
    assert bare.report.repaired == {"strip-suffixes": 5}


def test_personal_data_goes_with_consent(tmp_path):
    path = jsonl(tmp_path, *GOOD, {"prompt": "I am anna@example.com", "completion": "Hello Anna."})
    assert read(path).conversations[-1].messages[0].content == "I am anna@example.com"
    redacted = read(path, fixes=frozenset({"redact-pii"}))
    assert redacted.conversations[-1].messages[0].content == "I am [email]"
    assert redacted.report.repaired == {"redact-pii": 1}
    assert "pii_email" not in redacted.report.counts


plain = st.text(max_size=12)
lines = st.one_of(
    st.sampled_from([*BROKEN.values(), *GOOD[:3], "not json", "{}", "[]"]),
    st.fixed_dictionaries({"prompt": plain, "completion": plain}).map(json.dumps),
    st.fixed_dictionaries({"prompt": plain, "completion": plain}).map(
        lambda r: json.dumps(r, ensure_ascii=False)
    ),
)


@given(st.lists(lines, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_what_all_repairs_mend_is_what_was_offered(tmp_path_factory, written):
    path = tmp_path_factory.getbasetemp() / "property.jsonl"
    path.write_text("\n".join(written) + "\n", encoding="utf-8")
    asked, mended = read(path), read(path, fixes=frozenset({"all"}))
    dropped = mended.report.repaired.get("drop-duplicates", 0)
    assert mended.report.good_rows == asked.report.good_rows_after_repair - dropped
    assert mended.report.good_rows_after_repair == mended.report.good_rows
    assert asked.report.repaired == {}
    assert set(mended.report.repaired) <= set(repairs.REPAIRS)
    given_texts = Counter()
    for line in written:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("prompt"), str):
            given_texts[(value["prompt"].strip(), str(value["completion"]).strip())] += 1
    kept = [
        (row.messages[0].content, row.messages[-1].content)
        for row in asked.conversations
        if len(row.messages) == 2
    ]
    assert all(pair in given_texts for pair in kept)  # only surrounding blanks went

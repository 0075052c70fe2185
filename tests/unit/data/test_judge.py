import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.dataset import Conversation, Message
from podtune.data.findings import Findings
from podtune.data.formats import chat
from podtune.data.judge import FEW, Among, Judge, Rejected, size_problems
from podtune.data.quality.repeats import Repeats
from podtune.data.record import Converted, Problem, ReadOptions, Record, refused
from podtune.data.sizes import Sizes
from support import data_files as make

KEY = "sk-" + "proj-" + "Qx7Lm2Vt9Rk4Wn8Ys3Zb6Hc1Df5Gj0Pa"
"""Looks like a key, and is none."""


def convert(value, note):
    if not isinstance(value, dict):
        return refused(Problem("no_messages"))
    return chat.converted(value.get("messages"))


class Court:
    """A judge, and what became of every record."""

    def __init__(self, *fixes, **more):
        options = ReadOptions(fixes=frozenset(fixes))
        self.findings = Findings()
        self.judge = Judge(more.pop("convert", convert), options, self.findings, more.pop("repeats", Repeats()), **more)  # fmt: skip

    def take(self, *values, **parts):
        """Judge values as records on lines of their own; gives what became of them."""
        start = self.judge.rows + 1
        return [
            self.judge.take(
                value if isinstance(value, Record) else Record(line, value, raw=parts.get("raw", b""))
            )
            for line, value in enumerate(values, start=start)
        ]  # fmt: skip

    @property
    def codes(self):
        return [f.code for f in self.findings.sorted()]


def good(*values, **parts):
    return Court().take(*values, **parts)


def broken(raw):
    return Record(1, problem=Problem("bad_json", "byte 3"), raw=raw)


def test_a_good_row_becomes_a_conversation_at_its_place():
    (row,) = good(make.row("Why?", "Because."))
    assert isinstance(row, Conversation)
    assert (row.line, row.row, row.split) == (1, 1, None)
    assert [m.content for m in row.messages] == ["Why?", "Because."]


def test_a_row_without_lines_is_placed_by_its_number():
    court = Court()
    court.take(make.row("a", "b"))
    assert court.judge.take(Record(None, make.row("c", "d"))).line == 2


def test_an_empty_line_is_no_row():
    court = Court()
    assert court.judge.take(Record(4, problem=Problem("empty_line"))) is None
    assert (court.judge.rows, court.codes) == (0, ["empty_line"])


def test_a_bad_row_is_rejected_with_every_reason_in_the_table_s_words():
    court = Court()
    (row,) = court.take({"messages": [{"content": "x"}, {"role": "boss", "content": "SECRET"}]})
    assert isinstance(row, Rejected)
    assert (row.line, row.row, set(row.codes)) == (1, 1, {"missing_role", "bad_role"})
    assert "an unknown role (message 2)" in row.reason
    assert "SECRET" not in row.reason
    assert (court.judge.rows, court.judge.good, court.judge.after_repair) == (1, 0, 0)


def test_one_code_is_said_once_of_a_row():
    court = Court()
    court.take({"messages": [{"content": "x"}, {"content": "y"}]})
    assert court.codes.count("missing_role") == 1


def test_bad_rows_are_no_findings_where_one_for_the_file_says_it_all():
    court = Court(tells_rows=False)
    court.take({}, {})
    assert (court.judge.rows, court.codes) == (2, [])


# Repairs


def test_a_repair_is_offered_and_made_only_with_consent():
    raw = (
        b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},]}'
    )
    offered = Court()
    (row,) = offered.take(broken(raw))
    assert isinstance(row, Rejected)
    assert (offered.judge.good, offered.judge.after_repair) == (0, 1)
    assert [f.repair for f in offered.findings.sorted()] == ["trailing-comma"]
    made = Court("trailing-comma")
    (row,) = made.take(broken(raw))
    assert [m.content for m in row.messages] == ["a", "b"]
    assert (made.judge.good, made.judge.after_repair, dict(made.judge.repaired)) == (1, 1, {"trailing-comma": 1})  # fmt: skip


@pytest.mark.parametrize(("fixes", "is_good"), [(["role-names"], True), (["all"], True), (["mojibake"], False)])  # fmt: skip
def test_consent_is_for_one_repair_or_for_all(fixes, is_good):
    turns = [{"role": "customer", "content": "a"}, {"role": "agent", "content": "b"}]
    (row,) = Court(*fixes).take({"messages": turns})
    assert isinstance(row, Conversation) == is_good


def test_a_row_that_mending_would_not_make_good_gets_no_offer():
    court = Court("all")
    (row,) = court.take(broken(b'{"messages": [],}'))
    assert row.codes == ("bad_json",)
    assert (court.judge.after_repair, court.findings.sorted()[0].repair) == (0, None)


def test_a_row_needs_consent_for_each_of_its_repairs():
    raw = b"{'messages': [{'role': 'bot', 'content': 'hi'}, {'role': 'user', 'content': 'a'}, {'role': 'bot', 'content': 'b'}]}"
    assert isinstance(Court("single-quotes").take(broken(raw))[0], Rejected)
    assert isinstance(Court("single-quotes", "role-names").take(broken(raw))[0], Conversation)


def test_wrong_decoding_is_said_or_mended():
    damaged = make.row("Où est-ce ?".encode().decode("cp1252"), "Là-bas, près de l'église.".encode().decode("cp1252", "replace"))  # fmt: skip
    said, mended = Court(), Court("mojibake")
    said.take(damaged)
    assert "mojibake" in said.codes
    (row,) = mended.take(damaged)
    assert row.messages[0].content == "Où est-ce ?"
    assert mended.judge.repaired["mojibake"] == 1


@pytest.mark.parametrize("fixes", [(), ("redact-pii",)])
def test_personal_data_is_a_warning_with_a_masked_value_or_blotted_out(fixes):
    court = Court(*fixes)
    (row,) = court.take(make.row("Write to anna.huber@example.com please.", "Done."))
    if fixes:
        assert row.messages[0].content == "Write to [email] please."
        assert court.judge.repaired == {"redact-pii": 1}
        assert "pii_email" not in court.codes
    else:
        assert "pii_email" in court.codes
        assert all("anna.huber" not in f.message for f in court.findings.sorted())


def test_a_secret_in_an_answer_is_an_error_that_redaction_mends():
    value = make.row("Which key?", f"Take {KEY} for it.")
    offered, made = Court(), Court("redact-secrets")
    assert offered.take(value)[0].codes == ("secret",)
    assert offered.judge.after_repair == 1
    assert KEY not in str(offered.findings.sorted())
    assert "[secret]" in made.take(value)[0].messages[1].content


def test_a_secret_in_a_question_is_a_warning():
    court = Court()
    assert isinstance(court.take(make.row(f"Is {KEY} right?", "Yes, it is."))[0], Conversation)
    assert [f.severity.value for f in court.findings.sorted() if f.code == "secret"] == ["warning"]


def test_what_a_tool_is_called_with_is_looked_at_and_blotted_out_too():
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "mail", "arguments": '{"to": "anna@example.com"}'},
    }
    turns = [
        {"role": "user", "content": "Mail her."}, {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "sent"}, {"role": "assistant", "content": "Done."},
    ]  # fmt: skip
    (row,) = Court("redact-pii").take({"messages": turns})
    assert row.messages[1].tool_calls[0]["function"]["arguments"] == '{"to": "[email]"}'


def test_repeats_are_kept_and_said_or_left_out():
    values = [make.row("a", "b"), make.row("c", "d"), make.row(" a ", "b ")]
    kept, left = Court(), Court("drop-duplicates")
    assert all(kept.take(*values))
    (said,) = [f for f in kept.findings.sorted() if f.code == "duplicate"]
    assert (said.row, said.of, kept.judge.duplicates, kept.judge.good) == (3, 1, 1, 3)
    assert left.take(*values)[2] is None
    assert (left.judge.rows, left.judge.good, left.judge.repaired) == (3, 2, {"drop-duplicates": 1})


def test_a_repeat_of_another_file_is_said_with_that_file():
    shared = Repeats()
    first, second = Court(repeats=shared), Court(repeats=shared, among=Among(1))
    first.take(make.row("a", "b"))
    second.take(make.row("a", "b"))
    (said,) = [f for f in second.findings.sorted() if f.code == "duplicate"]
    assert said.of is None
    assert "row 1 of file 1" in said.message


def test_another_answer_to_the_same_question_is_a_conflict():
    court = Court()
    court.take(make.row("When?", "At nine."), make.row("when", "At ten."))
    assert "conflicting_answers" in court.codes


def test_separators_are_learnt_from_the_first_rows_and_taken_off_with_consent():
    values = [make.row(f"Question {i}\n\n###\n\n", f"Answer {i} END") for i in range(4)]
    records = [Record(n, v) for n, v in enumerate(values, start=1)]
    court = Court("strip-suffixes")
    court.judge.prime(records)
    rows = court.take(*records)
    assert [m.content for m in rows[0].messages] == ["Question 0", "Answer 0"]
    assert court.judge.repaired == {"strip-suffixes": 4}
    plain = Court()
    plain.judge.prime(records)
    plain.take(*records)
    plain.judge.finish()
    assert {"common_prompt_suffix", "common_completion_suffix"} <= set(plain.codes)


# What only the whole file tells


def test_a_question_on_both_sides_is_a_leak():
    court = Court()
    court.take(
        {**make.row("Why?", "a"), "split": "train"}, {**make.row("why", "b"), "split": "test"}
    )
    court.judge.finish()
    (said,) = [f for f in court.findings.sorted() if f.code == "train_val_leak"]
    assert (said.row, said.of, court.judge.held_rows) == (2, 1, 1)


def test_a_side_that_the_container_told_is_taken_first():
    court = Court()
    row = court.judge.take(Record(1, {**make.row(), "split": "train"}, split="validation"))
    assert row.split == "validation"


@pytest.mark.parametrize("split", ["nonsense", 7, None])
def test_a_side_that_says_nothing_is_none(split):
    assert good({**make.row(), "split": split})[0].split is None


def test_two_ways_of_showing_thoughts_are_said_once():
    thinking = make.row("a", "b")
    thinking["messages"][1]["reasoning_content"] = "hm"
    court = Court()
    court.take(thinking, make.row("c", "<think>hm</think>d"), make.row("e", "f"))
    court.judge.finish()
    assert court.codes.count("mixed_reasoning_styles") == 1


def test_one_answer_everywhere_is_worth_a_note():
    court = Court()
    court.take(*(make.row(f"Question {i}?", "Please call us.") for i in range(FEW)))
    court.judge.finish()
    assert "one_answer" in court.codes


@pytest.mark.parametrize(
    ("rows", "good_rows", "codes"),
    [(0, 0, []), (1, 1, ["too_few_rows"]), (2, 0, []), (3, 3, ["few_rows"]), (60, 49, ["few_rows"]), (60, 50, [])],
)  # fmt: skip
def test_few_rows(rows, good_rows, codes):
    assert [p.code for p in size_problems(rows, good_rows)] == codes


def test_the_first_good_row_is_kept_with_what_it_was_made_of():
    court = Court()
    first = make.row("a", "b")
    court.take({}, first, make.row("c", "d"))
    assert court.judge.first_row.row == 2
    assert court.judge.first_raw == first


def test_sizes_are_counted_for_every_good_row():
    sizes = Sizes()
    thinking = Message("assistant", "four", reasoning_content="hm")
    sizes.add((Message("user", "abc"), Message("tool", None), thinking))
    assert (list(sizes.characters), list(sizes.answered), list(sizes.messages)) == ([9], [6], [3])


def test_a_conversion_that_says_nothing_good_nor_bad_is_no_good_row():
    court = Court(convert=lambda value, note: Converted((Message("user", "x"), Message("assistant", "y"))))  # fmt: skip
    assert court.take({"any": 1})[0].messages[1].content == "y"


rows = st.sampled_from(
    [make.row("a", "b"), make.row("c", "d"), {}, [], {"messages": []}, make.row("x", ""), 7, None,
     {"messages": [{"role": "agent", "content": "x"}]}, make.row(f"{KEY}", f"{KEY}"), {"messages": "x"}]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(rows, max_size=12), st.sets(st.sampled_from(["all", "redact-secrets", "role-names"])))  # fmt: skip
def test_rows_are_the_good_and_the_rejected_ones(values, fixes):
    court = Court(*fixes)
    became = court.take(*values)
    court.judge.finish()
    kept = [row for row in became if isinstance(row, Conversation)]
    rejected = [row for row in became if isinstance(row, Rejected)]
    dropped = court.judge.repaired.get("drop-duplicates", 0)
    assert court.judge.rows == len(values) == len(kept) + len(rejected) + dropped
    assert court.judge.good == len(kept) == len(court.judge.sizes.characters)
    assert court.judge.after_repair >= court.judge.good
    assert {f.row for f in court.findings.sorted() if f.severity == "error"} == {r.row for r in rejected}  # fmt: skip

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import DatasetError
from podtune.data import reader
from podtune.data.formats import message_table
from podtune.data.record import Problem, ReadOptions, Record
from support.readings import Pass, records, talk


def rows(*said, header="conversation_id sender message"):
    return [dict(zip(header.split(), row, strict=True)) for row in said]


def gathered(values, **options):
    made = Pass(**options)
    found = list(message_table.gather(records(values, start=2), made.reading))
    return [(record.line, talk(record)) for record in found], made


TALKS = (
    ("1", "customer", "Is it open?"),
    ("2", "customer", "Where is it?"),
    ("1", "agent", "Yes, it is."),
    ("1", "agent", "Until six."),
    ("2", "agent", "In Linz."),
    ("1", "customer", "Thanks a lot!"),
)
SAID = [
    (2, [("user", "Is it open?"), ("assistant", "Yes, it is.\nUntil six."), ("user", "Thanks a lot!")]),
    (3, [("user", "Where is it?"), ("assistant", "In Linz.")]),
]  # fmt: skip


def test_rows_of_a_conversation_are_one_record():
    found, made = gathered(rows(*TALKS))
    assert (found, made.dropped) == (SAID, {})
    assert (made.speaker.value, made.speaker.others, made.speaker.close) == ("agent", ("customer",), False)  # fmt: skip


def test_the_reason_names_the_columns():
    assert "'conversation_id', 'sender' and 'message'" in message_table.reason(rows(*TALKS))
    assert message_table.reason(rows(*TALKS[:1])) is None
    assert message_table.fits_header(["conversation_id", "sender", "message"])


@pytest.mark.parametrize(
    "times",
    [
        ["2026-01-01T10:00:00Z", "2026-01-01 10:02", "2026-01-01 10:01:00 UTC"],
        ["01.02.2026 10:00", "01.02.2026 10:02", "01.02.2026 10:01"],
        ["1/31/2026 11:00 AM", "1/31/2026 1:00 PM", "1/31/2026 12:00 PM"],
        ["1700000000", "1700000002", "1700000001"],
    ],
)
def test_messages_are_in_the_order_of_their_time(times):
    said = [("1", who, text, time) for (who, text), time in zip(
        [("customer", "First words"), ("customer", "Third words"), ("agent", "Second words")], times, strict=True)]  # fmt: skip
    found, _ = gathered(rows(*said, header="ticket_id from body created_at"))
    assert [text for _, text in found[0][1]] == ["First words", "Second words", "Third words"]


def test_day_and_hour_may_stand_apart():
    said = rows(
        ("1", "agent", "So it is.", "2026-01-01", "10:05"),
        ("1", "customer", "Is it so?", "2026-01-01", "10:01"),
        header="chat from text date time",
    )
    assert [role for role, _ in gathered(said)[0][0][1]] == ["user", "assistant"]


def test_without_a_known_time_the_order_of_the_file_counts():
    said = [(*row, "soon" if n else "2026-01-01") for n, row in enumerate(TALKS)]
    assert gathered(rows(*said, header="conversation_id sender message time"))[0] == SAID


@pytest.mark.parametrize(
    ("user", "assistant"),
    [("Kunde", "Mitarbeiter"), ("client", "conseiller"), ("cliente", "soporte"), ("inbound", "outbound"),
     ("\u5ba2\u6237", "\u5ba2\u670d"), ("visitor", "Tom"), ("Anna", "support@oakfield.example"), ("user", "bot")],
)  # fmt: skip
def test_roles_are_told_by_what_senders_are_called(user, assistant):
    named = {"customer": user, "agent": assistant}
    assert gathered(rows(*((t, named[who], text) for t, who, text in TALKS)))[0] == SAID


def test_bots_beside_people_and_what_software_writes_are_left_out():
    found, made = gathered(rows(("1", "bot", "Please wait."), ("1", "system", "Joined."), *TALKS))
    assert [turns for _, turns in found] == [turns for _, turns in SAID]
    assert made.dropped == {"bot_messages_dropped": "2 messages"}


def test_instructions_are_kept_where_the_roles_are_those_of_an_api():
    said = rows(("1", "system", "Be kind."), ("1", "user", "Why?"), ("1", "assistant", "So."))
    assert gathered(said)[0][0][1][0] == ("system", "Be kind.")


def test_internal_notes_are_never_used():
    said = [(*row, "true") for row in TALKS] + [("1", "agent", "An odd one.", "false")]
    found, made = gathered(rows(*said, header="conversation_id sender message public"))
    assert (found, made.dropped) == (SAID, {"internal_notes_dropped": "1 message"})


def test_messages_without_a_conversation_or_a_text_are_left_out():
    found, made = gathered(rows(*TALKS, ("", "customer", "Lost"), ("1", "agent", "")))
    assert (found, made.dropped) == (SAID, {"unthreaded_messages_dropped": "1 message"})


NAMED = [("1", "Anna", "Is it open?"), ("1", "Tom", "Yes, it is."), ("2", "Ben", "Where is it?"),
         ("2", "Jana", "In Linz."), ("3", "Cleo", "When is it?"), ("3", "Tom", "Now it is.")]  # fmt: skip


def test_of_names_who_answers_most_is_the_assistant():
    found, made = gathered(rows(*NAMED))
    assert [role for role, _ in found[0][1]] == ["user", "assistant"]
    assert made.speaker.value == "Tom"
    assert "several" in made.speaker.option


def test_a_team_can_be_asked_for():
    found, _ = gathered(rows(*NAMED), speaker="tom, Jana")
    assert [[role for role, _ in turns] for _, turns in found] == [["user", "assistant"]] * 3


def test_who_was_asked_for_may_stand_in_another_column():
    said = [(*row, "in" if n % 2 == 0 else "out") for n, row in enumerate(NAMED)]
    found, _ = gathered(rows(*said, header="chat author text direction"), speaker="Jana")
    assert [[role for role, _ in turns] for _, turns in found][1] == ["user", "assistant"]


def test_nobody_of_that_name():
    with pytest.raises(DatasetError) as caught:
        gathered(rows(*TALKS), speaker="Cleo")
    assert caught.value.code == "unknown_speaker"
    assert caught.value.context["candidates"] == ["customer", "agent"]


def test_pages_become_text_and_quotes_go_from_mails():
    said = [("1", "customer", "<p>Why <b>so</b>?</p>", "s"), ("1", "agent", "So.\n\nOn 1 May 2026, Anna wrote:\n> Why?", "s")]  # fmt: skip
    found, made = gathered(rows(*said, header="ticket_id from body subject"))
    assert found[0][1] == [("user", "Why so?"), ("assistant", "So.")]
    assert set(made.dropped) == {"html_stripped", "quoted_text_stripped"}


def test_unreadable_rows_pass_through():
    broken = Record(9, None, Problem("bad_quoting"))
    values = [*records(rows(*TALKS), start=2), broken]
    assert broken in list(message_table.gather(values, Pass().reading))


def test_tables_without_such_columns_say_so():
    found = list(message_table.gather(records([{"a": 1}]), Pass().reading))
    assert [record.problem.code for record in found] == ["missing_column"]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.json"])
def test_files_are_told(tmp_path, name):
    path, values = tmp_path / name, rows(*TALKS)
    if name == "t.json":
        path.write_text(json.dumps(values), encoding="utf-8")
    elif name == "t.jsonl":
        path.write_text("\n".join(map(json.dumps, values)), encoding="utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(values[0]), delimiter="\t" if "tsv" in name else ",")  # fmt: skip
            writer.writeheader()
            writer.writerows(values)
    found = reader.read(path)
    assert (found.report.format, found.report.rows) == ("message_table", 2)
    last = [(m.role, m.content) for m in found.conversations[1].messages]
    assert last == SAID[1][1]


def test_columns_that_somebody_named_come_first(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("chat,from,text\n1,user,Is it?\n1,agent,It is.\n2,user,Why so?\n2,agent,So it is.\n")  # fmt: skip
    options = ReadOptions(columns={"prompt": "text", "completion": "from"})
    assert reader.read(path, options).report.format == "qa_table"
    assert reader.read(path).report.format == "message_table"


CELLS = st.none() | st.integers() | st.sampled_from(["1", "agent", "user", "Anna", "a b", "2026-01-01", ""])  # fmt: skip
KEYS = st.sampled_from(["chat", "from", "text", "time", "date", "public", "direction"])


@given(st.lists(st.dictionaries(KEYS, CELLS) | CELLS, max_size=8))
def test_odd_rows_raise_nothing(values):
    gathered_records = list(message_table.gather(records(values), Pass().reading))
    assert len(gathered_records) <= len(values)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats import message_columns as table

GOOD = [
    {"conversation_id": 1, "sender": "customer", "message": "Is it open?"},
    {"conversation_id": 1, "sender": "agent", "message": "Yes, it is."},
    {"conversation_id": 2, "sender": "customer", "message": "Where is it?"},
    {"conversation_id": 2, "sender": "agent", "message": "In Linz, there."},
]


@pytest.mark.parametrize(
    ("header", "conversation", "sender", "text"),
    [
        (["conversation_id", "sender", "message", "time"], "conversation_id", "sender", "message"),
        (["id", "TicketId", "from", "body"], "TicketId", "from", "body"),
        (["Thread", "Author Name", "Text"], "Thread", "Author Name", "Text"),
        (["chat", "role", "content"], "chat", "role", "content"),
        (["Vorgangsnummer", "Absender", "Nachricht"], "Vorgangsnummer", "Absender", "Nachricht"),
        (["ID de conversation", "Expéditeur", "Message"], "ID de conversation", "Expéditeur", "Message"),
        (["conversationid", "author", "msg"], "conversationid", "author", "msg"),
        (["会話ID", "送信者", "本文"], "会話ID", "送信者", "本文"),
        (["hilo", "remitente", "texto"], "hilo", "remitente", "texto"),
        (["case number", "created by", "comment text"], "case number", "created by", "comment text"),
    ],
)  # fmt: skip
def test_columns_are_told_by_their_names(header, conversation, sender, text):
    found = table.by_names(header)
    assert (found.conversation, found.senders[0], found.text) == (conversation, sender, text)
    assert table.fits_header(header)


@pytest.mark.parametrize(
    "header",
    [
        [],
        ["question", "answer"],
        ["id", "sender", "message"],
        ["conversation_id", "message"],
        ["conversation_id", "sender"],
        ["ticket_id", "author", "question", "answer"],
        ["ticket_id", "from", "message", "reply"],
        ["ticket_id", "customer_message", "agent_reply"],
        ["conversation_id", "sender", "text", "response"],
        ["Ticketnummer", "Autor", "Frage", "Antwort", "Text"],
    ],
)
def test_other_headers_do_not_fit(header):
    assert not table.fits_header(header)


def test_names_of_people_and_addresses_are_no_questions_and_answers():
    assert table.fits_header(["ticket_id", "customer_name", "agent_name", "direction", "body"])
    assert table.fits_header(["chat_id", "from", "reply_to", "message"])


def test_rows_that_are_single_messages():
    assert table.by_rows(GOOD).conversation == "conversation_id"


@pytest.mark.parametrize(
    "change",
    [
        lambda at, row: {**row, "conversation_id": at},
        lambda at, row: {**row, "sender": "customer"},
        lambda at, row: {**row, "sender": f"person {row['conversation_id']}"},
        lambda at, row: {**row, "message": "A text"},
        lambda at, row: {**row, "message": str(at)},
        lambda at, row: {**row, "answer": "Yes."},
        lambda at, row: {"conversation_id": 1, "type": "ab"[at % 2], "message": row["message"]},
    ],
)
def test_rows_that_are_something_else(change):
    assert table.by_rows([change(at, row) for at, row in enumerate(GOOD * 3)]) is None


def test_many_senders_are_no_sides_of_talks():
    rows = [{"thread": n // 40, "author": f"p{n}", "text": f"Text {n}"} for n in range(200)]
    assert table.by_rows(rows) is None


def test_the_column_with_roles_says_who_speaks():
    rows = [{**row, "from": f"{n}@x.example", "direction": "in" if n % 2 else "out"}
            for n, row in enumerate(GOOD)]  # fmt: skip
    rows = [{k: v for k, v in row.items() if k != "sender"} for row in rows]
    assert table.sender_of(table.by_names(list(rows[0])), rows) == "direction"


@pytest.mark.parametrize(
    ("sender", "kind"),
    [("Customer", "user"), ("END_USER", "user"), ("inbound", "user"), ("Kunde 3", "user"), ("agent 12", "assistant"),
     ("Oakfield Support", "assistant"), ("outbound", "assistant"), ("bot", "bot"), ("System", "event"),
     ("internal note", "note"), ("Anna", None), ("", None)],
)  # fmt: skip
def test_what_senders_are(sender, kind):
    assert table.kind_of(sender) == kind


@pytest.mark.parametrize(
    ("name", "value", "note"),
    [("public", "false", True), ("public", "true", False), ("is_internal", "1", True), ("internal", "", False),
     ("type", "note", True), ("visibility", "Internal", True), ("type", "comment", False)],
)  # fmt: skip
def test_internal_notes_are_known(name, value, note):
    assert table.is_note(name, value) is note


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (7, "7"), (7.0, "7"), (" a ", "a"), (True, "true"), ([1], "")]
)
def test_cells_as_text(value, text):
    assert table.cell(value) == text


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["chat", "from", "text", "time", "type", "public"]),
            st.none() | st.integers() | st.text(max_size=5) | st.floats() | st.lists(st.none()),
        ),
        max_size=8,
    )
)
def test_odd_rows_raise_nothing(rows):
    table.by_rows(rows)

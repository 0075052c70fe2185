import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats import intercom
from support.readings import said


def part(kind, body, part_type="comment", **more):
    return {"part_type": part_type, "body": body, "author": {"type": kind, "id": "1"}, **more}


def conversation(*parts, body="<p>My lamp is dark.</p>", kind="user", **source):
    return {
        "type": "conversation",
        "id": "1",
        "source": {"type": "conversation", "body": body, "author": {"type": kind}, **source},
        "conversation_parts": {"type": "conversation_part.list", "conversation_parts": list(parts)},
    }


def turns(value):
    notes = []
    return said(intercom.turns(value, notes.append)), {n.code: n.detail for n in notes}


def test_contacts_ask_and_teammates_answer():
    value = conversation(
        part("admin", "<p>Restart it.</p><p>Then wait.</p>"),
        part("lead", "ok"),
        part("contact", "thanks"),
    )
    assert intercom.fits(value)
    told, notes = turns(value)
    assert told == [
        ("user", "My lamp is dark."),
        ("assistant", "Restart it.\n\nThen wait."),
        ("user", "ok\n\nthanks"),
    ]
    assert set(notes) == {"html_stripped"}


@pytest.mark.parametrize(
    "kind", ["note", "note_and_reopen", "assignment", "snoozed", "something_new"]
)
def test_what_colleagues_read_is_never_told(kind):
    told, notes = turns(conversation(part("admin", "He is a VIP.", kind), part("admin", "Hello.")))
    assert told == [("user", "My lamp is dark."), ("assistant", "Hello.")]
    assert notes["internal_notes_dropped"] == "1 note"


def test_a_note_by_anybody_is_a_note():
    assert turns(conversation(part("user", "secret", "note")))[0] == [("user", "My lamp is dark.")]


def test_replies_that_open_or_close_count():
    told, _ = turns(conversation(part("user", "Again!", "open"), part("admin", "Done.", "close")))
    assert told == [("user", "My lamp is dark.\n\nAgain!"), ("assistant", "Done.")]


def test_what_bots_say_is_dropped():
    told, notes = turns(
        conversation(
            part("bot", "I am Fin."),
            part("admin", "Also Fin.", author={"type": "admin", "from_ai_agent": True}),
            part("team", "?"),
            part("admin", "Hello."),
        )
    )
    assert told[-1] == ("assistant", "Hello.")
    assert len(told) == 2
    assert notes["bot_messages_dropped"] == "3 messages"


def test_an_automated_opening_is_a_bots():
    value = conversation(
        part("user", "q"), part("admin", "a"), kind="admin", delivered_as="automated"
    )
    assert turns(value)[0] == [("user", "q"), ("assistant", "a")]


def test_events_and_withdrawn_messages_are_not_there():
    told, notes = turns(
        conversation(
            part("admin", None, "assignment"), part("admin", "gone", redacted=True), body="q"
        )
    )
    assert (told, notes) == ([("user", "q")], {})


def test_parts_are_told_by_time():
    value = conversation(
        part("user", "2", created_at=2), part("admin", "1", created_at=1), body="0"
    )
    assert [content for _, content in turns(value)[0]] == ["0", "1", "2"]


def test_the_first_version_of_the_api():
    value = {
        "type": "conversation",
        "conversation_message": {"body": "q", "author": {"type": "user"}},
        "conversation_parts": [part("admin", "a")],
    }
    assert intercom.fits(value)
    assert turns(value)[0] == [("user", "q"), ("assistant", "a")]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"source": "web", "messages": []},
        {"conversations": [{"from": "human", "value": "q"}]},
        {"type": "conversation", "id": 1},
        {"conversation_parts": []},
    ],
)
def test_other_records_do_not_fit(value):
    assert not intercom.fits(value)


KEYS = st.sampled_from(
    [
        "type",
        "source",
        "body",
        "author",
        "conversation_parts",
        "part_type",
        "created_at",
        "redacted",
        "delivered_as",
        "conversation_message",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "admin", "comment", "<b>x</b>", "email"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)  # fmt: skip


@given(st.dictionaries(KEYS, VALUES))
def test_odd_values_raise_nothing(value):
    intercom.fits(value)
    assert all(content for _, content in turns(value)[0])

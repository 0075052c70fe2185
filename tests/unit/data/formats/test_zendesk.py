import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats import zendesk
from support.readings import said

REQUESTER, AGENT, COLLEAGUE = 50, 3, 4


def comment(author, body, **more):
    return {"author_id": author, "public": True, "plain_body": body, **more}


def ticket(*comments, **more):
    return {"id": 1, "requester_id": REQUESTER, "comments": list(comments), **more}


def turns(value):
    notes = []
    return said(zendesk.turns(value, notes.append)), {n.code: n.detail for n in notes}


def test_requester_asks_and_agents_answer():
    value = ticket(
        comment(REQUESTER, "It is broken."),
        comment(REQUESTER, "Help!"),
        comment(AGENT, "Restart it."),
        comment(COLLEAGUE, "Or return it."),
    )
    assert zendesk.fits(value)
    assert turns(value) == (
        [("user", "It is broken.\n\nHelp!"), ("assistant", "Restart it.\n\nOr return it.")],
        {},
    )


@pytest.mark.parametrize("public", [False, None, "false", 0, "no"])
def test_internal_notes_are_never_told(public):
    value = ticket(
        comment(REQUESTER, "q"), comment(AGENT, "a"), comment(AGENT, "vip", public=public)
    )
    assert turns(value) == (
        [("user", "q"), ("assistant", "a")],
        {"internal_notes_dropped": "1 note"},
    )


@pytest.mark.parametrize(
    "mark",
    [
        {"private": "true"},
        {"private": True},
        {"private": 1},
        {"internal": "yes"},
        {"is_public": False},
        {"is_public": "false"},
        {"visibility": "internal"},
        {"visibility": "private"},
        {"visibility": None},
        {"type": "InternalNote"},
        {"type": "internal"},
        {"type": "internal_note"},
        {"type": "Note"},
    ],
)
def test_internal_notes_by_other_names(mark):
    value = ticket(comment(REQUESTER, "q"), comment(AGENT, "a"), comment(AGENT, "vip", **mark))
    assert turns(value) == (
        [("user", "q"), ("assistant", "a")],
        {"internal_notes_dropped": "1 note"},
    )


@pytest.mark.parametrize(
    "mark",
    [{"private": False}, {"private": None}, {"private": "false"}, {"is_public": True}, {"public": "true"}, {"public": 1},
     {"visibility": "Public"}, {"type": "Comment"}, {"internal": False}],
)  # fmt: skip
def test_public_comments_by_other_names(mark):
    value = ticket(comment(REQUESTER, "q"), comment(AGENT, "a", **mark))
    assert turns(value) == ([("user", "q"), ("assistant", "a")], {})


def test_an_html_body_is_html_whatever_its_tags():
    value = ticket(
        {"author_id": REQUESTER, "public": True, "html_body": "<div>My lamp<p>is <v:x>dark</div>"},
        {"author_id": AGENT, "public": True, "html_body": "Restart it."},
    )
    assert zendesk.fits(value)
    assert turns(value) == (
        [("user", "My lamp\n\nis dark"), ("assistant", "Restart it.")],
        {"html_stripped": None},
    )


def test_a_description_that_is_the_internal_note_is_never_told():
    note = "The caller is a VIP, see [the file](https://x.example) and be careful."
    value = ticket(
        comment(AGENT, "The caller is a VIP, see the file and be careful.", public=False),
        comment(AGENT, "Hello, how can we help you today?"),
        description=note,
        subject="Call",
    )
    told, _ = turns(value)
    assert told == [("user", "Call"), ("assistant", "Hello, how can we help you today?")]


def test_a_description_that_no_comment_repeats_asks():
    value = ticket(comment(AGENT, "Restart it."), description="My lamp is dark.", subject="Lamp")
    assert turns(value)[0] == [("user", "My lamp is dark."), ("assistant", "Restart it.")]


def test_a_description_is_not_told_twice():
    value = ticket(
        comment(REQUESTER, "My lamp\nis dark."), comment(AGENT, "a"), description="My lamp is dark."
    )
    assert turns(value)[0] == [("user", "My lamp\nis dark."), ("assistant", "a")]


def test_comments_are_told_in_the_order_of_their_times():
    value = ticket(
        comment(AGENT, "a", created_at="2024-01-02T00:00:00Z"),
        comment(REQUESTER, "q", created_at="2024-01-01T00:00:00Z"),
    )
    assert turns(value)[0] == [("user", "q"), ("assistant", "a")]


def test_roles_tell_where_the_requester_is_not_named():
    value = {
        "subject": "x",
        "comments": [
            {"body": "How can I help?", "public": True, "author": {"id": 3, "role": "agent"}},
            {"body": "q", "public": True, "author": {"id": 9, "role": "end-user"}},
        ],
    }
    assert turns(value)[0][-1] == ("user", "q")
    assert ("assistant", "How can I help?") in turns(value)[0]


def test_people_in_copy_ask():
    value = ticket(
        comment(REQUESTER, "q"), comment(77, "Me too."), comment(AGENT, "a"),
        email_cc_ids=[77], collaborator_ids=[AGENT], assignee_id=AGENT,
    )  # fmt: skip
    assert turns(value)[0] == [("user", "q\n\nMe too."), ("assistant", "a")]


def test_what_the_system_writes_is_dropped():
    value = ticket(
        comment(REQUESTER, "q"),
        comment(AGENT, "a"),
        comment(-1, "Closed."),
        comment(AGENT, "We got it.", via={"channel": "rule"}),
        comment(AGENT, "Call from +00", type="VoiceComment"),
    )
    assert turns(value) == (
        [("user", "q"), ("assistant", "a")],
        {"bot_messages_dropped": "3 messages"},
    )


def test_html_and_quoted_mail_become_text():
    mail = {"via": {"channel": "email"}}
    value = ticket(
        {"author_id": REQUESTER, "public": True, "html_body": "<p>q &amp; q</p>"},
        comment(AGENT, "a\n\nOn 1 May 2024 Anna wrote:\n> q", **mail),
    )
    told, notes = turns(value)
    assert told == [("user", "q & q"), ("assistant", "a")]
    assert set(notes) == {"html_stripped", "quoted_text_stripped"}


def test_an_author_nobody_knows_has_no_role():
    value = ticket(comment(REQUESTER, "q"), {"body": "a", "public": True})
    assert turns(value)[0] == [("user", "q"), (None, "a")]


def test_a_ticket_under_its_name_beside_its_comments():
    value = {
        "ticket": {"id": 1, "requester_id": 50},
        "comments": [comment(50, "q"), comment(3, "a")],
    }
    assert zendesk.fits(value)
    assert turns(value)[0] == [("user", "q"), ("assistant", "a")]


def test_a_ticket_nobody_answered_has_its_question_only():
    value = {
        "id": 1,
        "requester_id": 50,
        "subject": "Lamp",
        "description": "Dark.",
        "assignee_id": None,
    }
    assert zendesk.fits(value)
    assert turns(value) == ([("user", "Dark.")], {})


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"messages": [{"role": "user", "content": "q"}]},
        {"comments": [{"body": "x", "author": "me"}], "title": "an issue"},
        {"comments": "none", "id": 1},
        {"comments": []},
        {"prompt": "q", "completion": "a"},
    ],
)
def test_other_records_do_not_fit(value):
    assert not zendesk.fits(value)


KEYS = st.sampled_from(
    [
        "id",
        "ticket",
        "comments",
        "public",
        "private",
        "body",
        "plain_body",
        "html_body",
        "author",
        "author_id",
        "role",
        "via",
        "channel",
        "requester_id",
        "description",
        "subject",
        "created_at",
        "type",
        "email_cc_ids",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["agent", "<p>x</p>", "email", ""]) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)  # fmt: skip


@given(st.dictionaries(KEYS, VALUES))
def test_odd_values_raise_nothing(value):
    zendesk.fits(value)
    assert all(isinstance(content, str) and content for _, content in turns(value)[0])

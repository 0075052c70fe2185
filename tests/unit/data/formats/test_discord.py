import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import DatasetError
from podtune.data.formats import discord
from podtune.data.record import Problem, Record
from support.readings import Pass, records, talk


def message(number, who, content, to=None, roles=(), **more):
    author = {"id": f"id-{who}", "name": who, "discriminator": "0000", "nickname": who.title(), "isBot": False,
              "roles": [{"id": "1", "name": role} for role in roles]}  # fmt: skip
    value = {
        "id": str(number),
        "type": "Reply" if to else "Default",
        "timestamp": f"2024-01-01T10:{number:02d}:00+00:00",
        "content": content,
        "author": author,
        **more,
    }
    return value | ({"reference": {"messageId": str(to)}} if to else {})


def bot(number, content, to=None):
    value = message(number, "mee6", content, to)
    value["author"]["isBot"] = True
    return value


def gathered(*values, **options):
    made = Pass(**options)
    found = list(discord.gather(records(values), made.reading))
    return [(record.line, talk(record)) for record in found], made


CHAIN = (
    message(1, "anna", "Where is it?"),
    message(2, "cleo", "Nice weather."),
    message(3, "ben", "On the wiki.", 1),
    message(4, "anna", "Which page?", 3),
    message(5, "ben", "Page 7.", 4),
)


def test_chains_of_replies_are_conversations():
    assert all(discord.fits(value) for value in CHAIN)
    found, made = gathered(*CHAIN)
    assert found == [
        (
            1,
            [
                ("user", "Where is it?"),
                ("assistant", "On the wiki."),
                ("user", "Which page?"),
                ("assistant", "Page 7."),
            ],
        )
    ]
    assert made.dropped == {"unthreaded_messages_dropped": "1 message"}
    assert made.speaker.value == "Ben"


def test_roles_tell_who_answers():
    found, made = gathered(
        message(1, "anna", "q", roles=["Newbie"]), message(2, "ben", "a", 1, roles=["Support Staff"]),
        message(3, "cleo", "b", 2, roles=["Moderator"]), message(4, "dan", "me too", 1),
    )  # fmt: skip
    assert found[0][1] == [("user", "q"), ("assistant", "a\nb"), ("user", "me too")]
    assert "speaker" not in made.reading.choices


def test_bots_hold_chains_together_and_say_nothing():
    found, made = gathered(
        message(1, "anna", "q"), bot(2, "beep", 1), message(3, "ben", "a", 2), bot(4, "boop")
    )
    assert found == [(1, [("user", "q"), ("assistant", "a")])]
    assert made.dropped == {"bot_messages_dropped": "2 messages"}


def test_events_are_no_messages():
    found, made = gathered(
        *CHAIN[:1], CHAIN[2], message(9, "dan", "joined", type="GuildMemberJoin"),
        message(10, "dan", "pinned", 1, type="ChannelPinnedMessage") | {"type": "ChannelPinnedMessage"},
    )  # fmt: skip
    assert found == [(1, [("user", "Where is it?"), ("assistant", "On the wiki.")])]
    assert made.dropped == {}


def test_a_reply_to_what_is_not_there_is_loose():
    found, made = gathered(*CHAIN[:1], CHAIN[2], message(9, "dan", "old", 777))
    assert len(found) == 1
    assert made.dropped == {"unthreaded_messages_dropped": "1 message"}


def test_without_any_reply_a_channel_is_a_chat():
    late = message(7, "anna", "next day?") | {"timestamp": "2024-01-02T10:00:00+00:00"}
    found, made = gathered(
        message(1, "anna", "q?"), message(2, "ben", "a"), message(3, "ben", "b"), late
    )
    assert found == [(1, [("user", "q?"), ("assistant", "a\nb")])]
    assert made.speaker.value == "Ben"
    assert made.dropped == {"unthreaded_messages_dropped": "1 message"}


@pytest.mark.parametrize("name", ["anna", "Anna", "id-anna"])
def test_who_was_asked_for_is_the_assistant(name):
    found, _ = gathered(*CHAIN, speaker=name)
    assert [role for role, _ in found[0][1]] == ["assistant", "user", "assistant", "user"]


def test_several_of_a_team_are_the_assistant():
    posts = (*CHAIN, message(6, "cleo", "Or page 8.", 5), bot(7, "Or page 9.", 6))
    found, _ = gathered(*posts, speaker="ben, Cleo, mee6")
    assert [role for role, _ in found[0][1]] == ["user", "assistant", "user", "assistant"]
    assert found[0][1][-1][1] == "Page 7.\nOr page 8.\nOr page 9."


def test_nobody_of_that_name():
    with pytest.raises(DatasetError) as caught:
        gathered(*CHAIN, speaker="dora")
    assert caught.value.code == "unknown_speaker"


def test_replies_in_a_circle_end():
    found, _ = gathered(message(1, "anna", "a", 2), message(2, "ben", "b", 1))
    assert len(found) == 1


def test_raw_marks_become_text():
    mentions = [{"id": "77", "name": "ben", "nickname": "Ben"}]
    value = message(
        1, "anna", "<@77> <@!78> <#9> <:smile:12> <t:1700000000:R>x < y", mentions=mentions
    )
    found, _ = gathered(value, message(2, "ben", "a", 1))
    assert found[0][1][0] == ("user", "@Ben @78 #9 :smile: x < y")


def test_unreadable_records_pass_through():
    broken = Record(7, None, Problem("bad_json"))
    assert list(discord.gather([broken], Pass().reading)) == [broken]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"id": "1", "timestamp": "x", "content": "y", "author": "me"},
        {"id": 1, "content": "y", "author": {"name": "me"}},
        {"messages": []},
        {"type": "message", "ts": "1.5", "user": "U1", "text": "x"},
    ],
)
def test_other_records_do_not_fit(value):
    assert not discord.fits(value)


KEYS = st.sampled_from(
    [
        "id",
        "type",
        "timestamp",
        "content",
        "author",
        "name",
        "nickname",
        "isBot",
        "roles",
        "reference",
        "messageId",
        "mentions",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 5) | st.sampled_from(["1", "2", "Reply", "<@1>", "2024-01-01", "support"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(VALUES | st.dictionaries(KEYS, VALUES, min_size=3), max_size=8))
def test_odd_values_raise_nothing(values):
    for value in values:
        if isinstance(value, dict):
            discord.fits(value)
    gathered(*values)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import DatasetError
from podtune.data.formats import slack
from podtune.data.record import Problem, Record
from support.readings import Pass, records, talk


def message(user, text, ts, thread=None, **more):
    value = {"type": "message", "user": user, "text": text, "ts": f"{ts}.000100", **more}
    return value | ({"thread_ts": f"{thread}.000100"} if thread else {})


def gathered(*values, **options):
    made = Pass(**options)
    found = list(slack.gather(records(values), made.reading))
    return [(record.line, talk(record)) for record in found], made.dropped


THREAD = (
    message("U1", "Where is it?", 1, 1, reply_count=3, user_profile={"real_name": "Anna"}),
    message("U2", "On the wiki.", 3, 1, user_profile={"real_name": "Ben", "display_name": "benny"}),
    message("U2", "Page 7.", 4, 1),
    message("U1", "Thanks!", 5, 1),
)


def test_a_thread_is_a_conversation():
    assert all(slack.fits(value) for value in THREAD)
    assert gathered(*THREAD) == (
        [
            (
                1,
                [
                    ("user", "Where is it?"),
                    ("assistant", "On the wiki.\nPage 7."),
                    ("user", "Thanks!"),
                ],
            )
        ],
        {},
    )


def test_messages_may_come_in_any_order_and_threads_may_mix():
    other = (message("U2", "q2", 2, 2), message("U1", "a2", 6, 2))
    found, _ = gathered(THREAD[2], other[0], THREAD[0], other[1], THREAD[1], THREAD[3])
    assert found == [
        (
            1,
            [("user", "Where is it?"), ("assistant", "On the wiki.\nPage 7."), ("user", "Thanks!")],
        ),
        (2, [("user", "q2"), ("assistant", "a2")]),
    ]


def test_bots_events_and_loose_messages_go():
    found, dropped = gathered(
        *THREAD,
        message("U9", "has joined", 6, subtype="channel_join"),
        message("U1", "set the topic", 7, 1, subtype="channel_topic"),
        message("U1", "loose", 8),
        message("U1", "loose too", 9),
        message(None, "deploy done", 10, 1, subtype="bot_message", bot_id="B1"),
        message("U7", "I am an app", 11, bot_id="B2"),
        message("USLACKBOT", "reminder", 12),
        message("U1", "", 13, 1, files=[{}]),
    )
    assert len(found) == 1
    assert dropped == {
        "bot_messages_dropped": "3 messages",
        "unthreaded_messages_dropped": "2 messages",
    }


def test_replies_shown_in_the_channel_belong_to_their_thread():
    found, dropped = gathered(
        *THREAD[:2], message("U2", "Also here.", 6, 1, subtype="thread_broadcast")
    )
    assert found[0][1][-1] == ("assistant", "On the wiki.\nAlso here.")
    assert dropped == {}


def test_the_starter_is_known_from_replies_alone():
    found, _ = gathered(
        message("U2", "a", 3, 1, parent_user_id="U1"),
        message("U1", "q2", 4, 1, parent_user_id="U1"),
    )
    assert found[0][1] == [("assistant", "a"), ("user", "q2")]


def thread(number, starter, *answers, question="It is broken?"):
    """A thread whose messages are one second apart."""
    said = [(starter, question), *((who, f"by {who}") for who in answers)]
    return [
        message(who, text, number * 100 + at, number * 100) for at, (who, text) in enumerate(said)
    ]


def spoken(*threads):
    """Roles of each thread, and the choice."""
    made = Pass()
    values = [value for thread in threads for value in thread]
    found = list(slack.gather(records(values), made.reading))
    return [[role for role, _ in talk(record)] for record in found], made.speaker


def test_another_customer_who_chimes_in_is_no_assistant():
    roles, choice = spoken(
        *(thread(n, f"U{n}", "BEN") for n in range(1, 8)),
        [*thread(8, "U1", "U9"), message("BEN", "Restart it.", 850, 800)],
        thread(9, "U2", "BEN", "U3"),
    )
    assert roles == [["user", "assistant"]] * 8 + [["user", "assistant", "user"]]
    assert (choice.value, choice.close) == ("BEN", False)
    assert choice.others == ("U9", "U3")


def test_a_team_answers_together():
    roles, choice = spoken(
        thread(1, "U1", "BEN"), thread(2, "U2", "CLEO"), thread(3, "U3", "BEN", "CLEO"), thread(4, "BEN", "U1"),
        thread(5, "U5", "BEN"), thread(6, "U6", "BEN"),
    )  # fmt: skip
    assert roles[:3] == [["user", "assistant"]] * 3
    assert roles[3] == ["assistant", "user"]
    assert (choice.value, choice.others, choice.close) == ("BEN, CLEO", ("U1",), False)


def test_one_thread_of_three_is_asked_about():
    roles, choice = spoken(thread(1, "U1", "U2", "BEN"))
    assert roles == [["user", "assistant"]]
    assert (choice.value, choice.others, choice.close) == ("BEN", ("U2",), True)


def test_who_is_called_support_is_the_assistant():
    support = message("S1", "Restart it.", 150, 100, user_profile={"real_name": "Acme Support"})
    _, choice = spoken([*thread(1, "U1"), support, *thread(1, "U1", "U2")[1:]])
    assert (choice.value, choice.others) == ("Acme Support", ("U2",))


def test_people_who_ask_and_answer_alike_are_asked_about():
    roles, choice = spoken(thread(1, "U1", "U2"), thread(2, "U2", "U1"))
    assert roles == [["user", "assistant"]] * 2
    assert choice.close


@pytest.mark.parametrize("name", ["U1", "anna", "ANNA"])
def test_who_was_asked_for_is_the_assistant(name):
    found, _ = gathered(*THREAD, speaker=name)
    assert [role for role, _ in found[0][1]] == ["assistant", "user", "assistant"]


def test_several_of_a_team_are_the_assistant():
    found, _ = gathered(
        *THREAD, message("U3", "Or ask me.", 6, 1, user_profile={"real_name": "Cleo"}),
        message("U4", "Me too.", 7, 1), speaker="Ben, cleo",
    )  # fmt: skip
    assert [role for role, _ in found[0][1]] == ["user", "assistant", "user", "assistant", "user"]
    made = Pass(speaker="Cleo, Ben")
    posts = [*THREAD, message("U3", "Me.", 6, 1, user_profile={"real_name": "Cleo"})]
    list(slack.gather(records(posts), made.reading))
    assert (made.speaker.value, made.speaker.others) == ("Ben, Cleo", ())
    assert "several with commas" in made.speaker.option


def test_a_bot_that_was_asked_for_is_kept():
    bot = message(
        None, "It is on the wiki.", 3, 1, subtype="bot_message", bot_id="B1", username="Helper"
    )
    found, dropped = gathered(THREAD[0], bot, speaker="helper")
    assert found[0][1] == [("user", "Where is it?"), ("assistant", "It is on the wiki.")]
    assert dropped == {}


def test_nobody_of_that_name():
    with pytest.raises(DatasetError) as caught:
        gathered(*THREAD, speaker="Cleo")
    assert caught.value.code == "unknown_speaker"
    assert caught.value.context["candidates"] == ["Anna", "Ben"]


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("ask <@U2>", "ask @Ben"),
        ("ask <@U8|cleo>", "ask @cleo"),
        ("ask <@U8>", "ask @U8"),
        ("in <#C1|general>", "in #general"),
        ("<!here> <!subteam^S1|@team>", "@here @team"),
        ("<https://x.example/a?b=1&amp;c=2>", "https://x.example/a?b=1&c=2"),
        ("<https://x.example|the guide>", "the guide"),
        ("<mailto:a@x.example|a@x.example>", "a@x.example"),
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("1 < 2", "1 < 2"),
    ],
)
def test_markup_becomes_text(marked, plain):
    found, _ = gathered(message("U1", marked, 1, 1), THREAD[1])
    assert found[0][1][0] == ("user", plain)


def test_unreadable_records_pass_through():
    made = Pass()
    broken = Record(7, None, Problem("bad_json"))
    assert list(slack.gather([broken], made.reading)) == [broken]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"type": "message", "ts": "yesterday", "user": "U1"},
        {"type": "message", "ts": 5, "user": "U1"},
        {"type": "message", "role": "assistant", "content": "x"},
        {"messages": []},
    ],
)
def test_other_records_do_not_fit(value):
    assert not slack.fits(value)


KEYS = st.sampled_from(
    [
        "type",
        "ts",
        "thread_ts",
        "user",
        "text",
        "subtype",
        "bot_id",
        "user_profile",
        "real_name",
        "name",
        "parent_user_id",
        "username",
        "hidden",
        "channel",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["1.5", "2.5", "message", "U1", "<@U1>", "<a|b>", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(st.lists(VALUES | st.dictionaries(KEYS, VALUES), max_size=8))
def test_odd_values_raise_nothing(values):
    for value in values:
        if isinstance(value, dict):
            slack.fits(value)
    gathered(*values)

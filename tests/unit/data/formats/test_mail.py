import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import DatasetError
from podtune.data.formats import mail
from support.readings import Pass, talk

CUSTOMER, SUPPORT = "anna@home.example", "support@firm.example"


def letter(number, sender, to, text, answers=None, **headers):
    named = {"From": sender, "To": to, "Subject": f"Re: {number}" if answers else str(number), "Message-ID": f"<{number}@x>",
             "Date": f"Mon, 1 Jan 2024 10:{number:02d}:00 +0000", **headers}  # fmt: skip
    if answers:
        named["In-Reply-To"] = f"<{answers}@x>"
    head = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in named.items())
    return f"From {sender} Mon Jan  1 10:00:00 2024\n{head}\n{text}\n\n"


def gathered(*letters, **options):
    made = Pass(**options)
    text = "".join(letters).encode()
    found = list(mail.gather_lines(enumerate(text.split(b"\n"), start=1), made.reading))
    return [(record.line, talk(record)) for record in found], made


BOX = (
    letter(1, CUSTOMER, SUPPORT, "My lamp is dark.\n>From yesterday on."),
    letter(2, SUPPORT, CUSTOMER, "Restart it.\n\n-- \nOakfield", 1),
    letter(3, CUSTOMER, SUPPORT, "Thanks!", 2),
)


def test_threads_are_conversations():
    found, made = gathered(*BOX)
    assert found == [
        (
            1,
            [
                ("user", "My lamp is dark.\nFrom yesterday on."),
                ("assistant", "Restart it."),
                ("user", "Thanks!"),
            ],
        )
    ]
    assert made.dropped == {"quoted_text_stripped": "1 message"}
    assert made.speaker.value == SUPPORT
    assert made.speaker.others == (CUSTOMER,)
    assert not made.speaker.close


def test_mail_of_programs_and_mail_alone_goes():
    found, made = gathered(
        *BOX,
        letter(4, "no-reply@firm.example", CUSTOMER, "Your ticket.", 1),
        letter(5, CUSTOMER, SUPPORT, "Anybody?"),
    )
    assert len(found) == 1
    assert made.dropped["bot_messages_dropped"] == "1 message"
    assert made.dropped["unthreaded_messages_dropped"] == "1 message"


def test_a_mail_in_two_folders_counts_once():
    assert gathered(*BOX, BOX[1])[0] == gathered(*BOX)[0]


def test_a_box_with_the_newest_first():
    assert [content for _, content in gathered(*reversed(BOX))[0][0][1]] == [
        "My lamp is dark.\nFrom yesterday on.",
        "Restart it.",
        "Thanks!",
    ]


def test_colleagues_of_one_domain_answer_together():
    found, made = gathered(
        letter(1, CUSTOMER, "jo@firm.example", "q"),
        letter(2, "jo@firm.example", CUSTOMER, "a", 1),
        letter(3, "ben@other.example", "kim@firm.example", "r"),
        letter(4, "kim@firm.example", "ben@other.example", "b", 3),
    )
    assert [[role for role, _ in turns] for _, turns in found] == [["user", "assistant"]] * 2
    assert made.speaker.value == "firm.example"
    assert not any(name.endswith("firm.example") for name in made.speaker.others)


def test_mail_inside_the_team_is_never_told():
    found, made = gathered(
        *BOX,
        letter(4, SUPPORT, "boss@firm.example", "He is a VIP.", 2),
        letter(5, "jo@home.example", SUPPORT, "q"),
        letter(6, SUPPORT, f"boss@firm.example, {SUPPORT}", "Who knows this?", 5),
    )
    assert [[content for _, content in turns] for _, turns in found] == [
        ["My lamp is dark.\nFrom yesterday on.", "Restart it.", "Thanks!"]
    ]
    assert made.dropped["internal_notes_dropped"] == "2 messages"
    assert made.dropped["unthreaded_messages_dropped"] == "1 message"


def test_a_copy_to_a_colleague_is_no_internal_mail():
    found, made = gathered(BOX[0], letter(2, SUPPORT, f"{CUSTOMER}, boss@firm.example", "a", 1))
    assert [content for _, content in found[0][1]][1:] == ["a"]
    assert "internal_notes_dropped" not in made.dropped


def test_colleagues_who_ask_are_answered():
    found, made = gathered(
        letter(1, "jo@firm.example", "it@firm.example", "q"),
        letter(2, "it@firm.example", "jo@firm.example", "a", 1),
        letter(3, "kim@firm.example", "it@firm.example", "q2"),
        letter(4, "it@firm.example", "kim@firm.example", "a2", 3),
    )
    assert [[role for role, _ in turns] for _, turns in found] == [["user", "assistant"]] * 2
    assert "internal_notes_dropped" not in made.dropped


def test_a_mail_to_nobody_that_is_named_is_told():
    assert len(gathered(BOX[0], letter(2, SUPPORT, "", "a", 1))[0][0][1]) == 2


def test_two_people_of_a_public_provider_are_no_team():
    _, made = gathered(
        letter(1, "a@gmail.com", "b@gmail.com", "q"),
        letter(2, "b@gmail.com", "a@gmail.com", "a", 1),
    )
    assert made.speaker.value == "b@gmail.com"


@pytest.mark.parametrize("name", [SUPPORT, "Support@Firm.example", "firm.example", "@firm.example"])
def test_who_was_asked_for_is_the_assistant(name):
    found, made = gathered(*BOX, speaker=name)
    assert [role for role, _ in found[0][1]] == ["user", "assistant", "user"]
    assert not made.reading.choices


def test_a_name_is_enough():
    named = BOX[1].replace(f"From: {SUPPORT}", f"From: Oakfield Help <{SUPPORT}>")
    assert gathered(BOX[0], named, speaker="oakfield help")[0][0][1][1] == (
        "assistant",
        "Restart it.",
    )


@pytest.mark.parametrize("names", [f"{SUPPORT}, jana", "Jana, firm.example"])
def test_several_of_a_team_are_the_assistant(names):
    box = (*BOX, letter(4, "Jana <jana@else.example>", CUSTOMER, "Or this way.", 3))
    found, _ = gathered(*box, speaker=names)
    assert [role for role, _ in found[0][1]] == ["user", "assistant", "user", "assistant"]


def test_one_name_with_a_comma_is_one_name():
    named = letter(2, f'"Roe, Jana" <{SUPPORT}>', CUSTOMER, "Restart it.", 1)
    found, _ = gathered(BOX[0], named, speaker="Roe, Jana")
    assert [role for role, _ in found[0][1]] == ["user", "assistant"]


def test_of_several_the_unknown_one_is_named():
    with pytest.raises(DatasetError, match="'cleo'"):
        gathered(*BOX, speaker=f"{SUPPORT}, cleo")


def test_nobody_of_that_name():
    with pytest.raises(DatasetError) as caught:
        gathered(*BOX, speaker="cleo")
    assert caught.value.code == "unknown_speaker"


def test_lines_with_from_inside_a_text_begin_no_mail():
    box = (letter(1, CUSTOMER, SUPPORT, "q\nFrom here on it is dark."), BOX[1])
    assert gathered(*box)[0][0][1][0] == ("user", "q\nFrom here on it is dark.")


def test_a_huge_attachment_is_not_kept():
    def lines():
        yield from enumerate(BOX[0].encode().split(b"\n"), start=1)
        for at in range(200_000):
            yield 100 + at, b"A" * 76

    made = Pass()
    assert list(mail.gather_lines(lines(), made.reading)) == []


@given(
    st.lists(
        st.sampled_from(
            [
                b"From a",
                b"From: a@x",
                b"From: b@y",
                b"",
                b"x",
                b"Message-ID: <1>",
                b"In-Reply-To: <1>",
                b"\xff",
            ]
        )
    )
)
def test_any_lines_are_read(lines):
    made = Pass()
    for record in mail.gather_lines(enumerate(lines, start=1), made.reading):
        assert record.value["messages"]

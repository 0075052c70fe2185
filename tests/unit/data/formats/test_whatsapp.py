# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import DatasetError
from podtune.data.formats import whatsapp
from support.readings import Pass, numbered, talk


def gathered(text, **options):
    made = Pass(**options)
    found = list(whatsapp.gather_lines(numbered(text), made.reading))
    return [(record.line, talk(record)) for record in found], made


STAMPS = {
    "android": "{d}/12/2024, {h}:{m} - ",
    "android us": "12/{d}/24, {h}:{m} PM - ",
    "android us narrow blank": "12/{d}/24, {h}:{m}\u202fPM - ",
    "android german": "{d}.12.24, {h}:{m} - ",
    "android iso": "2024-12-{d} {h}:{m} - ",
    "android spanish": "{d}/12/24, {h}:{m} p. m. - ",
    "iphone": "[{d}.12.24, {h}:{m}:03] ",
    "iphone us": "\u200e[12/{d}/24, {h}:{m}:03\u202fPM] ",
    "iphone slashes": "[{d}/12/2024, {h}:{m}:03] ",
}


def test_several_of_a_team_are_the_assistant():
    text = chat("Anna: q?", "Tom: a", "Jana: b", "Anna: q2?", "Jana: c")
    found, _ = gathered(text, speaker="tom, Jana")
    assert found == [
        (1, [("user", "q?"), ("assistant", "a\nb")]),
        (4, [("user", "q2?"), ("assistant", "c")]),
    ]


def test_one_name_with_a_comma_is_one_name():
    found, _ = gathered(chat("Jane: q?", "Doe, Jane: a", "Jane: b?"), speaker="Doe, Jane")
    assert found == [(1, [("user", "q?"), ("assistant", "a")])]


def test_of_several_the_unknown_one_is_named():
    with pytest.raises(DatasetError, match="'Cleo'") as caught:
        gathered(chat("Anna: q?", "Tom: a"), speaker="Tom, Cleo")
    assert caught.value.context["candidates"] == ["Anna", "Tom"]


@pytest.mark.parametrize("stamp", STAMPS.values(), ids=STAMPS)
def test_stamps_of_phones(stamp):
    def at(hour, minute, day=30):
        return stamp.format(d=day, h=hour, m=f"{minute:02d}")

    text = (
        f"{at(10, 1)}Anna: Is the shop\nopen?\n"
        f"{at(10, 2)}Oakfield: Yes.\n"
        f"{at(10, 3)}Anna: Thanks! Until 5?\n"
        f"{at(10, 4)}Oakfield: Until 6.\n"
    )
    assert whatsapp.fits_text(text)
    found, made = gathered(text)
    assert found == [
        (1, [("user", "Is the shop\nopen?"), ("assistant", "Yes.")]),
        (4, [("user", "Thanks! Until 5?"), ("assistant", "Until 6.")]),
    ]
    assert made.speaker.value == "Oakfield"
    assert made.speaker.others == ("Anna",)


def chat(*lines):
    return "\n".join(f"31/12/2024, 21:{minute:02d} - {line}" for minute, line in enumerate(lines))


def test_the_app_itself_is_nobody():
    found, made = gathered(
        chat(
            "Messages and calls are end-to-end encrypted. Learn more.",
            'Anna changed the subject from "a: b" to "c: d"',
            "Anna: q?",
            "Ben: <Media omitted>",
            "Ben: This message was deleted",
            "Ben: \u200eIMG-1.jpg (file attached)\nIt looks so.",
            "Anna: null",
            "Ben: \u200eimage omitted",
            "Ben: It is 5. <This message was edited>",
        )
    )
    assert [turns for _, turns in found] == [
        [("user", "q?"), ("assistant", "It looks so.\nIt is 5.")]
    ]
    assert set(made.speaker.others) == {"Anna"}


@pytest.mark.parametrize(
    "placeholder",
    ["<Medien ausgeschlossen>", "<Médias omis>", "<Multimedia omitido>", "Bild weggelassen", "imagen omitida",
     "Diese Nachricht wurde gelöscht.", "Ce message a été supprimé", "Se eliminó este mensaje.", "Missed voice call",
     "DOC.pdf (Datei angehängt)"],
)  # fmt: skip
def test_placeholders_of_other_languages(placeholder):
    found, _ = gathered(chat("Anna: q?", f"Ben: {placeholder}", "Ben: a"))
    assert found == [(1, [("user", "q?"), ("assistant", "a")])]


def test_who_was_asked_for_is_the_assistant():
    found, made = gathered(chat("Anna: q?", "Ben: a", "Anna: b"), speaker="ANNA")
    assert found == [(2, [("user", "a"), ("assistant", "b")])]
    assert "speaker" not in made.reading.choices
    assert made.dropped == {"unthreaded_messages_dropped": "1 message"}


def test_nobody_of_that_name():
    with pytest.raises(DatasetError) as caught:
        gathered(chat("Anna: q?", "Ben: a"), speaker="Cleo")
    assert caught.value.code == "unknown_speaker"
    assert caught.value.context["candidates"] == ["Anna", "Ben"]


def test_midnight_is_no_gap_and_a_night_is():
    near = "31/12/2024, 23:59 - Anna: q?\n01/01/2025, 00:01 - Ben: a"
    night = "31/12/2024, 20:00 - Anna: q?\n01/01/2025, 09:00 - Ben: a"
    assert len(gathered(near)[0]) == 1
    assert gathered(night)[0] == []


def test_noon_and_midnight_of_a_twelve_hour_clock():
    text = "12/30/24, 11:59 AM - Anna: q?\n12/30/24, 12:01 PM - Ben: a\n12/30/24, 11:59 PM - Anna: r?\n12/31/24, 12:01 AM - Ben: b"
    assert len(gathered(text)[0]) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Dear Anna,\n\nat 21:15 - we met: hello.",
        "2024-12-31 21:15:00 - INFO: started\n2024-12-31 21:15:01 - INFO: stopped",
        "[2024-12-31 21:15:00] no name\n[2024-12-31 21:15:00] here",
        "31/12/2024, 21:15 - Anna: one message alone",
        "Q: When?\nA: 31/12/2024, 21:15 - Anna: x",
    ],
)
def test_other_texts_do_not_fit(text):
    assert not whatsapp.fits_text(text)


def test_a_long_chat_streams():
    def lines():
        for at in range(60_000):
            who = "Anna: q?" if at % 2 else "Ben: a"
            yield at + 1, f"31/12/2024, 21:15 - {who}"

    made = Pass()
    stream = whatsapp.gather_lines(lines(), made.reading)
    assert next(stream).line == 2
    assert sum(1 for _ in stream) == 29_998


@given(st.text(max_size=400))
def test_any_text_is_read(text):
    whatsapp.fits_text(text)
    gathered(text)


LINES = st.lists(
    st.sampled_from(
        ["31/12/2024, 21:15 - A: x", "[1.1.24, 1:2:3] B: \u200ey", "99/99/9999, 99:99 - A: z", "٣١/١٢/٢٠٢٤, ٩:١٥ م - A: س",
         "[31.12.24, 21:15:03", "31/12/24, 1:15 PM - ", "- : ", "\u200e", "1/1/1, 0:00 - :", "²/1/24, 1:15 - A: x"]
    ) | st.text(max_size=30),
    max_size=12,
)  # fmt: skip


@given(LINES)
def test_any_lines_are_read(lines):
    for _, turns in gathered("\n".join(lines))[0]:
        assert [role for role, _ in turns] == ["user", "assistant"]


@pytest.mark.parametrize(
    "piece", ["1", "1/1/1, 1:1", "[", "<", "\u200e", "a ", "31/12/2024, 21:15 - A: <x"]
)
def test_long_lines_take_no_long_time(piece):
    before = time.process_time()
    gathered("31/12/2024, 21:15 - A: " + piece * (300_000 // len(piece)) + "\n" + piece * 100_000)
    assert time.process_time() - before < 5

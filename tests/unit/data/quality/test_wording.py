# ruff: noqa: RUF001
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.quality.wording import chat_markers, is_mojibake, looks_cut

CORRECT = [
    "Plain ASCII",
    "Voilà, ça coûte 5 € à l'été ; « café » et « déjà »",
    "«\u00a0café\u00a0» “café”…",
    "Größe, Straße, Österreich, „Ö“ und „Ä“, Übermaß“",
    "São Paulo, coração, não, “MAÇÔ, AVÓ”, Ação",
    "Tôi không tìm được mục này ở đâu, ạ Ặ ễ",
    "パスワードを変更する。「はい」",
    "Привет, как дела? Ёлка",
    "Emoji 🙂 👩‍👩‍👧 ✔️ and “quotes” – dashes… ’",
    "∀x ∈ ℝ: x² ≥ 0, Ø 5 mm ± 0.1, 3 × ½, §5 ß§ 3",
    "Íslenska: það, Ðað; Türkçe: şğıİ; Polski: łąę",
]
WORDS = [
    "é",
    "Größe",
    "naïve café",
    "it’s",
    "“quoted”",
    "…",
    "šč",
    "привет",
    "日本",
    "🙂",
    "à la",
    "Ó",
]
CUT = [
    "Open the settings, choose the account you want to change, and",
    "Open the settings and choose your account,",
    "Please send the parcel back to the",
    "You can find this in the manual (see the chapter",
    "Press the button until the light goes on (",
    "First you remove the screws and then you take the hou-",
    "Here it is:\n```python\nprint(1)",
    "The first reason is that it works well [truncated]",
    "Öffnen Sie die Einstellungen, wählen Sie Ihr Konto und",
    "Vous pouvez changer le mot de passe dans les réglages de votre",
    "Puede cambiar la contraseña en los ajustes del perfil y en la",
    "Non trovo questa opzione nel mio profilo, perché non è della",
    "U kunt het wachtwoord wijzigen in de instellingen van het",
]
WHOLE = [
    "",
    "Yes",
    "Yes, on Monday",
    "Sign in and open Orders in the menu at the top right",
    "Where do I log in",
    "Das ist genau das, was ich will",
    "Thanks for your patience, we are looking into it...",
    "Your parcel is on its way.\n\nBest regards,",
    "Too bad that this happened to you :(",
    "1. Open the settings\n2. Choose the account of the",
    "- one\n- two and\n- three or",
    "| a | b |\n|---|---|\n| the | and, |",
    "```python\nx = [1, 2,\n```",
    "x = foo(a, b,",
    "See https://example.com/the-manual-of-the",
    "パスワードは設定画面から変更できます",
    "您可以在设置中更改密码",
    "Choose the option that is called vitamin A",
    "He said (on Monday) that it works [see below] well",
    "it works with Python (3.11 or later) on Linux and macOS",
    "Wir liefern nur montags und dienstags, mittwochs ist zu",
    "a) this one is right and b) is not",
]
MARKERS = [
    "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "[INST]", "[/INST]", "<<SYS>>",
    "<start_of_turn>", "<|endoftext|>", "<|user|>", "<\uff5cUser\uff5c>",
]  # fmt: skip


@pytest.mark.parametrize("text", CORRECT)
def test_correct_text_is_not_mojibake(text):
    assert not is_mojibake(text)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize("place", ["{}", "Caf {} au lait", "l'{}"])
def test_utf8_read_as_something_else_is_mojibake(word, encoding, place):
    shown = "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in word.encode())
    assert is_mojibake(place.format(shown))


def test_a_replacement_character_is_a_lost_one():
    assert is_mojibake("Gr\ufffd\ufffde")


@pytest.mark.parametrize("text", CUT)
def test_answers_that_stop_in_mid_sentence(text):
    assert looks_cut(text)


@pytest.mark.parametrize("text", WHOLE)
def test_answers_that_are_whole(text):
    assert not looks_cut(text)


@pytest.mark.parametrize("marker", MARKERS)
def test_markers_of_chat_templates(marker):
    assert chat_markers(f"{marker}Hello") == marker
    assert chat_markers(f"Hello {marker}") == marker


@pytest.mark.parametrize(
    "text",
    ["", "### Instruction: do", "<think>x</think>", "a <| b |> c", "[INSTALL]", "<s>", "a < b"],
)
def test_text_without_markers(text):
    assert chat_markers(text) is None


def test_the_first_marker_is_named():
    assert chat_markers("x [INST] y <|im_end|>") == "[INST]"


@given(st.text())
def test_no_text_breaks_it(text):
    assert is_mojibake(text) in (True, False)
    assert looks_cut(text) in (True, False)
    assert chat_markers(text) is None or chat_markers(text) in text


@pytest.mark.parametrize(
    "text",
    ["Ã" * 100_000, "â€" * 50_000, "(" * 100_000, "a-" * 50_000, "<|" * 50_000, "<|a" * 33_000,
     "```\n" * 25_000, "a " * 50_000, " " * 100_000, "<\uff5c" * 50_000, "\n" * 100_000],
)  # fmt: skip
def test_no_text_takes_long(text):
    started = time.process_time()
    is_mojibake(text)
    looks_cut(text)
    chat_markers(text)
    assert time.process_time() - started < 2

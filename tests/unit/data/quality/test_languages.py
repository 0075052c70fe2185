# ruff: noqa: RUF001
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.quality.languages import Languages, language

TEXTS = {
    "en": "How do I change my password? I can not find the setting in my profile.",
    "de": "Wie kann ich mein Konto löschen? Ich finde die Einstellung nicht.",
    "fr": "Comment puis-je changer mon mot de passe ? Je ne trouve pas le réglage dans mon profil.",
    "es": "¿Cómo puedo cambiar mi contraseña? No encuentro la opción en el perfil de mi cuenta.",
    "it": "Come posso cambiare la password? Non trovo questa opzione nel mio profilo.",
    "pt": "Como posso mudar a minha senha? Não encontro a opção no meu perfil.",
    "nl": "Hoe kan ik mijn wachtwoord wijzigen? Ik vind de instelling niet in het profiel.",
    "sv": "Hur kan jag ändra mitt lösenord? Jag hittar inte inställningen och behöver hjälp av er.",
    "da": "Hvordan kan jeg ændre min adgangskode? Jeg ved ikke hvad jeg skal gøre, og det haster.",
    "no": "Hvordan kan jeg endre passordet? Jeg vet ikke hva jeg skal gjøre, og det er noe som haster.",
    "pl": "Jak mogę zmienić hasło? Nie wiem, gdzie to jest, i proszę o pomoc przez telefon.",
    "cs": "Jak mohu změnit heslo? Nevím, kde to je, a prosím o pomoc, která pro mě není těžká.",
    "tr": "Şifremi nasıl değiştirebilirim? Bu ayar için ne yapmam gerekiyor, çok teşekkürler ve iyi günler.",
    "fi": "Miten voin vaihtaa salasanani? Se ei ole helppo, kun en tiedä, mutta voit auttaa ja niin edelleen.",
    "vi": "Làm thế nào để tôi đổi mật khẩu? Tôi không tìm được mục này trong hồ sơ của tôi.",
    "ru": "Как мне изменить пароль? Я не нахожу эту настройку в профиле.",
    "uk": "Як мені змінити пароль? Я не знаходжу це налаштування у профілі.",
    "ja": "パスワードを変更するにはどうすればよいですか。",
    "zh": "如何更改我的密码？我在个人资料中找不到该设置。",
    "ko": "비밀번호를 어떻게 변경하나요?",
    "ar": "كيف يمكنني تغيير كلمة المرور؟ لا أجد هذا الإعداد.",
    "he": "איך אני משנה את הסיסמה שלי?",
    "hi": "मैं अपना पासवर्ड कैसे बदलूं?",
    "el": "Πώς μπορώ να αλλάξω τον κωδικό μου;",
    "th": "ฉันจะเปลี่ยนรหัสผ่านได้อย่างไร",
}
UNSURE = [
    "",
    "OK",
    "Yes.",
    "12345 67890",
    "x = foo(bar)",
    "iPhone 15 Pro Max",
    "SELECT a FROM b",
    "🙂🙂",
]


@pytest.mark.parametrize(("code", "text"), TEXTS.items(), ids=TEXTS)
def test_languages(code, text):
    assert language(text) == code


@pytest.mark.parametrize("text", UNSURE)
def test_unsure(text):
    assert language(text) is None


def test_code_and_addresses_do_not_count():
    code = "```\nfor the user in the list: if it is not there then do this\n```"
    assert language(f"{TEXTS['de']}\n{code}") == "de"
    assert language("https://example.com/the-and-is-are-you-of-that") is None


@given(st.text())
def test_no_text_breaks_it(text):
    assert language(text) in {None, *TEXTS, "id", "hu", "ro", "fa", "ur", "bn", "ta"}


def mixed(*codes):
    seen = Languages()
    for code in codes:
        seen.add(TEXTS.get(code, "OK"))
    return seen.mixed()


def test_one_language_is_not_mixed():
    assert mixed() is None
    assert mixed(*["en"] * 20, *["?"] * 20) is None


def test_one_text_in_another_language_is_not_mixed():
    assert mixed("en", "en", "en", "de") is None


def test_two_languages_are_mixed_and_come_with_their_counts():
    assert mixed("de", "en", "en", "de", "en", "fr", "?") == {"en": 3, "de": 2}


def test_a_few_among_many_are_not_mixed():
    assert mixed(*["en"] * 97, *["de"] * 3) is None
    assert mixed(*["en"] * 90, *["de"] * 10) == {"en": 90, "de": 10}


def test_a_large_file_is_sampled_evenly(monkeypatch):
    seen = Languages()
    monkeypatch.setattr("podtune.data.quality.languages.language", lambda text: text)
    for row in range(50_000):
        seen.add("en" if row < 25_000 else "de")
    counts = seen.mixed()
    assert 1_000 <= sum(counts.values()) <= 2_000
    assert abs(counts["en"] - counts["de"]) <= 1

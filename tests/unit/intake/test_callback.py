"""`deliver.callback_url`: what is refused, and that no error holds the address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.core.spec import TrainingSpec
from podtune.intake.callback import MAX_CHARACTERS, refuse_bad_callback


def spec(url):
    return TrainingSpec.model_validate(
        {
            "base_model": "test/tiny",
            "data": {"source": "a.jsonl"},
            "deliver": {"callback_url": url},
        }
    )


@pytest.mark.parametrize(
    "url",
    [
        None,
        "https://app.example.org/hooks/podtune?project=3&token=abc",
        "https://app.example.org",
        "http://127.0.0.1:8000/hook",
        "https://[2001:db8::1]:8443/hook",
        "https://bücher.example/hook",
        "https://x.example/" + "a" * (MAX_CHARACTERS - 18),
    ],
)
def test_addresses_are_let_through(url):
    refuse_bad_callback(spec(url))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "begin with https://"),
        ("app.example.org/hook", "begin with https://"),
        ("ftp://app.example.org/hook", "begin with https://"),
        ("file:///etc/passwd", "begin with https://"),
        ("https:///hook", "names no host"),
        ("https://", "names no host"),
        ("https://user:planted-secret@app.example.org/hook", "user or a password"),
        ("https://planted-secret@app.example.org/hook", "user or a password"),
        ("https://app.example.org/a b", "space"),
        ("https://app.example.org\\@evil.example/", "backslash"),
        ("https://app.example.org/\r\nX-A: planted-secret", "cannot be printed"),
        ("https://app.example.org/#planted-secret", "fragment"),
        ("https://app.example.org:99999/", "cannot be understood"),
        ("https://[::1/hook", "cannot be understood"),
        ("https://x.example/planted-secret" + "a" * MAX_CHARACTERS, "characters"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_change(url, words):
    with pytest.raises(SpecError) as caught:
        refuse_bad_callback(spec(url))
    error = caught.value
    assert (error.code, words in error.message) == ("bad_url", True)
    assert error.message.startswith("deliver.callback_url: ")
    assert "https://app.example.org/hooks" in error.hint
    assert "planted" not in str(error.to_json())


@given(st.text(max_size=200))
def test_any_text_is_let_through_or_refused_in_our_words(text):
    codes = []
    try:
        refuse_bad_callback(spec(text))
    except SpecError as error:
        codes.append(error.code)
    assert codes in ([], ["bad_url"])

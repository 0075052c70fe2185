import pytest
import yaml

from podtune.intake import specfile


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: local", {"on": "local"}),
        ("[yes, no, off]", ["yes", "no", "off"]),
        ("[true, False]", [True, False]),
        ("2e-4", 2e-4),
        ("2.0e-4", 2e-4),
        (".5", 0.5),
        ("-3", -3),
        ("3.", 3.0),
        ("1.2.3", "1.2.3"),
        ("null", None),
        ("2026-01-02x", "2026-01-02x"),
    ],
)
def test_scalars_are_read_as_people_mean_them(text, value):
    parsed = specfile.parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


def test_words_are_left_as_they_are_spelled():
    assert specfile.parse("{a: 12e4567, b: 007}", words=True) == {"a": "12e4567", "b": "007"}


@pytest.mark.parametrize("words", [True, False])
def test_no_object_is_ever_built(words):
    text = "!!python/object/apply:os.system [echo]"
    try:
        parsed = specfile.parse(text, words=words)
    except yaml.YAMLError:
        return
    assert parsed == ["echo"], "a tag that is not known is dropped, never called"


def test_pyyamls_own_loader_is_left_alone():
    specfile.parse("a: 1")
    assert yaml.safe_load("on") is True

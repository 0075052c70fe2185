"""A pattern is compiled when it is asked."""

from podtune.intake.words.patterns import Pattern


def test_it_answers_as_re_does():
    pattern = Pattern("a+")
    assert pattern.search("baa").span() == (1, 3)
    assert pattern.match("baa") is None
    assert pattern.fullmatch("aa") is not None
    assert [m[0] for m in pattern.finditer("a aa")] == ["a", "aa"]


def test_nothing_is_compiled_before():
    Pattern("(")  # no error until it is used

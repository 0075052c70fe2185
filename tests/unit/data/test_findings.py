import re
from pathlib import Path

import pytest

from podtune import data
from podtune.core.dataset import Severity
from podtune.data.findings import CODES, finding


@pytest.mark.parametrize("code", CODES)
def test_each_code_says_what_and_what_to_do(code):
    entry = CODES[code]
    assert re.fullmatch(r"[a-z][a-z_]*[a-z]", code)
    assert entry.severity in Severity
    assert entry.message
    assert entry.advice
    assert not entry.message.endswith(".")
    assert entry.message[0] == entry.message[0].lower()


def test_no_two_codes_say_the_same():
    assert len({entry.message for entry in CODES.values()}) == len(CODES)


@pytest.mark.parametrize(
    "code", ["bad_json", "missing_role", "no_assistant", "empty_answer", "too_long", "bad_quoting"]
)
def test_what_cannot_be_trained_on_is_an_error(code):
    assert CODES[code].severity is Severity.ERROR


@pytest.mark.parametrize("code", ["bom", "crlf", "duplicate", "empty_line", "too_few_rows"])
def test_what_can_be_trained_on_is_a_warning(code):
    assert CODES[code].severity is Severity.WARNING


def test_a_finding_takes_the_words_of_the_table():
    found = finding("duplicate", line=7, row=5)
    assert (found.code, found.line, found.row) == ("duplicate", 7, 5)
    assert (found.severity, found.message, found.advice) == CODES["duplicate"]


def test_a_detail_is_added_in_brackets():
    assert finding("duplicate", 7, 5, "of line 3").message == "repeats an earlier row (of line 3)"


def test_a_finding_about_the_file_has_no_line():
    assert (finding("too_few_rows").line, finding("too_few_rows").row) == (None, None)


def test_an_unknown_code_is_our_own_mistake():
    with pytest.raises(KeyError, match="not_a_code"):
        finding("not_a_code")


def test_every_code_of_the_table_is_given_somewhere():
    sources = Path(data.__file__).parent.glob("*.py")
    text = "".join(p.read_text(encoding="utf-8") for p in sources if p.name != "findings.py")
    given = set(re.findall(r"(?:finding|Problem)\(\s*\"([a-z_]+)\"", text))
    assert given == set(CODES)

import re
from pathlib import Path

import pytest

from podtune import data
from podtune.core.dataset import Severity
from podtune.data.findings import CODES, KEPT, Findings, finding, found
from podtune.data.record import Problem


@pytest.mark.parametrize("code", CODES)
def test_each_code_says_what_and_what_to_do(code):
    entry = CODES[code]
    assert re.fullmatch(r"[a-z][a-z_]*[a-z]", code)
    assert entry.severity in Severity
    assert entry.message
    assert entry.advice
    assert not entry.message.endswith(".")
    first = entry.message.split()[0]
    assert first == first.lower() or first.isupper()


def test_no_two_codes_say_the_same():
    assert len({entry.message for entry in CODES.values()}) == len(CODES)


def test_the_codes_people_see_are_in_the_table_or_stand_for_others():
    shown = {entry.shown_as for entry in CODES.values()} - {None}
    assert shown == {"bad_quoting", "no_messages", "not_text", "secret"}
    assert shown < set(CODES)


@pytest.mark.parametrize(
    "code", ["bad_json", "missing_role", "no_assistant", "empty_answer", "too_long", "bad_quoting"]
)
def test_what_cannot_be_trained_on_is_an_error(code):
    assert CODES[code].severity is Severity.ERROR


@pytest.mark.parametrize("code", ["bom", "crlf", "duplicate", "empty_line", "too_few_rows"])
def test_what_can_be_trained_on_is_a_warning(code):
    assert CODES[code].severity is Severity.WARNING


def test_a_finding_takes_the_words_of_the_table():
    said = finding("duplicate", line=7, row=5)
    assert (said.code, said.line, said.row) == ("duplicate", 7, 5)
    assert (said.severity, said.message, said.advice) == CODES["duplicate"][:3]


def test_a_detail_is_added_in_brackets():
    assert finding("duplicate", 7, 5, "of line 3").message == "repeats an earlier row (of line 3)"


def test_a_finding_about_the_file_has_no_line():
    assert (finding("too_few_rows").line, finding("too_few_rows").row) == (None, None)


def test_an_unknown_code_is_our_own_mistake():
    with pytest.raises(KeyError, match="not_a_code"):
        finding("not_a_code")


def test_every_code_of_the_table_is_given_somewhere():
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in Path(data.__file__).parents[1].rglob("*.py")
        if path.name != "findings.py"
    )
    assert [code for code in CODES if not re.search(rf"[\"']{code}[\"']", text)] == []
    given = set(re.findall(r"(?:finding|Problem)\(\s*\"([a-z_]+)\"", text))
    assert given <= set(CODES)


def test_a_problem_gets_its_place_its_repair_and_what_it_repeats():
    said = found(Problem("duplicate", None, "drop-duplicates"), 7, 5, 2)
    assert (said.line, said.row, said.of, said.repair) == (7, 5, 2, "drop-duplicates")


def test_what_concerns_the_file_has_no_place():
    said = found(Problem("crlf"), 7, 5)
    assert (said.line, said.row) == (None, None)


def test_a_code_may_be_shown_as_another():
    said = found(Problem("secret_in_answer", "sk-***"), 1, 1)
    assert (said.code, said.severity) == ("secret", Severity.ERROR)
    assert "the model would learn it (sk-***)" in said.message


def test_findings_come_in_the_file_s_order_what_concerns_the_file_first():
    findings = Findings()
    findings.add(Problem("bad_json"), 9, 3)
    findings.add(Problem("crlf"), 9, 3)
    findings.add(Problem("missing_role"), 2, 1)
    findings.add(Problem("bad_role"), None, 2)
    assert [f.code for f in findings.sorted()] == ["crlf", "missing_role", "bad_role", "bad_json"]


def test_of_one_code_so_many_are_listed_and_all_are_counted():
    findings = Findings()
    for line in range(KEPT + 5):
        findings.add(Problem("bad_json"), line + 1, line + 1)
        findings.add(Problem("html_stripped"))
    codes = [f.code for f in findings.sorted()]
    assert (codes.count("bad_json"), codes.count("html_stripped")) == (KEPT, 1)
    assert findings.counts == {"bad_json": KEPT + 5, "html_stripped": KEPT + 5}

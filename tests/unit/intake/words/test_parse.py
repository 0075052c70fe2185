# ruff: noqa: RUF001 - signs of other scripts are what is read here
"""The whole parser: the figures of the development set, requests made from templates, and hostile lengths."""

import json
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.intake.words.parse import parse
from support.word_scores import score
from support.words import NOW, composed

PIECES = ("a ", "1 ", "1e", "8x7b", "$5 ", "-", "./", "a/b ", "'", '"', "a*", "don't ", "a100, ", "llama ", "thirty two ", "http://", "my ", "零一二", "e\u0301", "\u200b", "by ", "q4_", "{{", "password is ", "on my ", "keep ", "…", "token: abc1", "between 5 and ", "one and a half ", "an hour and ", "what ", "don't start ", "is rows.csv ", "tell me ", "nothing ", "a third of ", "alpha ", "after ")  # fmt: skip


@pytest.fixture
def development_set(root):
    folder = root.parent / "shared" / "nlp"
    if not (folder / "score.py").is_file():
        pytest.skip("the development set lies beside the tree where it was built, and not here")
    return folder


def test_the_figures_of_the_development_set(development_set, tmp_path):
    gold = development_set / "requests-dev.jsonl"
    answers = tmp_path / "answers.jsonl"
    rows = [json.loads(line) for line in gold.read_text("utf-8").splitlines()]
    lines = [json.dumps({"id": r["id"], **parse(r["request"], NOW).to_json()}) for r in rows]
    answers.write_text("\n".join(lines), "utf-8")
    done = subprocess.run(
        [sys.executable, str(development_set / "score.py"), str(gold), str(answers)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    core, _, money, *_, exact = done.stdout.splitlines()
    words = core.split()
    assert float(words[2]) >= 0.95, core
    assert float(words[4]) >= 0.99, core
    assert "invented: 0 " in money, money
    assert int(exact.split()[-3]) >= 48, exact


@pytest.mark.parametrize(
    ("name", "least"),
    [("first.jsonl", 147), ("second.jsonl", 99), ("third.jsonl", 82), ("fourth.jsonl", 48), ("fifth.jsonl", 121), ("sixth.jsonl", 61), ("seventh.jsonl", 39), ("eighth.jsonl", 59), ("ninth.jsonl", 39), ("tenth.jsonl", 38), ("eleventh.jsonl", 38), ("twelfth.jsonl", 38), ("thirteenth.jsonl", 39)],
)  # fmt: skip
def test_the_figures_of_our_own_sets(name, least):
    """Written before the parser was looked at, in people's many ways.

    As each was first read, after those before it had been mended: recall .963, .945, .933, .953, .945, .952, .982,
    .985, .945, .962, .985, .946 and .976, precision .991, .984, .962, .982, .981, .981, 1, .995, .975, .975, .996,
    .984 and .996, wrong or invented where money or privacy hangs on it 4, 6, 16, 4, 13, 6, 0, 2, 7, 6, 1, 3 and 0
    (mostly intents), wholly right 120 of 150, 75 of 100, 59 of 83, 38 of 50, 90 of 123, 44 of 62, 36 of 40, 52 of 60,
    29 of 40, 32 of 40, 36 of 40, 32 of 40 and 37 of 40. The third, fifth and sixth ask for news, prices and checks
    more than people do, the ninth is made of what is hard; whoever wrote the third, fourth, sixth, seventh and the
    last four knew the parser.
    """
    found = score(name, lambda request: parse(request, NOW))
    assert found.money == 0, found.told
    assert found.precision >= 0.995, found.told
    assert found.recall >= 0.985, found.told
    assert found.exact >= least, found.told


@given(composed())
@settings(max_examples=300, deadline=None)
def test_composed_requests_of_six_languages(made):
    request, wanted = made
    found = parse(request, NOW)
    assert {k: found.fields.get(k) for k in wanted} == wanted, request
    assert found.conflicts == [], request


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_text_is_answered(text):
    found = parse(text, NOW)
    json.dumps(found.to_json())
    assert all(0 <= span.start <= span.end <= len(text) for span in found.spans.values())


@pytest.mark.parametrize("piece", PIECES)
def test_time_is_linear(piece):
    text = (piece * 20_000)[:20_000]
    begun = time.process_time()
    parse(text, NOW)
    assert time.process_time() - begun < 4


def test_what_is_too_long_is_refused():
    with pytest.raises(SpecError, match="100000 characters"):
        parse("a" * 100_000, NOW)


def test_spans_point_at_the_words():
    request = "“qwen3 8b” on rows.csv, at most ５ €"
    found = parse(request, NOW)
    assert request[slice(*found.spans["budget_amount"])] == "５ €"
    assert request[slice(*found.spans["dataset_ref"])] == "rows.csv"


def test_nothing_foreign_is_imported():
    code = "import sys, podtune.intake.words.parse; print(sorted({'pydantic', 'yaml', 'typer', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

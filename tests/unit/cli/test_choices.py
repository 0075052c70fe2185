"""Who is asked which of two readings is meant, and what the answer says."""

import io
import sys

import pytest

from podtune.cli import choices
from podtune.cli.console import Output
from podtune.core.errors import DatasetError


def open_choice(name="prompt_column", taken="question", others=("query", "[red]x")):
    context: dict[str, object] = {"choice": name, "taken": taken, "others": list(others)}
    return DatasetError("it may be this or that", code="choice_needed", context=context)


class Typed(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("error", "output", "terminal", "asks"),
    [
        (open_choice(), Output.HUMAN, True, True),
        (open_choice(), Output.HUMAN, False, False),
        (open_choice(), Output.JSON, True, False),
        (DatasetError("x", code="bad_data"), Output.HUMAN, True, False),
    ],
)
def test_only_a_person_is_asked_and_only_for_a_choice(monkeypatch, error, output, terminal, asks):
    monkeypatch.setattr(sys, "stdin", Typed() if terminal else io.StringIO())
    assert choices.may_ask(error, output) is asks


@pytest.mark.parametrize(
    ("name", "typed", "picked"),
    [
        ("prompt_column", "1\n", ("prompt", "question", True)),
        ("prompt_column", "\n", ("prompt", "question", True)),
        ("prompt_column", "2\n", ("prompt", "query", True)),
        ("response_column", "3\n", ("completion", "[red]x", True)),
        ("speaker", "2\n", ("speaker", "query", False)),
        ("sheet", "0\n7\nx\n2\n", ("sheet", "query", False)),
        ("member", "1\n", ("member", "question", False)),
    ],
)
def test_a_number_says_which(monkeypatch, capsys, name, typed, picked):
    monkeypatch.setattr(sys, "stdin", Typed(typed))
    assert choices.ask(open_choice(name)) == picked
    said = capsys.readouterr()
    assert said.out.strip() == ""
    assert "it may be this or that" in said.err
    assert "3 [red]x" in said.err

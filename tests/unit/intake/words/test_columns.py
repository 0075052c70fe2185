"""Columns that are named as question and answer."""

import pytest


@pytest.mark.parametrize(
    "words",
    ["columns 'ask' and 'tell'", "columns ask and tell", "prompt column ask, answer column tell", "Spalten ask und tell", "columnas ask y tell", "prompt_column=ask response_column=tell"],
)  # fmt: skip
def test_both(fields, words):
    found = fields(f"qwen3 8b on rows.csv with {words}")
    assert (found["dataset_prompt_column"], found["dataset_response_column"]) == ("ask", "tell")


def test_none(fields):
    assert "dataset_prompt_column" not in fields("qwen3 8b on rows.csv, the columns are fine")

"""Regions of machines, not of people."""

import pytest


@pytest.mark.parametrize(
    ("words", "region"),
    [
        ("EU servers", "EU"),
        ("in the EU", "EU"),
        ("hosted in the US", "US"),
        ("US only", "US"),
        ("EU-RO-1", "EU-RO-1"),
        ("Server in Europa", "EU"),
        ("Canada region", "CA"),
        ("EU-Region", "EU"),
        ("our data may not leave the EU", "EU"),
        ("die Daten dürfen die EU nicht verlassen", "EU"),
    ],
)
def test_a_region(fields, words, region):
    assert fields(f"qwen3 8b on rows.csv, {words}")["region"] == region


@pytest.mark.parametrize("words", ["our customers in the EU", "tell us more", "EU tickets"])
def test_no_region(fields, words):
    assert "region" not in fields(f"qwen3 8b on rows.csv; {words}")

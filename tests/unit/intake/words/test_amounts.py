"""Amounts: every habit of writing them, ranges as their upper end, no currency that nobody said."""

import pytest

BUDGET = ("budget_amount", "budget_currency")


@pytest.mark.parametrize(
    ("words", "amount", "currency"),
    [
        ("$5", 5, "USD"), ("5$", 5, "USD"), ("US$ 7", 7, "USD"), ("USD 5", 5, "USD"), ("5 usd", 5, "USD"), ("$1.2k", 1200, "USD"), ("1.5k €", 1500, "EUR"),
        ("€12,50", 12.5, "EUR"), ("12,50 €", 12.5, "EUR"), ("R$ 40", 40, "BRL"), ("1000円", 1000, "JPY"), ("50元", 50, "CNY"), ("20美元", 20, "USD"),
        ("five dollars", 5, "USD"), ("fifteen bucks", 15, "USD"), ("a dollar", 1, "USD"), ("eight dollars fifty", 8.5, "USD"), ("8 dollars and 50 cents", 8.5, "USD"),
        ("5 € 50", 5.5, "EUR"), ("£20", 20, "GBP"), ("CHF 30", 30, "CHF"), ("$5-10", 10, "USD"), ("5 to 10 dollars", 10, "USD"), ("$1,500", 1500, "USD"),
        ("a hundred dollars", 100, "USD"), ("two hundred and fifty euros", 250, "EUR"), ("half a million rupees", 500_000, "INR"), ("1'500 CHF", 1500, "CHF"), ("12 con 50 euros", 12.5, "EUR"),
    ],
)  # fmt: skip
def test_an_amount_is_read(fields, words, amount, currency):
    found = fields(f"qwen3 8b on rows.csv, at most {words}")
    assert tuple(found.get(name) for name in BUDGET) == (amount, currency)


@pytest.mark.parametrize("words", ["500 kr", "20 wombats"])
def test_what_is_no_currency_is_no_money(fields, words):
    assert "budget_amount" not in fields(f"qwen3 8b on rows.csv, at most {words}")


def test_a_sign_of_several_currencies_is_asked_about(read):
    found = read("qwen3 8b on rows.csv, ¥500")
    assert "budget_currency" not in found.fields
    assert found.must_ask == ["budget"]

"""Budgets: an amount is one only where the words say so; what cannot be used is asked about."""

import pytest


@pytest.mark.parametrize(
    ("words", "scope", "kind"),
    [
        ("under $5", "total", "max"), ("no more than $5", "total", "max"), ("nothing above $5", "total", "max"), ("don't spend more than $5", "total", "max"), ("$5 cap", "total", "max"),
        ("about $5", "total", "approx"), ("$5 or so", "total", "approx"), ("I have $5", "total", "max"), ("for $5 or less", "total", "max"),
        ("$5/hr", "per_hour", "max"), ("$5 an hour max", "per_hour", "max"), ("max $5 per hour per GPU", "per_gpu_hour", "max"), ("$5/gpu/hr", "per_gpu_hour", "max"),
        ("$5 per hour each", "per_gpu_hour", "max"), ("höchstens 5 Dollar pro Stunde", "per_hour", "max"), ("pas plus de 5 dollars", "total", "max"),
        ("no más de 5 dólares", "total", "max"), ("al massimo 5 dollari", "total", "max"), ("no máximo 5 dólares", "total", "max"), ("etwa 5 Dollar", "total", "approx"),
        ("mehr als 5 Dollar darf es nicht kosten", "total", "max"), ("if it is more than $5 do not start", "total", "max"), ("the hourly rate must stay under $5", "per_hour", "max"), ("max 5 $/Std.", "per_hour", "max"), ("5 Dollar die Stunde", "per_hour", "max"), ("5 dollars for each gpu hour", "per_gpu_hour", "max"), ("5 Dollar pro Stunde und Karte", "per_gpu_hour", "max"), ("$5 per card and hour at most", "per_gpu_hour", "max"), ("1時間5ドルまで", "per_hour", "max"), ("our product costs $49. budget $5", "total", "max"), ("预算5美元", "total", "max"), ("大约5美元", "total", "approx"), ("5美元以内", "total", "max"), ("$5 at the very most", "total", "max"), ("not a dollar over 5", "total", "max"), ("the GPU costs $2/h, I want to stay under $5", "total", "max"), ("$9, hmm, $5 is enough", "total", "max"),
    ],
)  # fmt: skip
def test_scope_and_kind(fields, words, scope, kind):
    found = fields(f"qwen3 8b on rows.csv, {words}")
    assert (found["budget_amount"], found["budget_currency"]) == (5, "USD")
    assert (found["budget_scope"], found["budget_kind"]) == (scope, kind)


@pytest.mark.parametrize(
    "words",
    [
        "the last one cost me $12", "refunds over $50 matter", "orders under $20 are left out", "we lost $3 million in refunds, it was $5 too much", "the H100 costs $2 an hour",
    ],
)  # fmt: skip
def test_other_money_is_no_budget(fields, words):
    assert not [f for f in fields(f"train qwen3 8b on rows.csv. {words}") if f.startswith("budget")]


@pytest.mark.parametrize(
    "words",
    [
        "money is no object", "unlimited budget", "a few dollars", "whatever it costs", "small budget", "at least $5", "raise the cap to $500", "$5 per epoch", "$40 for the week", "our budget is $200 this quarter", "spend half of my $20", "predict prices between $10 and $500", "ideally $5, $8 if really needed", "twice $5",
        "ein paar Euro", "geld spielt keine Rolle", "peu importe le prix", "cueste lo que cueste", "custe o que custar", "costi quel che costi", "预算不限",
    ],
)  # fmt: skip
def test_what_is_no_ceiling_is_asked_about(read, words):
    found = read(f"qwen3 8b on rows.csv, {words}")
    assert "budget" in found.must_ask
    assert not [f for f in found.fields if f.startswith("budget")]


def test_two_amounts_contradict_and_none_is_taken(read):
    found = read("budget $8, qwen3 8b on rows.csv, never more than $6")
    assert (found.conflicts, found.must_ask) == (["budget"], ["budget"])
    assert not [f for f in found.fields if f.startswith("budget")]


def test_a_correction_is_no_contradiction(read):
    found = read("budget $10 - no, make that 5 dollars. qwen3 8b on rows.csv")
    assert (found.fields["budget_amount"], found.conflicts) == (5, [])


def test_without_a_currency_the_amount_stands_and_the_rest_is_asked(read):
    found = read("budget 20, qwen3 8b on rows.csv")
    assert (found.fields["budget_amount"], found.must_ask) == (20, ["budget"])
    assert "budget_currency" not in found.fields


def test_more_than_an_amount_that_is_no_trouble_is_no_cap(read):
    found = read("more than $5 is not a problem, qwen3 8b on rows.csv")
    assert found.must_ask == ["budget"]
    assert "budget_amount" not in found.fields


@pytest.mark.parametrize("words", ["cost limit: none", "remove the budget cap"])
def test_a_limit_that_is_taken_away_is_asked_for(read, words):
    assert read(f"qwen3 8b on rows.csv, {words}").must_ask == ["budget"]


@pytest.mark.parametrize(
    "words",
    ["max $5 a day", "$5 monthly at most", "max 5 $ im Monat", "5 dollars par jour", "5 dólares al mes", "max $5 per 1000 rows"],
)  # fmt: skip
def test_a_cap_for_another_span_is_asked_about(read, words):
    found = read(f"qwen3 8b on rows.csv, {words}")
    assert found.must_ask == ["budget"]
    assert "budget_amount" not in found.fields


@pytest.mark.parametrize(
    ("words", "amount", "epochs"),
    [
        ("3 epochs, budget 6 USD, no wait make it 4", 4, 3), ("budget $6, no, 4", 4, None), ("for 5 dollars, actually 8", 8, None),
        ("budget 6 dollars, 2 epochs, no make it 4", 6, 4), ("Budget 6 Dollar, nein, 4", 4, None),
    ],
)  # fmt: skip
def test_a_bare_number_corrects_what_was_said_last(fields, words, amount, epochs):
    found = fields(f"qwen3 8b on rows.csv, {words}")
    assert (found["budget_amount"], found["budget_currency"]) == (amount, "USD")
    assert found.get("epochs") == epochs


@pytest.mark.parametrize(
    "words",
    [
        "I've got $20, spend at most half of it", "budget is 30 dollars but use only 10% of that", "ich habe 20 Euro, nimm höchstens die Hälfte davon",
        "j'ai 20 euros, dépense la moitié de cette somme", "tengo 20 euros, gasta la mitad de eso",
    ],
)  # fmt: skip
def test_a_part_of_an_amount_is_asked_for(read, words):
    found = read(f"qwen3 8b on rows.csv, {words}")
    assert not [name for name in found.fields if name.startswith("budget")]
    assert "budget" in found.must_ask


def test_an_amount_of_another_time_does_not_hide_the_cap(read):
    found = read("máximo 12 con 50 euros para qwen3 8b, rows.csv")
    assert (found.fields["budget_amount"], found.fields["budget_currency"]) == (12.5, "EUR")

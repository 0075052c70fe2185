"""What a rented job costs on the screen: every figure of the promise, within 80 columns."""

import io
import json

import pytest
from rich.console import Console

from podtune.app.renting import Cards
from podtune.cli import plan_view, price_view
from podtune.cli.console import Output
from podtune.planning.price import money
from support import build, renting

PLAN = renting.plan()


def shown(renderable, width=100):
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False).print(renderable)
    return stream.getvalue()


def rendered(plan, width=100, **options):
    stream = io.StringIO()
    plan_view.render(Console(file=stream, width=width, highlight=False), plan, **options)
    return stream.getvalue()


def test_a_local_plan_has_no_ladder():
    assert "card" not in rendered(build.plan()).split("field")[0]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_plan_fits_its_terminal_and_cuts_no_figure(width):
    text = rendered(PLAN, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for rung in PLAN.price.ladder[: price_view.RUNGS_SHOWN]:
        assert f"{money(rung.usd_p50)}, {money(rung.usd_p90)}" in text
        assert rung.offer.name in text


def test_in_brief_the_ladder_stays():
    assert "cost p50, p90" in rendered(PLAN, brief=True)


def test_a_long_ladder_is_cut_and_says_so():
    offers = [build.offer(f"NVIDIA A40 {n}", 48, f"0.4{n}", name=f"X{n}") for n in range(9)]
    text = shown(price_view.ladder(renting.plan(offers=offers)))
    assert "X5" in text
    assert "X6" not in text
    assert "and 3 more" in text


def test_several_cards_are_counted():
    offers = [build.offer(count=2)]
    job = renting.given({"where.count": 2})
    assert "2 x A40" in shown(price_view.ladder(renting.plan(job, offers)))


@pytest.mark.parametrize("width", [80, 100])
def test_cards_for_a_job_say_cost_or_reason(width):
    text = shown(price_view.cards(renting.verdicts(), has_job=True), width)
    assert max(len(line) for line in text.splitlines()) <= width
    for words in ("none free now", "no CUDA", "MI300X", "$0.", "bits"):
        assert words in text


def test_cards_without_a_job_say_where_they_are():
    bare = [v._replace(plan=None, rung=None) for v in renting.verdicts()]
    text = shown(price_view.cards(bare, has_job=False), 80)
    assert "EU-RO-1, US-KS-2" in text
    assert "none free now" in text


def test_many_data_centres_are_cut():
    verdict = renting.verdicts()[0]
    offer = verdict.offer.model_copy(update={"regions": ("A", "B", "C", "D", "E")})
    assert "A, B, C and 2 more" in shown(
        price_view.cards([verdict._replace(offer=offer, plan=None, rung=None)], has_job=False)
    )


def printed(capsys, found, *, show_all=False, output=Output.HUMAN):
    price_view.render_cards(found, show_all=show_all, output=output)
    return capsys.readouterr()


def test_what_cannot_be_taken_is_left_out_and_counted(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    found = Cards(renting.verdicts(), True, ("prices of 3 h ago",))
    said = printed(capsys, found)
    assert "B200" not in said.out
    assert "A40" in said.out
    assert "prices of 3 h ago" in said.err
    assert "2 cards left out" in said.err
    everything = printed(capsys, found, show_all=True)
    assert "B200" in everything.out
    assert "left out" not in everything.err


def test_where_nothing_runs_there_is_no_table(capsys):
    verdicts = renting.verdicts(offers=[renting.OFFERS[-1]])
    said = printed(capsys, Cards(verdicts, False, ()))
    assert said.out == ""
    assert "1 card left out" in said.err


def test_programs_get_every_figure(capsys):
    said = printed(capsys, Cards(renting.verdicts(), True, ("w",)), output=Output.JSON)
    value = json.loads(said.out)
    assert value["warnings"] == ["w"]
    (a40,) = [row for row in value["cards"] if row["gpu"] == "NVIDIA A40"]
    assert a40["usd_per_hour"] == "0.40"
    assert a40["data_centres"] == ["CA-MTL-1", "US-KS-2"]
    assert float(a40["usd_p50"]) > 0
    assert said.err == ""

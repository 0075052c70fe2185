"""Where it runs: said, asked where it matters, and never rented unasked."""

import pytest

from podtune.core.errors import SpecError
from podtune.core.spec import Place
from podtune.intake import placing
from support.understanding import asked, heard, sheet


def placed(text, intent="train", **answers):
    page = sheet(text, **answers)
    return placing.place(page, intent), page


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("train smollm2 135m on a.csv locally", Place.LOCAL),
        ("qwen3 8b on a.csv on runpod", Place.RUNPOD),
        ("qwen3 8b on a.csv, serverless please", Place.RUNPOD_SERVERLESS),
        ("Don't upload anything anywhere, qwen3 8b on a.csv, at most $5", Place.LOCAL),
        ("smollm2 135m on a.csv", Place.LOCAL),
        ("train smollm2 135m on a.csv on the cpu", Place.LOCAL),
    ],
)
def test_a_place_that_is_said_or_does_not_matter(text, place):
    found, page = placed(text)
    assert found is place
    assert page.questions == []


@pytest.mark.parametrize(
    "text",
    ["qwen3 8b on a.csv", "smollm2 135m on a.csv, under $1", "smollm2 135m on a.csv, an A100"],
)
def test_a_place_that_matters_is_asked(text):
    found, page = placed(text)
    assert found is None
    assert page.questions[0].must
    assert page.stated == {}
    assert placed(text, where="local")[0] is Place.LOCAL
    assert placed(text, where="1")[0] is Place.RUNPOD


def test_an_answer_about_the_model_makes_it_matter():
    assert placed("train on a.csv")[0] is Place.LOCAL
    assert placed("train on a.csv", base_model="Qwen/Qwen3-8B")[0] is None


def test_no_answer_takes_data_off_this_machine_that_is_to_stay():
    found, page = placed("Don't upload anything, qwen3 8b on a.csv", where="runpod")
    assert found is Place.LOCAL
    assert "nothing may leave this machine" in page.told[0]


def test_a_price_is_of_a_rented_machine_and_rents_none():
    found, page = placed("how much is it to train qwen3 8b on a.csv?", "estimate")
    assert found is Place.RUNPOD
    assert not page.questions[0].must
    assert "where.on" in page.assumed


def test_another_answer_is_none():
    with pytest.raises(SpecError, match="no answer"):
        placed("qwen3 8b on a.csv", where="the moon")


def test_cards_are_for_rented_machines():
    here = heard("qwen3 8b on a.csv on an A100, locally, at least 48 gigs of vram")
    assert "where.gpu" not in here.stated
    assert any("A100" in told for told in here.told)
    assert any("gpu_vram_gb" in told for told in here.told)
    there = heard("qwen3 8b on a.csv on runpod, an A100")
    assert there.stated["where.gpu"] == "A100"
    processor = heard("train qwen3 8b on runpod on the cpu with a.csv")
    assert any(told.startswith("CPU: ") for told in processor.told)


def test_a_continent_is_no_data_centre():
    text = "qwen3 8b on a.csv on runpod, EU servers"
    question = asked(heard(text), "region")
    assert question.must
    assert heard(text, region="EU-RO-1").stated["where.region"] == "EU-RO-1"
    assert "where.region" not in heard(text, region="any").stated
    assert heard("qwen3 8b on a.csv on runpod in EU-RO-1").stated["where.region"] == "EU-RO-1"

"""The form as a request: what was typed and nothing else; refusals name the field."""

import pytest

from podtune.core.errors import SpecError
from podtune.gateway.dashboard import asking
from podtune.gateway.dashboard.asking import Typed


def stated(**typed):
    return asking.request_of(Typed(**typed), "/data/a.jsonl").stated


def test_what_was_left_empty_is_not_stated():
    assert stated() == {"data.source": "/data/a.jsonl", "where.on": "local"}


def test_every_field_has_its_place_in_the_spec():
    told = stated(base_model=" Qwen/Qwen3-8B ", epochs="2,5", on="runpod", ceiling="$4.50")
    assert told == {
        "data.source": "/data/a.jsonl", "base_model.name": "Qwen/Qwen3-8B", "training.epochs": 2.5,
        "where.on": "runpod", "where.max_usd": 4.5,
    }  # fmt: skip
    assert stated(epochs="3")["training.epochs"] == 3


def test_a_ceiling_is_of_rented_machines():
    assert "where.max_usd" not in stated(ceiling="4")


@pytest.mark.parametrize(
    "typed",
    [
        {"epochs": "many"}, {"epochs": "0"}, {"epochs": "-1"}, {"epochs": "nan"}, {"epochs": "1e9"},
        {"on": "moon"}, {"on": "runpod", "ceiling": "free"}, {"on": "runpod", "ceiling": "NaN"},
        {"on": "runpod", "ceiling": "-3"}, {"on": "runpod", "ceiling": "1e9"},
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_a_hint(typed):
    with pytest.raises(SpecError) as refused:
        stated(**typed)
    assert refused.value.hint


@pytest.mark.parametrize("address", ["", "  ", "/etc/passwd", "file:///etc/passwd", "s3://a/b"])
def test_only_web_addresses_are_taken(address):
    with pytest.raises(SpecError):
        asking.address_of(Typed(address=address))


def test_an_address_is_taken_as_it_is():
    assert (
        asking.address_of(Typed(address=" https://a.example/x?sig=1 "))
        == "https://a.example/x?sig=1"
    )


def test_another_plan_is_another_request():
    request = asking.request_of(Typed(), "a")
    assert asking.digest_of(request, "1") != asking.digest_of(request, "2")
    assert asking.digest_of(request, "1") == asking.digest_of(request, "1")
    assert len(asking.digest_of(request, "1")) == 64


def test_every_field_is_sent_again():
    assert dict(Typed(epochs="3").hidden())["epochs"] == "3"
    assert set(dict(Typed().hidden())) == set(Typed.model_fields)

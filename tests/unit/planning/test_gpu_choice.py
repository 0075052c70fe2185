"""Offers are left out by wishes, each with its reason; names mean what people mean by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.core.offer import Stock
from podtune.core.spec import WhereSpec
from podtune.planning import cards, gpu_choice
from podtune.planning.gpu_choice import Wishes
from support import build, renting


def refusal(offer, image="12.8", volume_region=None, **where):
    spec = WhereSpec(on="runpod", **where)
    return gpu_choice.refusal(offer, Wishes(spec, image, volume_region))


A40 = build.offer("NVIDIA A40", 48, regions=("CA-MTL-1", "US-KS-2"), cuda=("12.4", "12.8"))


def test_nothing_speaks_against_a_plain_offer():
    assert refusal(A40) == ""
    assert refusal(build.offer()) == ""


@pytest.mark.parametrize(
    ("changes", "where", "why"),
    [
        ({"cloud": "community"}, {}, "community cloud"),
        ({}, {"cloud": "community"}, "secure cloud"),
        ({"count": 2}, {}, "machines of 2"),
        ({}, {"count": 2}, "machines of 1"),
        ({}, {"gpu": "L4"}, "not asked for"),
        ({}, {"gpu_any_of": ("L4", "A100")}, "not asked for"),
        ({}, {"gpu_avoid": ("A40",)}, "to be avoided"),
        ({}, {"min_vram_gib": 49}, "too small"),
        ({}, {"region": "EU-RO-1"}, "none in EU-RO-1"),
        ({"stock": Stock.NONE}, {}, "none free now"),
        ({"cuda": ("12.4", "12.6")}, {}, "no host with CUDA 12.8"),
        ({"gpu": "AMD Instinct MI300X OAM", "stock": Stock.NONE}, {}, "no CUDA"),
        ({"gpu": "Tesla V100-PCIE-16GB"}, {}, "older than Turing"),
    ],
)
def test_every_wish_leaves_out_with_its_reason(changes, where, why):
    assert why in refusal(A40.model_copy(update=changes), **where)


@pytest.mark.parametrize(
    "where",
    [
        {"gpu": "A40"},
        {"gpu": "nvidia a40"},
        {"gpu": "A40 48GB"},
        {"gpu_any_of": ("L4", "A40")},
        {"gpu_avoid": ("L4",)},
        {"min_vram_gib": 48},
        {"region": "US-KS-2"},
    ],
)
def test_a_wish_that_is_met_leaves_in(where):
    assert refusal(A40, **where) == ""


def test_where_the_provider_names_no_data_centre_any_may_have_it():
    assert refusal(build.offer(), region="EU-RO-1") == ""


def test_the_volumes_data_centre_counts():
    assert refusal(A40, volume_region="EU-RO-1") == "none in EU-RO-1"
    assert refusal(A40, volume_region="US-KS-2") == ""


def test_an_image_can_be_too_old_for_a_card():
    new = build.offer("NVIDIA GeForce RTX 5090", 32, cuda=("12.4", "12.8"))
    assert "Blackwell needs an image with CUDA 12.8" in refusal(new, image="12.4")
    assert refusal(new) == ""
    assert refusal(new, image=None) == ""


def test_the_stand_in_needs_no_cuda():
    assert refusal(build.offer(cards.STAND_IN_CPU, 16, "0.01", cuda=("11.8",))) == ""


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("A100", {"NVIDIA A100 80GB PCIe"}),
        ("a100-80gb", {"NVIDIA A100 80GB PCIe"}),
        ("NVIDIA A40", {"NVIDIA A40"}),
        ("rtx4090", {"NVIDIA GeForce RTX 4090"}),
        ("4090", {"NVIDIA GeForce RTX 4090"}),
        ("RTX A6000", {"NVIDIA RTX A6000"}),
        ("A4000", {"NVIDIA RTX A4000"}),
        ("80GB", {"NVIDIA A100 80GB PCIe", "NVIDIA H100 80GB HBM3"}),
        ("A4", set()),
        ("", set()),
        ("RTX 6000 Ada", set()),
    ],
)
def test_names_mean_the_cards_that_people_mean(name, meant):
    assert {o.gpu for o in renting.OFFERS if gpu_choice.is_named(o, name)} == meant


def test_an_exact_name_is_that_card_alone():
    plain = build.offer("NVIDIA GeForce RTX 4080", 16, name="RTX 4080")
    super_ = build.offer("NVIDIA GeForce RTX 4080 SUPER", 16, name="RTX 4080 SUPER")
    assert gpu_choice.is_named(plain, "RTX 4080")
    assert gpu_choice.is_named(super_, "RTX 4080 SUPER")
    assert not gpu_choice.is_named(plain, "RTX 4080 SUPER")


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_none(text):
    for offer in renting.OFFERS:
        assert gpu_choice.is_named(offer, text) in (True, False)
    assert len(gpu_choice.nearest(text, [o.name for o in renting.OFFERS])) <= 3


@pytest.mark.parametrize(
    ("where", "name", "near"),
    [
        ({"gpu": "RTX 4900"}, "RTX 4900", "GeForce RTX 4090"),
        ({"gpu_any_of": ("A40", "A60")}, "A60", "A40"),
        ({"gpu_avoid": ("H1000",)}, "H1000", "H100 80GB HBM3"),
    ],
)
def test_an_unknown_card_names_the_nearest(where, name, near):
    with pytest.raises(SpecError) as caught:
        gpu_choice.refuse_unknown(renting.OFFERS, WhereSpec(on="runpod", **where))
    assert caught.value.code == "unknown_gpu"
    assert repr(name) in caught.value.message
    assert near in caught.value.message
    assert "gpus --all" in str(caught.value.hint)


def test_a_kind_of_device_is_no_card():
    with pytest.raises(SpecError, match="kind of device of this machine"):
        gpu_choice.refuse_unknown(renting.OFFERS, WhereSpec(on="runpod", gpu="cuda"))


def test_known_names_pass():
    where = WhereSpec(on="runpod", gpu_any_of=("A40", "rtx a5000"), gpu_avoid=("H100",))
    gpu_choice.refuse_unknown(renting.OFFERS, where)

"""What is known of cards: rows with sources, guesses that say so, cards that can never be used."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.units import GIB
from podtune.planning import cards
from support import build


@pytest.fixture
def documented(root):
    """Id -> memory in GB, as the provider's documentation has it."""
    path = root.parent / "shared" / "reference" / "runpod-enums.json"
    if not path.is_file():
        pytest.skip("the reference beside the checkout is not here")
    rows = json.loads(path.read_text(encoding="utf-8"))["gpuTypesDocsTable"]
    return {row["id"]: row["memoryGb"] for row in rows}


@pytest.mark.parametrize("gpu", cards.CARDS)
def test_every_row_is_plausible_and_names_its_source(gpu):
    card = cards.CARDS[gpu]
    assert 10 < card.tflops < 5000
    assert card.source
    assert not card.is_assumed
    assert card.memory_mib is None or 4_000 < card.memory_mib < 300_000
    assert cards.refusal(gpu) == ""


def test_every_card_that_the_provider_documents_is_known_or_refused(documented):
    unknown = [gpu for gpu, vram in documented.items() if cards.card(gpu, vram).is_assumed]
    assert [gpu for gpu in unknown if not cards.refusal(gpu)] == []


def test_rows_hold_about_what_the_cards_names_say(documented):
    for gpu, vram in documented.items():
        memory = cards.card(gpu, vram).memory_mib
        if memory is not None:
            assert 0.93 < memory / 1024 / vram <= 1.0001, gpu


@pytest.mark.parametrize(
    ("gpu", "why"),
    [
        ("AMD Instinct MI300X OAM", "CUDA"),
        ("AMD Radeon PRO W7900", "CUDA"),
        ("Tesla V100-SXM2-16GB", "Turing"),
        ("Tesla P40", "Turing"),
        ("NVIDIA GeForce GTX 1080 Ti", "Turing"),
        ("NVIDIA TITAN V", "Turing"),
        ("Quadro RTX 6000", ""),
        ("NVIDIA GeForce RTX 2080 Ti", ""),
    ],
)
def test_cards_that_can_never_be_used(gpu, why):
    refusal = cards.refusal(gpu)
    assert why in refusal
    assert bool(refusal) == bool(why)


@pytest.mark.parametrize(
    ("gpu", "vram", "architecture"),
    [
        ("NVIDIA RTX PRO 7000 Blackwell", 64, cards.BLACKWELL),
        ("NVIDIA GB300", 288, cards.BLACKWELL),
        ("NVIDIA GeForce RTX 5070", 12, cards.BLACKWELL),
        ("NVIDIA GH200 480GB", 96, cards.HOPPER),
        ("NVIDIA A5000 Ada", 32, cards.ADA),
        ("NVIDIA L20", 48, cards.ADA),
        ("NVIDIA A10", 24, cards.AMPERE),
        ("NVIDIA RTX A5500", 24, cards.AMPERE),
        ("Quadro RTX 8000", 48, cards.TURING),
        ("NVIDIA Something New", 48, cards.AMPERE),
    ],
)
def test_an_unknown_card_is_guessed_and_says_so(gpu, vram, architecture):
    card = cards.card(gpu, vram)
    assert card.is_assumed
    assert card.architecture == architecture
    assert card.memory_mib is None


def test_ids_with_odd_spaces_are_the_same_card():
    assert cards.card("NVIDIA  RTX  A4500", 20) == cards.CARDS["NVIDIA RTX A4500"]


@given(st.floats(1, 2000), st.floats(1, 2000))
def test_a_guess_is_no_slower_with_more_memory(one, other):
    less, more = sorted((one, other))
    assert cards.card("x", less).tflops <= cards.card("x", more).tflops


def test_a_machine_has_what_the_card_really_has():
    device = cards.device(build.offer("NVIDIA A40", 48), build.device())
    assert (device.kind, device.name, device.bf16, device.count) == ("cuda", "NVIDIA A40", True, 1)
    assert device.memory_bytes == 46_068 * 1024**2


def test_an_offer_with_less_memory_than_the_row_has_less():
    device = cards.device(build.offer("NVIDIA A40", 24), build.device())
    assert device.memory_bytes == 24 * GIB


def test_of_an_unknown_card_a_part_of_the_memory_is_left_alone():
    device = cards.device(build.offer("NVIDIA X9", 100), build.device())
    assert device.memory_bytes == int(100 * GIB * cards.REAL_SHARE)


def test_several_cards_are_counted():
    device = cards.device(build.offer("NVIDIA A40", 48, count=4), build.device())
    assert (device.count, device.cores) == (4, 4 * cards.POD_CORES)


def test_turing_has_no_bf16():
    assert not cards.device(build.offer("Tesla T4", 16), build.device()).bf16


@pytest.mark.parametrize("offered", [8, 64])
def test_the_stand_in_is_this_machine_with_the_smaller_memory(offered):
    here = build.device("cpu", memory_gib=16, bf16=True)
    for gpu in (cards.STAND_IN_CPU, f"{cards.STAND_IN_CPU} 2"):
        device = cards.device(build.offer(gpu, offered, "0.01"), here)
        assert device.memory_bytes == min(offered, 16) * GIB
        assert device.model_copy(update={"memory_bytes": here.memory_bytes}) == here


@pytest.mark.parametrize(
    ("text", "numbers"), [("12.8", (12, 8)), ("13.0", (13, 0)), ("12.10.1", (12, 10)), ("", ())]
)
def test_versions_compare_as_numbers(text, numbers):
    assert cards.version(text) == numbers

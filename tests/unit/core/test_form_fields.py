"""Checks of single fields."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from podtune.core import form_fields


@pytest.mark.parametrize(
    ("given", "expected"), [(8.0, 8), (8, 8), (8.5, 8.5), (1e300, 1e300), ("8", "8"), (True, True)]
)
def test_a_whole_number_may_be_written_with_a_point(given, expected):
    found = form_fields.whole(given)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["q_proj", "v_proj"], ("q_proj", "v_proj")),
        (("model.layers.0.q_proj",), ("model.layers.0.q_proj",)),
        ("all-linear", "all-linear"),
        (None, None),
    ],
)
def test_layers_by_name(given, expected):
    assert form_fields.targets(given) == expected


@pytest.mark.parametrize(
    "given",
    ["q_proj", 3, {}, [], ["x"] * 65, [1], [""], ["a b"], ["^q.*$"], ["é"], ["a" * 201], [None], [[]]],
)  # fmt: skip
def test_what_names_no_layers(given):
    with pytest.raises(ValueError, match="must"):
        form_fields.targets(given)


@pytest.mark.parametrize("given", ["a", "test-123", "A.b_C-9", "9", "-", "a" * 128])
def test_ids_of_jobs(given):
    assert form_fields.job_name(given) == given


@pytest.mark.parametrize("given", ["", ".", ".x", "..", "a/b", "a b", "a\n", "ä", "²", "a" * 129])
def test_what_is_no_id_of_a_job(given):
    with pytest.raises(ValueError, match="1 to 128"):
        form_fields.job_name(given)


@pytest.mark.parametrize("given", ["Qwen/Qwen3-Next-80B-A3B-Instruct", "gpt2", "a/b.c_d-e"])
def test_names_of_models(given):
    assert form_fields.model_name(given) == given


@pytest.mark.parametrize(
    "given",
    ["", "/", "/etc/passwd", "../x", "a/../b", "a/b/c", "a/", "/a", "a..b", "-a", "a b", "a/" + "b" * 97],
)  # fmt: skip
def test_a_path_is_no_name_of_a_model(given):
    with pytest.raises(ValueError, match="org/name"):
        form_fields.model_name(given)


class Addressed(BaseModel):
    url: Annotated[str, form_fields.address(100)]


@pytest.mark.parametrize(
    "given",
    ["https://x.example/a?token=1", "http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]/"],
)
def test_addresses(given):
    assert Addressed(url=given).url == given


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("http://x.example/a", "https"),
        ("ftp://x.example/a", "https"),
        ("https://u:p@x.example/a", "password"),
        ("https://", "no host"),
        ("https://x.example/" + "a" * 100, "100 characters"),
        ("https://x.example/a#b", "fragment"),
        ("", "https"),
    ],
)
def test_what_is_no_address_for_us(given, words):
    with pytest.raises(ValidationError, match=words):
        Addressed(url=given)


def test_what_can_be_printed():
    assert form_fields.printable("RTX 4090") == "RTX 4090"
    for stray in ("\ud800", "a\n", "\x1b[31m"):
        with pytest.raises(ValueError, match="printed"):
            form_fields.printable(stray)

import json

import pytest

from podtune.data.containers import json_wrapping
from podtune.data.containers.json_elements import elements

TURNS = [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    ("value", "depth", "keys"),
    [
        ([{"a": 1}], 1, {}),
        ({"a": 1}, 0, {}),
        ("text", 0, {}),
        ({"data": [{"a": 1}], "count": 1}, 2, {"data": None}),
        ({"Tickets": [{"a": 1}]}, 2, {"Tickets": None}),
        ({"things": [{"a": 1}], "page": 2}, 2, {"things": None}),
        ({"train": [{"a": 1}], "test": [{"b": 1}]}, 2, {"train": "train", "test": "validation"}),
        ({"messages": TURNS}, 0, {}),
        ({"conversations": [{"from": "human", "value": "x"}]}, 0, {}),
        ({"comments": [{"body": "x"}], "id": 1}, 0, {}),
        ({"conversations": [{"messages": TURNS}]}, 2, {"conversations": None}),
        ({"a": [{"x": 1}], "b": [{"y": 1}]}, 0, {}),
        ({"tools": [{"x": 1}]}, 0, {}),
        ({"tools": [{"x": 1}], "rows": [{"x": 1}]}, 2, {"rows": None}),
    ],
)
def test_where_the_records_of_a_document_are(value, depth, keys):
    assert json_wrapping.wrapped(value) == (depth, keys)


@pytest.mark.parametrize(
    ("head", "depth", "keys"),
    [
        ('[{"a": 1}', 1, {}),
        ('{"data": [{"a": 1}, {"a": ', 2, {"data": None}),
        ('{"train": [{"a": 1}, {"a": ', 2, {"train": "train"}),
        ('{"tools": [{"a": 1}, {"a": ', 0, {}),
        ('{"messages": [{"role": "user"}, {"a": ', 0, {}),
        ('{"data": [{"a": 1}}, {"a": 2}]}', 2, {"data": None}),
        ('{"turns": [{"a": 1}}, {"a": 2}]}', 2, {"turns": None}),
        ('{"a": [{"x": nope}]}\n{"a": [{"x": 1}]}', 0, {}),
        ("", 0, {}),
    ],
)
def test_where_they_are_is_told_by_the_beginning(head, depth, keys):
    assert json_wrapping.where(head) == (depth, keys)


def test_a_side_that_comes_behind_the_beginning_is_read():
    found = json_wrapping.Wrapped(2, {"train": "train"})
    assert (found.reads("validation"), found.split_of("Validation")) == (True, "validation")
    assert not found.reads("extra")
    assert not json_wrapping.Wrapped(2, {"data": None}).reads("validation")


def unread(value):
    seen = json_wrapping.Unread()
    for element in elements([json.dumps(value).encode()], 2):
        seen.see(element)
    return seen.named


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"a": [{"q": "x", "a": "y"}]}, "a: 1 record"),
        ({"a": [{"messages": TURNS}] * 3, "b": [{"q": "x", "a": "y"}] * 1200}, "b: 1,200 records, a: 3 records"),
        ({"guild": {"id": "1", "name": "x"}, "count": 2, "tags": ["x", "y"], "ids": [{"id": 1}], "n": [[1]]}, ""),
        ({f"k{n}": [{"q": "x", "a": "y"}] for n in range(7)}, "k0: 1 record, k1: 1 record, k2: 1 record, k3: 1 record, k4: 1 record, 2 more"),
    ],
)  # fmt: skip
def test_lists_that_hold_records_are_counted(value, named):
    assert unread(value) == named

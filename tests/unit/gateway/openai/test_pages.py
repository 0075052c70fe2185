from typing import NamedTuple

import pytest

from podtune.core.errors import NotFoundError
from podtune.gateway.openai import pages

ITEMS = [{"id": str(n)} for n in range(7)]


def test_pages_follow_each_other_and_end():
    seen, after = [], None
    while True:
        page = pages.page(ITEMS, limit=3, after=after, ends=True)
        seen += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            break
        after = page["last_id"]
    assert seen == [str(n) for n in range(7)]


def test_an_empty_list_says_so():
    assert pages.page([], limit=3, after=None, ends=True) == {
        "object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None,
    }  # fmt: skip


def test_a_place_that_is_none():
    with pytest.raises(NotFoundError):
        pages.page(ITEMS, limit=3, after="x")


def test_items_made_as_they_are_asked_for_page_in_the_same_way():
    seen, after, made = [], None, []
    while True:
        page = pages.first_of((made.append(1) or one for one in ITEMS), limit=3, after=after)
        assert page == pages.page(ITEMS, limit=3, after=after)
        seen += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            break
        after = seen[-1]
    assert seen == [str(n) for n in range(7)]
    made.clear()
    pages.first_of((made.append(1) or one for one in ITEMS), limit=2, after=None)
    assert len(made) == 3, "none behind the page, but the one that says whether there is more"
    with pytest.raises(NotFoundError):
        pages.first_of(iter(ITEMS), limit=3, after="x")


class One(NamedTuple):
    id: int


@pytest.mark.parametrize(("count", "after"), [(3, None), (100, None), (2, 5)])
def test_what_is_wanted_is_found_over_pages(count, after):
    def more(last):
        start = 0 if last is None else last + 1
        return [One(n) for n in range(start, min(start + 4, 20))]

    found = pages.matching(more, lambda one: one.id % 2 == 0, count, after)
    begin = 0 if after is None else after + 1
    assert [one.id for one in found] == [n for n in range(begin, 20) if n % 2 == 0][:count]

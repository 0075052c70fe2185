import pytest

from podtune.providers.runpod.orders import OrderBook
from support.runpod_account import START

NAME = "pt-abc-job-1-x1800000000"


def test_an_order_is_open_until_it_is_settled_in_any_process(tmp_path):
    OrderBook(tmp_path).begin(NAME, START)
    assert OrderBook(tmp_path).open_since(NAME) == START
    OrderBook(tmp_path).settle(NAME)
    assert OrderBook(tmp_path).open_since(NAME) is None


def test_names_are_apart(tmp_path):
    book = OrderBook(tmp_path)
    book.begin(NAME, START)
    assert book.open_since("pt-abc-job-2-x1800000000") is None


def test_settling_what_was_never_ordered_is_no_matter(tmp_path):
    OrderBook(tmp_path / "nowhere").settle(NAME)


def test_a_crash_while_writing_leaves_an_open_order(tmp_path):
    book = OrderBook(tmp_path)
    book.begin(NAME, START)
    (file,) = (tmp_path / "orders").iterdir()
    file.write_text("")
    since = book.open_since(NAME)
    assert since is not None
    assert since.tzinfo is not None


def test_an_open_order_is_not_begun_again(tmp_path):
    OrderBook(tmp_path).begin(NAME, START)
    with pytest.raises(FileExistsError):
        OrderBook(tmp_path).begin(NAME, START)
    assert OrderBook(tmp_path).open_since(NAME) == START

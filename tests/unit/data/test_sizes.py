from podtune.core.dataset import TEXT_ROLE, Message
from podtune.data.sizes import Sizes


def test_characters_messages_and_missing_system_texts_are_counted():
    sizes = Sizes()
    sizes.add((Message("user", "abc"), Message("assistant", "de", reasoning_content="fgh")))
    sizes.add((Message("system", "s"), Message("user", "q"), Message("assistant", None)))
    assert list(sizes.characters) == [8, 2]
    assert list(sizes.answered) == [5, 0]
    assert list(sizes.messages) == [2, 3]
    assert list(sizes.bare) == [1, 0]


def test_a_row_takes_few_bytes():
    sizes = Sizes()
    for _ in range(1000):
        sizes.add((Message("user", "x" * 100), Message("assistant", "y" * 100)))
    held = (sizes.characters, sizes.answered, sizes.messages, sizes.bare)
    assert sum(a.itemsize * len(a) for a in held) <= 12 * 1000


def test_of_a_text_everything_is_learnt_and_nothing_is_put_before_it():
    sizes = Sizes()
    sizes.add((Message(TEXT_ROLE, "Once upon a time."),))
    assert (list(sizes.characters), list(sizes.answered), list(sizes.bare)) == ([17], [17], [0])

"""The same done by several threads at the same moment."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def at_once(call: Callable[[T], object], things: Sequence[T]) -> list[object]:
    """What each call gave, or the error that it raised, in the order of `things`."""
    barrier = threading.Barrier(len(things))

    def one(thing: T) -> object:
        barrier.wait(20)
        try:
            return call(thing)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(len(things)) as executor:
        return list(executor.map(one, things))

"""Executors that run when a test wants it, and a clock that stands until it is pushed."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from typing import Any


class Inline(Executor):
    """Runs at once, in the caller: what dies in it takes the caller along."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return _run(Future(), fn, args, kwargs)


class Held(Executor):
    """Runs when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Any, ...]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, fn, args, kwargs))
        return future

    def run(self) -> None:
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            _run(*call)


class Pushed:
    """A clock that stands until it is pushed."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def _run(future: Future[Any], fn: Callable[..., Any], args: Any, kwargs: Any) -> Future[Any]:
    try:
        future.set_result(fn(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - a future carries any error
        future.set_exception(error)
    return future

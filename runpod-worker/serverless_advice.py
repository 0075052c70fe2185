"""A failure in the words of the request that caused it: its own fields, and no command of ours.

Takes a worker's typed result and what was asked, gives one for the application: no address with its
query, no traceback.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from podtune.core.errors import PodtuneError
from podtune.core.events import WorkerResult
from podtune.core.redact import scrub
from podtune.core.submission import Submission

LONGEST: Final = 600
"""Characters of a message or an advice; `failures.py` cuts foreign words at 240."""

_ADDRESS: Final = re.compile(r"(https?://[^\s'\"?#]{1,2000}+)[?#][^\s'\"]*+")
_OURS: Final = ("--set ", "podtune ", "PODTUNE_", "--model", "--skip")
"""What tells advice that was written for our command line."""

AGAIN: Final = "try again: submit the job once more"


def _smaller_batch(asked: Submission | None) -> str:
    batch = asked.hyperparameters.batch_size if asked else None
    if batch is None or batch < 2:
        return "reduce the batch size: set hyperparameters.batch_size to 1, or take a smaller base model, a lower lora_rank or a card with more memory"
    return (
        f"reduce the batch size: set hyperparameters.batch_size to {batch // 2} (it was {batch}); if "
        "that does not help, shorten the conversations or take a card with more memory"
    )


def _lower_rate(asked: Submission | None) -> str:
    rate = asked.hyperparameters.learning_rate if asked else None
    if rate is None:
        return "lower the learning rate: set hyperparameters.learning_rate, for example to 0.00005"
    return (
        f"lower the learning rate: set hyperparameters.learning_rate to {rate / 5:.2g} "
        f"(it was {rate:g})"
    )


def _download(asked: Submission | None) -> str:
    return f"{AGAIN}; what was fetched of the base model is kept"


_ADVICE: Final[Mapping[str, Callable[[Submission | None], str]]] = {
    "out_of_memory": _smaller_batch,
    "loss_not_finite": _lower_rate,
    "download_failed": _download,
    "fetch_failed": lambda _: f"{AGAIN}; the server of dataset_url was busy or out of reach",
    "url_expired": lambda _: "make a new signed dataset_url and try again",
    "url_not_found": lambda _: "check dataset_url: there is no such file; then try again",
    "interrupted": lambda _: f"{AGAIN}; it goes on from its last checkpoint where that was kept",
    "worker_lost": lambda _: f"{AGAIN}; it goes on from its last checkpoint where that was kept",
    "step_hung": lambda _: AGAIN,
    "device_error": lambda _: f"{AGAIN}: another worker has another card",
    "disk_full": lambda _: "give the endpoint a larger disk or volume, then try again",
    "no_effect": lambda _: (
        "train longer (hyperparameters.num_epochs) or with a higher hyperparameters.learning_rate"
    ),
}
"""What to do, by code. Specification B demands the first three of its errors in these words: batch size,
retry, learning rate."""


def failure(error: BaseException | WorkerResult, asked: Submission | None) -> WorkerResult:
    """What the application is told of a failure.

    Args:
        error: Whatever ended the job.
        asked: The request, where it could be read.
    """
    result = error if isinstance(error, WorkerResult) else _described(error)
    code = result.error_code or "training_failed"
    known = _ADVICE.get(code)
    advice = known(asked) if known else _plain(result.advice)
    message = clean(result.error_message or "the training failed")
    return WorkerResult(ok=False, error_code=code, error_message=message, advice=clean(advice))


def clean(text: str) -> str:
    """A text as it may be shown: no query of an address, no key, of one line and bounded length."""
    shown = _ADDRESS.sub(r"\1?***", scrub(" ".join(text.split())))
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 3] + "..."


def line(result: WorkerResult) -> str:
    """Message and advice in one plain text, for the SDK's `error` key."""
    advice = f" ({result.advice})" if result.advice else ""
    return f"{result.error_code}: {result.error_message}{advice}"


def _described(error: BaseException) -> WorkerResult:
    """By our own words for it; a bad request is told whole, with all its faults."""
    if isinstance(error, PodtuneError):
        return WorkerResult(
            ok=False, error_code=error.code, error_message=error.message, advice=error.hint
        )
    import failures

    return failures.describe(error)


def _plain(advice: str | None) -> str:
    """Advice that an application can follow; ours for the command line is left out."""
    if not advice or any(word in advice for word in _OURS):
        return "the endpoint's worker log says more; then try again"
    return advice

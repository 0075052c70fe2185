"""What a request in words comes to: the types that `understand` gives. Decides nothing."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from podtune.core.request import TrainingRequest

NOT_TRAINING: Final = ("status", "stop", "other")
"""Intents that plan nothing."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Option(_Part):
    """One answer to a question."""

    value: str
    """As it is given back."""
    label: str
    """As it is shown."""
    why: str = ""


class Question(_Part):
    """Something a request leaves open."""

    field: str
    """`dataset`, `base_model`, `budget`, `where`, `visibility`, or a field of the request schema."""
    text: str
    options: tuple[Option, ...] = ()
    """The first is suggested; where nothing must be answered it is what is assumed."""
    must: bool
    """Whether somebody has to answer; otherwise it is an assumption that is confirmed with the plan."""


class Refusal(_Part):
    """Why a request is not followed at all."""

    code: str
    text: str
    hint: str = ""


class Understood(_Part):
    """A request, as far as its words and the answers go."""

    intent: str
    """`train`, `estimate`, `check_data`, `status`, `stop` or `other`."""
    stated: dict[str, object] = Field(default_factory=dict)
    """Spec path -> what somebody said."""
    quotes: dict[str, str] = Field(default_factory=dict)
    """Spec path -> the words it was read from, secrets masked. Paths of `stated` and of `assumed`."""
    assumed: dict[str, tuple[object, str]] = Field(default_factory=dict)
    """Spec path -> value and reason: choices made from what was said."""
    questions: tuple[Question, ...] = ()
    """What must be answered first, then what is assumed."""
    refusals: tuple[Refusal, ...] = ()
    """Where there is one, nothing else of the request is followed."""
    told: tuple[str, ...] = ()
    """What was asked for and is not done, or is done otherwise, in words."""
    data_hint: str | None = None
    """Words for whoever looks for the data, where none is named."""
    job_id: str | None = None
    command: str | None = None
    """What to type for an intent that plans nothing."""
    minutes: float | None = None

    def request(self) -> TrainingRequest:
        """What is planned: what was stated, what is assumed, and the words and reasons of both."""
        chosen = {
            path: value for path, (value, _) in self.assumed.items() if path not in self.stated
        }
        return TrainingRequest(
            stated={**chosen, **self.stated},
            quotes=self.quotes,
            assumed={path: self.assumed[path][1] for path in chosen},
            told=self.told,
            minutes=self.minutes,
        )

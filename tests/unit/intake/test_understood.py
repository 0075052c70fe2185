"""What understanding gives, and the request that is made of it."""

import pytest
from pydantic import ValidationError

from podtune.intake.understood import Question, Understood


def test_a_request_holds_what_was_stated_and_what_was_chosen_with_its_reason():
    understood = Understood(
        intent="train",
        stated={"training.epochs": 3},
        quotes={"training.epochs": "3 epochs"},
        assumed={
            "base_model.name": ("Qwen/Qwen3-8B", "the usual"),
            "training.epochs": (1, "never"),
        },
        told=("export: not built",),
    )
    request = understood.request()
    assert request.stated == {"base_model.name": "Qwen/Qwen3-8B", "training.epochs": 3}
    assert request.assumed == {"base_model.name": "the usual"}
    assert request.quotes == {"training.epochs": "3 epochs"}
    assert request.told == ("export: not built",)


def test_it_survives_json():
    understood = Understood(
        intent="train", questions=(Question(field="where", text="?", must=True),)
    )
    assert Understood.model_validate_json(understood.model_dump_json()) == understood


def test_it_is_frozen():
    with pytest.raises(ValidationError):
        Understood(intent="train").intent = "stop"

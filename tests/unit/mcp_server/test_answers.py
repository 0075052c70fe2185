import pytest
from pydantic import ValidationError

from podtune.mcp_server import answers


def models():
    found = [kind for kind in vars(answers).values() if isinstance(kind, type)]
    return [
        k for k in found if issubclass(k, answers.BaseModel) and k.__module__ == answers.__name__
    ]


def test_every_answer_says_the_next_step_and_is_frozen():
    tools = [kind for kind in models() if kind.__name__.endswith("Answer")]
    assert len(tools) == 9
    for kind in tools:
        assert kind.model_fields["next"].is_required()
    for kind in models():
        assert kind.model_config["frozen"]
        assert kind.model_config["extra"] == "forbid"


def test_no_answer_has_a_place_for_rows():
    names = {name for kind in models() for name in kind.model_fields}
    assert not names & {"rows_text", "sample", "samples", "messages", "content", "examples"}


def test_an_answer_takes_nothing_it_does_not_know():
    with pytest.raises(ValidationError):
        answers.Line(about="a", says="b", more="c")

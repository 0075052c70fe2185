"""What can be written into a script."""

import pytest
from pydantic import ValidationError

from podtune.testing.scripts import FAILURES, Misfortune, Script


@pytest.mark.parametrize("field", ["listen_s", "install_s", "step_s", "prove_s"])
def test_time_never_goes_back(field):
    with pytest.raises(ValidationError):
        Script(**{field: -1})


def test_a_typing_error_is_told():
    with pytest.raises(ValidationError, match="misfortunes"):
        Script.model_validate({"misfortunes": "crash"})


def test_misfortunes_are_words():
    assert Script.model_validate({"misfortune": "nan_loss"}).misfortune is Misfortune.NAN_LOSS


def test_failures_have_a_code_and_words():
    for code, words in FAILURES.values():
        assert code.isidentifier()
        assert words.format(step=3)

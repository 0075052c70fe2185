import pytest
from pydantic import ValidationError

from podtune.core.limits import DEFAULTS, Limits


def test_the_defaults_are_those_of_the_design():
    assert (DEFAULTS.boot_limit_s, DEFAULTS.silence_limit_s) == (900, 600)
    assert (DEFAULTS.proof_window_s, DEFAULTS.terminate_alarm_s) == (60, 120)


def test_a_machine_has_time_to_appear_before_it_counts_as_missing():
    assert DEFAULTS.settle_s <= DEFAULTS.proof_window_s


@pytest.mark.parametrize("name", sorted(Limits.model_fields))
def test_no_limit_is_negative(name):
    with pytest.raises(ValidationError):
        Limits.model_validate({name: -1})


def test_an_unknown_limit_is_refused():
    with pytest.raises(ValidationError):
        Limits.model_validate({"patience_s": 1})

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.app.status_form import faults, progress_of, result_faults
from podtune.core.wire import TrainingStatus
from support.serverless_site import METRICS, result, update

JOB = {"input": {"job_id": "a"}}


def test_the_documented_objects_have_no_faults():
    assert faults(update(45.5)) == ()
    assert faults(update(45.5, phase="loading", warnings=["w"], novel=1), reached=45.5) == ()
    assert result_faults(result(JOB)) == ()


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ("text", "not an object"),
        (None, "not an object"),
        ({"output": update(1)}, "nested"),
        ({k: v for k, v in update(1).items() if k != "stage"}, "stage is missing"),
        (update(101), "progress is 101"),
        (update(1, status="done"), "status is 'done'"),
        (update(1, current_step="7x"), "current_step is '7x'"),
        (update(1, metrics={"training_loss": 1.0}), "metrics.throughput is missing"),
        (update(1, metrics=None), "metrics is None"),
        (update(1, error_message=5), "error_message is 5"),
    ],
)
def test_what_differs_is_named(output, fault):
    assert any(fault in text for text in faults(output))


def test_progress_never_falls():
    assert faults(update(40), reached=45) == ("progress fell from 45 to 40",)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"status": "failed"}, "not 'completed'"),
        ({"progress": 99}, "not 100"),
        ({"adapter_path": None}, "names no adapter"),
    ],
)
def test_a_result_is_that_of_a_completed_job(changes, fault):
    assert any(fault in text for text in result_faults(result(JOB, **changes)))


def test_a_result_may_leave_out_what_the_quick_reference_leaves_out():
    given = {
        "status": "completed",
        "progress": 100,
        "metrics": METRICS,
        "adapter_path": "lora-models/a",
    }
    assert result_faults(given) == ()


def test_a_foreign_value_is_shown_without_keys():
    (fault, *_) = faults(update(1, status="rpa_PLANTEDSECRET0123456789" + "x" * 500))
    assert "PLANTED" not in fault
    assert len(fault) < 100


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
FIELDS = st.sampled_from([*TrainingStatus.model_fields, "output"])


@given(st.dictionaries(FIELDS, JSON, max_size=12) | JSON)
def test_any_json_has_faults_or_none_and_never_an_exception(output):
    assert len(faults(output)) <= 5
    assert len(result_faults(output)) <= 5
    assert 0 <= progress_of(output) <= 100

import json
import pickle

import pytest

from podtune.core import errors
from podtune.data.template import TemplateRefusedError

TABLE = [
    # class, code, HTTP status, exit code
    (errors.PodtuneError, "error", 500, 1),
    (errors.RequestError, "bad_request", 400, 2),
    (errors.SpecError, "bad_spec", 400, 2),
    (errors.DatasetError, "bad_data", 400, 2),
    (errors.UnsupportedError, "unsupported", 400, 2),
    (errors.NotFoundError, "not_found", 404, 2),
    (errors.ConflictError, "conflict", 409, 2),
    (errors.CredentialsError, "credentials", 401, 3),
    (errors.ForbiddenError, "forbidden", 403, 3),
    (errors.ProviderError, "provider_failed", 502, 4),
    (errors.NoCapacityError, "no_capacity", 502, 4),
    (errors.BalanceError, "insufficient_balance", 502, 4),
    (errors.DoubtfulError, "create_doubtful", 502, 4),
    (errors.UnavailableError, "vendor_unavailable", 502, 4),
    (errors.TrainingError, "training_failed", 500, 5),
    (errors.ArtifactError, "artifact_bad", 500, 6),
    (errors.StateError, "state_unusable", 503, 7),
]
CLASSES = [row[0] for row in TABLE]


def own_classes():
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.PodtuneError)
    ]


@pytest.mark.parametrize(("kind", "code", "status", "exit_code"), TABLE)
def test_each_class_has_its_code_status_and_exit_code(kind, code, status, exit_code):
    error = kind("what happened")
    assert error.code == code
    assert errors.http_status(error) == status
    assert errors.exit_code(error) == exit_code


def test_the_table_here_names_every_class_of_the_module():
    assert set(own_classes()) == set(CLASSES)


def test_no_two_classes_share_a_code():
    codes = [kind.code for kind in own_classes()]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_tree_at_the_top_of_the_module_names_every_class(kind):
    assert kind.__name__ in errors.__doc__


def test_a_class_from_elsewhere_takes_the_nearest_ancestor():
    class Deeper(errors.ConflictError):
        code = "deeper"

    assert errors.http_status(Deeper("x")) == 409
    assert errors.exit_code(Deeper("x")) == 2
    assert errors.http_status(TemplateRefusedError("x")) == 400


def test_message_is_the_text_of_the_exception():
    error = errors.SpecError("rank 0 is under 1")
    assert str(error) == error.message == "rank 0 is under 1"
    assert error.hint is None
    assert error.context == {}


def test_a_given_code_replaces_the_code_of_the_class_for_one_error_only():
    assert errors.DatasetError("x", code="empty_file").code == "empty_file"
    assert errors.DatasetError("x").code == "bad_data"


def test_the_context_is_a_copy():
    given = {"line": 3}
    error = errors.DatasetError("x", context=given)
    given["line"] = 4
    assert error.context == {"line": 3}


@pytest.mark.parametrize("kind", [*CLASSES, TemplateRefusedError])
def test_pickling_keeps_class_code_hint_and_context(kind):
    error = kind("it broke", code="special", hint="run again", context={"lines": [1, 2]})
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert copy.to_json() == error.to_json()
    assert str(copy) == "it broke"


def test_to_json_is_the_four_fields_and_survives_json():
    error = errors.DatasetError("3 errors", hint="correct them", context={"rows": 9})
    wire = json.loads(json.dumps(error.to_json()))
    assert wire == {
        "code": "bad_data",
        "message": "3 errors",
        "hint": "correct them",
        "context": {"rows": 9},
    }


def test_none_is_retryable_unless_its_class_says_so():
    assert [k.__name__ for k in own_classes() if k.retryable] == ["UnavailableError"]


def test_all_are_caught_as_the_base_class():
    for kind in CLASSES:
        with pytest.raises(errors.PodtuneError, match="x"):
            raise kind("x")


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_that_was_stored_is_the_same_again(kind):
    before = kind("what happened", code="odd", hint="do this", context={"n": 1})
    after = errors.of_stored(json.loads(json.dumps(errors.to_stored(before))))
    assert type(after) is kind
    assert after.to_json() == before.to_json()
    assert errors.http_status(after) == errors.http_status(before)


def test_an_error_of_another_module_is_stored_as_its_nearest_here():
    stored = errors.to_stored(TemplateRefusedError("no"))
    after = errors.of_stored(stored)
    assert type(after).__module__ == errors.__name__
    assert isinstance(TemplateRefusedError("no"), type(after))
    assert after.code == TemplateRefusedError.code


@pytest.mark.parametrize("data", [{}, {"class": "exit_code"}, {"class": "Mapping", "context": 3}])
def test_what_is_no_stored_error_is_a_plain_one(data):
    assert type(errors.of_stored(data)) is errors.PodtuneError

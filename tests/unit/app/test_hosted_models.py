import pytest

from podtune.app import hosted_models
from podtune.app.settings import Settings
from podtune.core.errors import NotFoundError, SpecError
from podtune.core.spec import Method
from support import homes


def settings(tmp_path, table=""):
    return Settings(home=tmp_path, hosted_models=table)


def test_a_hosted_name_is_asked_and_never_guessed(tmp_path):
    with pytest.raises(SpecError, match="Qwen/Qwen3-8B") as caught:
        hosted_models.base_of("gpt-4o-mini-2024-07-18", settings(tmp_path))
    assert caught.value.code == "unknown_model"
    assert caught.value.context["param"] == "model"
    assert 'extra_body={"podtune"' in (caught.value.hint or "")
    assert "PODTUNE_HOSTED_MODELS=gpt-4o-mini=" in (caught.value.hint or "")


def test_the_operator_s_table_holds_for_dated_names_too(tmp_path):
    told = settings(tmp_path, "gpt-4o-mini=acme/small, gpt-4.1=acme/large")
    assert hosted_models.base_of("gpt-4o-mini-2024-07-18", told) == "acme/small"
    assert hosted_models.base_of("gpt-4.1", told) == "acme/large"
    assert hosted_models.known_bases(told)[:2] == ("acme/small", "acme/large")


def test_an_open_model_is_taken_as_it_is(tmp_path):
    assert hosted_models.base_of("Qwen/Qwen3-8B", settings(tmp_path)) == "Qwen/Qwen3-8B"


def test_what_was_trained_is_no_base(tmp_path):
    with pytest.raises(SpecError, match="open base model"):
        hosted_models.base_of("ft:a/b:local::job", settings(tmp_path))


@pytest.mark.parametrize("table", ["gpt-4o", "=x/y", "a=b, c"])
def test_a_table_that_is_none_is_said(tmp_path, table):
    with pytest.raises(SpecError) as caught:
        hosted_models.mapping(settings(tmp_path, table))
    assert caught.value.code == "bad_setting"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("gpt-4.1-nano-2025-04-14", "Qwen/Qwen3-1.7B"),
        ("gpt-4.1-2025-04-14", "Qwen/Qwen3-32B"),
        ("gpt-3.5-turbo-0125", "Qwen/Qwen3-4B"),
        ("something-else", "Qwen/Qwen3-8B"),
    ],
)
def test_suggestions_go_by_the_longest_name(name, first):
    assert hosted_models.suggestions(name)[0] == first


@pytest.mark.parametrize("step", [None, 40])
def test_names_lead_back_to_their_job(step):
    name = hosted_models.name_of("Qwen/Qwen3-8B", "ann", "my bot: v2", "rows-ab12", step)
    assert name.startswith("ft:Qwen/Qwen3-8B:ann:my-bot-v2:rows-ab12")
    assert hosted_models.parse(name) == hosted_models.Trained("rows-ab12", step)


def test_a_folder_is_named_by_its_last_part():
    assert hosted_models.name_of("/srv/models/tiny", None, None, "a-1") == "ft:tiny:local::a-1"


@pytest.mark.parametrize("name", ["gpt-4o", "ft:a", "ft:a:b:c:d:e", "ft:a:b:c:d:ckpt-step-x"])
def test_other_names_lead_nowhere(name):
    assert hosted_models.parse(name) is None


def test_the_usual_learning_rate_is_the_plan_s(tmp_path):
    base = str(homes.model(tmp_path / "model"))
    rate = hosted_models.default_learning_rate(base, Method.SFT, settings(tmp_path))
    assert rate == homes.plan(tmp_path).spec.training.learning_rate
    preference = hosted_models.default_learning_rate(base, Method.DPO, settings(tmp_path))
    assert preference == pytest.approx(rate / 10)
    with pytest.raises(NotFoundError):
        hosted_models.default_learning_rate("/nowhere", Method.SFT, settings(tmp_path))

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from podtune.app.deploy_wish import Wish, check, environment, parse_variables
from podtune.core.errors import SpecError

WISH = Wish(image="me/worker:1.0")


def wish(**changes):
    return WISH.model_copy(update=changes)


def test_the_environment_is_that_of_specification_b():
    env = environment(WISH, "h4wx7npc", "https://x.supabase.co", None)
    assert {name: value.get_secret_value() for name, value in env.items()} == {
        "HF_HOME": "/runpod-volume/.cache/huggingface",
        "TRANSFORMERS_CACHE": "/runpod-volume/models",
        "MODEL_PATH": "/runpod-volume/models/Qwen3-Next-80B-A3B-Instruct",
        "RUNPOD_LOG_LEVEL": "INFO",
        "SUPABASE_URL": "https://x.supabase.co",
        "PODTUNE_OWNER": "h4wx7npc",
        "PODTUNE_JOB_TTL_S": "86400",
    }
    assert "SUPABASE_URL" not in environment(WISH, "h4wx7npc", None, None)


def test_a_model_of_the_hub_is_its_folder():
    env = environment(wish(model="Qwen/Qwen3-8B"), "o", None, None)
    assert env["MODEL_PATH"].get_secret_value() == "/runpod-volume/models/Qwen3-8B"


def test_the_service_key_is_there_only_when_it_is_given():
    assert "SUPABASE_SERVICE_ROLE_KEY" not in environment(WISH, "o", "https://x", None)
    env = environment(WISH, "o", "https://x", SecretStr("planted-key"))
    assert "planted-key" not in repr(env)
    assert env["SUPABASE_SERVICE_ROLE_KEY"].get_secret_value() == "planted-key"


def test_wished_variables_come_on_top_but_never_over_ours():
    env = environment(wish(env={"HF_HOME": "/elsewhere"}), "o", None, None)
    assert env["HF_HOME"].get_secret_value() == "/elsewhere"
    many = {f"V{number}": "1" for number in range(50)}
    with pytest.raises(SpecError, match="50 at most"):
        environment(wish(env=many), "o", None, None)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"image": "two words"}, "bad_option"),
        ({"image": "-rm"}, "bad_option"),
        ({"name": ""}, "bad_option"),
        ({"name": "x\n"}, "bad_option"),
        ({"model": "../secret"}, "bad_option"),
        ({"workers_max": 0}, "bad_workers"),
        ({"workers_min": 3}, "bad_workers"),
        ({"ttl_s": 43_200}, "bad_ttl"),
        ({"timeout_s": 604_800}, "bad_ttl"),
        ({"env": {"A B": "1"}}, "bad_variable"),
        ({"env": {"PODTUNE_OWNER": "me"}}, "bad_variable"),
        ({"env": {"SUPABASE_SERVICE_ROLE_KEY": "x"}}, "bad_variable"),
        ({"env": {"RUNPOD_AI_API_KEY": "x"}}, "bad_variable"),
        ({"env": {"HF_TOKEN": "hf_abcdefghijklmnop"}}, "secret_in_argv"),
    ],
)
def test_what_contradicts_itself_is_refused_with_a_next_step(changes, code):
    with pytest.raises(SpecError) as caught:
        check(wish(**changes))
    assert caught.value.code == code
    assert "hf_abcdef" not in str(caught.value.to_json())


def test_a_secret_of_runpods_own_store_is_named_not_given():
    check(wish(env={"HF_TOKEN": "{{ RUNPOD_SECRET_hub }}", "RUNPOD_LOG_LEVEL": "DEBUG"}))


def test_a_job_lives_longer_than_it_runs():
    assert WISH.ttl == 86_400
    assert wish(timeout_s=600_000).ttl == 604_800
    assert wish(ttl_s=50_000).ttl == 50_000


def test_figures_have_bounds():
    for bad in ({"workers_min": -1}, {"idle_timeout_s": 0}, {"timeout_s": 1}, {"disk_gb": 0}):
        with pytest.raises(ValidationError):
            Wish.model_validate({"image": "i", **bad})


def test_variables_are_parsed_at_the_first_sign():
    assert parse_variables(("A=1=2", "B=")) == {"A": "1=2", "B": ""}
    for bad in (("A",), ("A=1", "A=2")):
        with pytest.raises(SpecError):
            parse_variables(bad)


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_is_taken_or_refused(name, value):
    with suppress(SpecError):
        check(wish(image=name, env={name: value}))

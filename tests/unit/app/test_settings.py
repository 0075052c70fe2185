"""Where a setting comes from, and what of the environment reaches a worker."""

import os
from pathlib import Path

import pytest

from podtune.app import settings
from podtune.core.errors import SpecError


def load(folder, **environment):
    return settings.load(environment, folder)


def test_defaults_need_nothing(tmp_path):
    found = load(tmp_path)
    assert found.settings.home == Path.home() / ".podtune"
    assert found.settings.places == 1
    assert set(found.origins.values()) == {"default"}


def test_a_file_wins_over_the_defaults(tmp_path):
    (tmp_path / "podtune.toml").write_text("places = 3\n")
    found = load(tmp_path)
    assert found.settings.places == 3
    assert found.origins["home"] == "default"
    assert found.origins["places"] == str(tmp_path / "podtune.toml")


def test_the_environment_wins_over_the_file(tmp_path):
    (tmp_path / "podtune.toml").write_text('places = 3\nhome = "/from/file"\n')
    found = load(tmp_path, PODTUNE_PLACES="5")
    assert (found.settings.places, found.settings.home) == (5, Path("/from/file"))
    assert found.origins["places"] == "PODTUNE_PLACES"


def test_an_empty_variable_counts_as_none(tmp_path):
    assert load(tmp_path, PODTUNE_PLACES="").origins["places"] == "default"


def test_the_home_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load(tmp_path, PODTUNE_HOME="here").settings.home == tmp_path / "here"
    assert load(tmp_path, PODTUNE_HOME="~/x").settings.home == Path.home() / "x"


def test_the_present_folder_is_looked_in(tmp_path, monkeypatch):
    (tmp_path / "podtune.toml").write_text("places = 4\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PODTUNE_PLACES", raising=False)
    assert settings.load().settings.places == 4


@pytest.mark.parametrize("value", ["0", "65", "many", "1.5"])
def test_a_bad_value_names_where_it_stands(tmp_path, value):
    with pytest.raises(SpecError, match="PODTUNE_PLACES") as caught:
        load(tmp_path, PODTUNE_PLACES=value)
    assert caught.value.code == "bad_setting"


@pytest.mark.parametrize("text", ["places = 0", "unknown = 1", "places =", "\xff"])
def test_a_bad_file_is_named(tmp_path, text):
    (tmp_path / "podtune.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(SpecError, match=r"podtune\.toml") as caught:
        load(tmp_path)
    assert caught.value.code == "bad_setting"


def test_everything_lies_in_the_home(tmp_path):
    found = settings.Settings(home=tmp_path)
    places = (found.jobs, found.models, found.database, found.driver_log, found.speed)
    assert {p.parent for p in places} == {tmp_path}
    assert len(set(places)) == 5


SECRETS = {
    "RUNPOD_API_KEY": "rpa_x",
    "SUPABASE_URL": "https://x",
    "SUPABASE_SERVICE_ROLE_KEY": "eyJ",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "s",
    "OPENAI_API_KEY": "sk-x",
    "PODTUNE_HOME": "/x",
}


def test_no_key_of_a_vendor_reaches_a_worker(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    assert not set(settings.worker_environment()) & set(SECRETS)


def test_a_worker_gets_what_it_needs(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.delenv("HF_HOME", raising=False)
    found = settings.worker_environment()
    assert (found["HF_TOKEN"], found["PATH"]) == ("hf_x", "/bin")
    assert "HF_HOME" not in found
    assert found["PYTHONUNBUFFERED"] == "1"


def test_a_container_sees_how_libraries_are_fetched_and_no_secret(tmp_path):
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").touch()
    found = settings.container_environment(
        {
            **SECRETS,
            "HOME": str(tmp_path),
            "PIP_DEFAULT_TIMEOUT": "9",
            "https_proxy": "http://127.0.0.1:3128",
            "OMP_NUM_THREADS": "1",
        }
    )
    assert found == {
        "PIP_CACHE_DIR": str(tmp_path / ".cache" / "pip"),
        "PIP_CONFIG_FILE": str(tmp_path / ".config" / "pip" / "pip.conf"),
        "PIP_DEFAULT_TIMEOUT": "9",
        "https_proxy": "http://127.0.0.1:3128",
        "OMP_NUM_THREADS": "1",
    }


def test_pips_own_variables_win_in_a_container(tmp_path):
    given = {"HOME": str(tmp_path), "PIP_CACHE_DIR": "/c", "PIP_CONFIG_FILE": "/f"}
    assert settings.container_environment(given) == {"PIP_CACHE_DIR": "/c", "PIP_CONFIG_FILE": "/f"}


def test_the_driver_gets_everything_and_its_home(monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_x")
    given = settings.Settings(
        home=Path("/some/home"), places=3, egress_http=True, egress_private_hosts="10.0.0.0/8, x:1"
    )
    found = settings.driver_environment(given)
    assert (found["PODTUNE_HOME"], found["RUNPOD_API_KEY"]) == ("/some/home", "rpa_x")
    assert settings.load(found, read_file=False).settings == given


def test_a_worker_sees_the_first_of_the_cards_that_the_user_lets_be_seen(monkeypatch):
    for visible, card in (("2,3", "2"), ("", ""), ("GPU-ab12", "GPU-ab12")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert settings.worker_environment()["CUDA_VISIBLE_DEVICES"] == card
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert settings.worker_environment()["CUDA_VISIBLE_DEVICES"] == "0"


def test_several_devices_see_as_many_cards_as_are_planned(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3,5")
    assert settings.cards_for(2) == {"CUDA_VISIBLE_DEVICES": "2,3"}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert settings.cards_for(3) == {"CUDA_VISIBLE_DEVICES": "0,1,2"}


def test_only_vendor_keys_that_are_set(monkeypatch):
    for name in settings.VENDOR_KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    monkeypatch.setenv("RUNPOD_API_KEY", "")
    assert settings.vendor_keys() == {"HF_TOKEN": "hf_x"}


def test_the_database_is_named_by_the_environment_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("PODTUNE_DATABASE_URL", raising=False)
    assert settings.database_url() is None
    monkeypatch.setenv("PODTUNE_DATABASE_URL", "")
    assert settings.database_url() is None
    url = "postgresql://u:planted@127.0.0.1/d"
    monkeypatch.setenv("PODTUNE_DATABASE_URL", url)
    found = settings.database_url()
    assert found.get_secret_value() == url
    assert "planted" not in repr(found) + repr(settings.load())
    assert settings.driver_environment(settings.Settings())["PODTUNE_DATABASE_URL"] == url
    assert "PODTUNE_DATABASE_URL" not in settings.worker_environment()
    assert "PODTUNE_DATABASE_URL" not in settings.container_environment()
    (tmp_path / "podtune.toml").write_text(f'database_url = "{url}"')
    with pytest.raises(SpecError) as caught:
        settings.load({}, tmp_path)
    assert "planted" not in caught.value.message


@pytest.fixture
def no_aws(monkeypatch):
    for name in os.environ.copy():
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    return monkeypatch


def test_the_credentials_of_s3_are_read_from_awss_own_variables(no_aws):
    no_aws.setenv("AWS_ACCESS_KEY_ID", "AKIAX")
    assert settings.s3_credentials() is None
    no_aws.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    found = settings.s3_credentials()
    assert (found.access_key_id, found.region) == ("AKIAX", "us-east-1")
    assert (found.session_token, found.endpoint_url) == (None, None)
    assert found.secret_access_key.get_secret_value() == "planted-secret"
    assert "planted-secret" not in repr(found)


def test_the_nearer_variable_of_aws_wins(no_aws):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
        "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://any:1",
    }.items():  # fmt: skip
        no_aws.setenv(name, value)
    found = settings.s3_credentials()
    assert (found.region, found.endpoint_url) == ("eu-west-1", "http://any:1")
    assert found.session_token.get_secret_value() == "t"
    no_aws.setenv("AWS_REGION", "eu-central-1")
    no_aws.setenv("AWS_ENDPOINT_URL_S3", "http://minio:9000")
    found = settings.s3_credentials()
    assert (found.region, found.endpoint_url) == ("eu-central-1", "http://minio:9000")


@pytest.mark.parametrize(
    ("visible", "cards"),
    [(None, None), ("", ()), ("0", ("0",)), (" 1, GPU-ab12 ,", ("1", "GPU-ab12"))],
)
def test_cards_that_the_user_lets_be_seen(monkeypatch, visible, cards):
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert settings.visible_cards() == cards


def test_the_hub_by_its_own_variables(monkeypatch):
    for name in ("HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert (settings.hub_access().url, settings.hub_access().token) == (
        "https://huggingface.co",
        None,
    )
    monkeypatch.setenv("HF_TOKEN", "hf_planted_token")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9/")
    found = settings.hub_access()
    assert (found.url, found.key()) == ("http://127.0.0.1:9", "hf_planted_token")
    assert "planted" not in repr(found)


def test_supabase_by_its_own_variables(monkeypatch):
    monkeypatch.delenv("SUPABASE_SERVICE_ROLE_KEY", raising=False)
    monkeypatch.setenv("SUPABASE_URL", "https://x.supabase.co/")
    assert settings.supabase_access() is None
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "planted")
    found = settings.supabase_access()
    assert (found.url, found.service_key.get_secret_value()) == ("https://x.supabase.co", "planted")


@pytest.mark.parametrize("variable", ["HF_ENDPOINT", "SUPABASE_URL"])
def test_no_key_is_sent_over_plain_http(monkeypatch, variable):
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "planted")
    monkeypatch.setenv(variable, "http://storage.example")
    with pytest.raises(SpecError, match=variable):
        {"HF_ENDPOINT": settings.hub_access, "SUPABASE_URL": settings.supabase_access}[variable]()


@pytest.mark.parametrize(
    ("given", "secrets"),
    [("", []), ("whsec_a", ["whsec_a"]), (" whsec_a\n whsec_b ", ["whsec_a", "whsec_b"])],
)
def test_the_secrets_that_callbacks_are_signed_with(monkeypatch, given, secrets):
    monkeypatch.setenv("PODTUNE_WEBHOOK_SECRET", given)
    found = settings.webhook_secrets()
    assert [one.get_secret_value() for one in found] == secrets
    assert "whsec" not in str(found)
    assert "PODTUNE_WEBHOOK_SECRET" not in settings.worker_environment()


def test_what_may_be_reached_is_one_policy():
    policy = settings.Settings(egress_http=True, egress_private_hosts="minio:9000").egress_policy
    assert (policy.http, policy.private[0].name, policy.allow) == (True, "minio", ())
    with pytest.raises(SpecError):
        _ = settings.Settings(egress_allow_hosts="a b").egress_policy


def test_the_login_of_a_registry_is_whole_or_none(monkeypatch):
    names = ("PODTUNE_REGISTRY_USER", "PODTUNE_REGISTRY_PASSWORD")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert settings.registry_login() is None
    monkeypatch.setenv(names[1], "planted")
    with pytest.raises(SpecError, match="PODTUNE_REGISTRY_USER is not set"):
        settings.registry_login()
    monkeypatch.setenv(names[0], "me")
    found = settings.registry_login()
    assert found is not None
    assert found[0].get_secret_value() == "me"
    assert "planted" not in repr(found)


def test_supabases_address_alone(monkeypatch):
    monkeypatch.delenv("SUPABASE_URL", raising=False)
    assert settings.supabase_url() is None
    monkeypatch.setenv("SUPABASE_URL", "https://x.supabase.co/")
    assert settings.supabase_url() == "https://x.supabase.co"
    monkeypatch.setenv("SUPABASE_URL", "http://x.supabase.co")
    with pytest.raises(SpecError):
        settings.supabase_url()


def test_a_ceiling_of_paid_jobs_reaches_the_driver_as_it_was_set(tmp_path, monkeypatch):
    loaded = load(tmp_path, PODTUNE_MAX_USD_PER_JOB="7.5").settings
    assert str(loaded.max_usd_per_job) == "7.5"
    given = settings.driver_environment(loaded)
    assert load(tmp_path, **given).settings.max_usd_per_job == loaded.max_usd_per_job
    assert load(tmp_path).settings.max_usd_per_job == 0


@pytest.mark.parametrize("value", ["-1", "much", "nan", "inf", "2000000"])
def test_what_is_no_ceiling_is_refused(tmp_path, value):
    with pytest.raises(SpecError):
        load(tmp_path, PODTUNE_MAX_USD_PER_JOB=value)


def test_downloads_of_one_request_lie_where_it_says(tmp_path):
    loaded = load(tmp_path).settings
    own = loaded.with_downloads(tmp_path / "own")
    assert (own.downloads, own.keeps_downloads) == (tmp_path / "own", True)
    assert (loaded.downloads, loaded.keeps_downloads) == (loaded.home / "downloads", False)
    assert own.home == loaded.home


def test_only_a_tenants_request_is_looked_up_as_a_stranger_s(tmp_path):
    own = settings.Settings(home=tmp_path)
    assert not own.finds_as_stranger
    assert not own.for_tenant(None).finds_as_stranger
    assert own.for_tenant("ann").finds_as_stranger
    assert not own.finds_as_stranger
    opened = settings.Settings(home=tmp_path, tenants_use_hub_token=True)
    assert not opened.for_tenant("ann").finds_as_stranger

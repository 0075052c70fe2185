"""The Hub's own client against a stand-in Hub on loopback: what is asked, fetched and refused.

huggingface_hub reads its environment when it is imported, so each check runs in a process of its
own and prints what came of it as JSON.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from podtune.storage import hub
from support.hub_server import HubServer, commit_of

PROGRAM = """
import json, sys
from pathlib import Path
from podtune.core.errors import PodtuneError
from podtune.core.spec import BaseModelSpec
from podtune.storage import base_models, hub

steps = json.loads(sys.argv[1])
answers = []
for verb, *arguments in steps:
    try:
        if verb == "find":
            found = hub.find(*arguments[:2], as_stranger="stranger" in arguments)
            answers.append({
                "commit": found.commit,
                "folder": str(found.folder),
                "files": sorted(p.name for p in found.folder.rglob("*") if p.is_file()),
                "weights_here": found.weights_here,
                "download_bytes": found.download_bytes,
                "is_restricted": found.is_restricted,
            })
        elif verb == "locate":
            found = base_models.locate(
                BaseModelSpec.model_validate(arguments[0]), Path(arguments[1]),
                as_stranger="stranger" in arguments,
            )
            answers.append({"source": found.source, "revision": found.revision,
                            "download_bytes": found.download_bytes, "config": dict(found.config),
                            "is_restricted": found.is_restricted})
        else:
            seen = []
            slept = []
            folder = hub.fetch(*arguments, lambda done, whole: seen.append([done, whole]),
                               sleep=slept.append)
            answers.append({
                "slept": slept,
                "files": sorted(p.name for p in folder.rglob("*") if p.is_file()), "seen": seen,
            })
    except PodtuneError as error:
        answers.append({"error": type(error).__name__, "code": error.code, "hint": error.hint,
                        "bases": [c.__name__ for c in type(error).__mro__]})
    except Exception as error:
        answers.append({"error": type(error).__name__, "code": None, "text": str(error)[:300]})
print(json.dumps(answers))
"""
WEIGHTS = b"w" * 300_000
DEAD = "http://127.0.0.1:9"


def repository(folder: Path, **files: bytes | None) -> Path:
    """A model repository with code, pickles and training leftovers in it."""
    content = {
        "config.json": json.dumps({"model_type": "llama", "hidden_size": 64}).encode(),
        "tokenizer.json": b"{}",
        "chat_template.jinja": b"{{ messages }}",
        "model.safetensors": WEIGHTS,
        "README.md": b"# a model",
        "modeling_custom.py": b"raise SystemExit('code of a stranger ran')",
        "pytorch_model.bin": b"pickle",
        "original/params.json": b"{}",
        "original/consolidated.safetensors": b"other weights",
    }
    for name, data in (content | files).items():
        if data is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    return folder


def ask(endpoint: str, cache: Path, *steps: list[object], **variables: str) -> list[dict]:
    """Carry out steps in a fresh process whose Hub is at `endpoint`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "PODTUNE_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(steps)],
        env=kept
        | {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1"}
        | {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_XET": "1"}
        | variables,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def model(tmp_path):
    return repository(tmp_path / "repository")


@pytest.fixture
def server(model):
    with HubServer({"org/model": model}) as running:
        yield running


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_find_pins_the_commit_and_fetches_only_small_files(server, model, cache):
    (found,) = ask(server.url, cache, ["find", "org/model", None])
    assert found["commit"] == commit_of(model)
    assert found["files"] == ["chat_template.jinja", "config.json", "tokenizer.json"]
    assert not found["weights_here"]
    assert found["download_bytes"] == len(WEIGHTS)
    assert "model.safetensors" not in server.files_requested()


def test_fetch_brings_the_weights_and_reports_their_bytes(server, model, cache):
    commit = commit_of(model)
    _, fetched, again = ask(
        server.url,
        cache,
        ["find", "org/model", None],
        ["fetch", "org/model", commit],
        ["find", "org/model", None],
    )
    assert "model.safetensors" in fetched["files"]
    done = [bytes_done for bytes_done, _ in fetched["seen"]]
    assert done == sorted(done)
    assert fetched["seen"][-1] == [len(WEIGHTS), len(WEIGHTS)]
    assert again["weights_here"]


def test_no_code_and_no_pickle_is_ever_asked_for(server, model, cache):
    ask(
        server.url,
        cache,
        ["find", "org/model", None],
        ["fetch", "org/model", commit_of(model)],
    )
    asked = server.files_requested()
    assert asked
    assert [f for f in asked if f.endswith((".py", ".bin", ".md")) or "/" in f] == []


def test_a_branch_is_pinned_to_its_commit(server, model, cache):
    (found,) = ask(server.url, cache, ["find", "org/model", "main"])
    assert found["commit"] == commit_of(model)


def test_an_unknown_model_and_an_unknown_revision_are_not_found(server, cache):
    model, revision = ask(
        server.url, cache, ["find", "org/nothing", None], ["find", "org/model", "v9"]
    )
    for answer in (model, revision):
        assert (answer["error"], answer["code"]) == ("NotFoundError", "model_not_found")


def test_a_repository_of_pickles_is_refused_untouched(tmp_path, cache):
    pickles = repository(tmp_path / "pickles", **{"model.safetensors": None})
    with HubServer({"org/pickles": pickles}) as running:
        (answer,) = ask(running.url, cache, ["find", "org/pickles", None])
        assert (answer["error"], answer["code"]) == ("NotFoundError", "model_not_found")
        assert running.files_requested() == set()


@pytest.mark.parametrize("kind", ["gated", "gated_files"])
def test_a_gated_model_needs_credentials(model, cache, kind):
    with HubServer({"org/model": model}, **{kind: frozenset({"org/model"})}) as running:
        found, fetched = ask(
            running.url,
            cache,
            ["find", "org/model", None],
            ["fetch", "org/model", commit_of(model)],
        )
    for answer in (found, fetched):
        assert (answer["error"], answer["code"]) == ("CredentialsError", "gated_model")
        assert "HF_TOKEN" in answer["hint"]


def test_a_stranger_finds_what_everybody_finds_whatever_the_token_opens(model, cache, tmp_path):
    steps = [["find", "org/open", None, "stranger"], ["find", "org/secret", None, "stranger"],
             ["find", "org/secret", None], ["find", "org/secret", None, "stranger"],
             ["find", "org/nowhere", None, "stranger"]]  # fmt: skip
    serving = {"org/open": model, "org/secret": model}
    with HubServer(serving, token="hf_x", private=frozenset({"org/secret"})) as running:
        found = ask(running.url, cache, *steps, HF_TOKEN="hf_x")
    open_one, unseen, own, unseen_still, nowhere = found
    assert open_one["commit"] == own["commit"] == commit_of(model)
    # Not by the cache either, where the operator's look-up has put it; and in the words of one that is not there.
    for one in (unseen, unseen_still):
        assert one == nowhere == {**nowhere, "code": "model_not_found"}


def test_a_stranger_gets_nothing_of_the_cache_that_the_hub_does_not_confirm(model, cache, tmp_path):
    with HubServer({"org/secret": model}) as running:
        ask(running.url, cache, ["find", "org/secret", None])
    steps = [["locate", {"name": "org/secret"}, str(tmp_path)],
             ["locate", {"name": "org/secret"}, str(tmp_path), "stranger"]]  # fmt: skip
    own, stranger = ask(running.url, cache, *steps, HF_TOKEN="hf_x")
    assert own["revision"] == commit_of(model)
    assert (stranger["error"], stranger["code"]) == ("UnavailableError", "hub_unreachable")


@pytest.mark.parametrize("kind", ["gated", "gated_files"])
def test_a_gated_model_is_not_a_stranger_s(kind, model, cache, tmp_path):
    steps = [["locate", {"name": "org/model"}, str(tmp_path), "stranger"]]
    with HubServer({"org/model": model}, **{kind: frozenset({"org/model"})}) as running:
        (answer,) = ask(running.url, cache, *steps, HF_TOKEN="hf_x")
    assert (answer["error"], answer["code"]) == ("ForbiddenError", "operator_only")
    assert "PODTUNE_TENANTS_USE_HUB_TOKEN" in answer["hint"]


def test_a_private_model_is_known_to_need_a_token(model, cache, tmp_path):
    steps = [["find", "org/model", None], ["locate", {"name": "org/model"}, str(tmp_path)]]
    with HubServer({"org/model": model}, token="hf_x", private=frozenset({"org/model"})) as running:
        for answer in ask(running.url, cache, *steps, HF_TOKEN="hf_x"):
            assert answer["is_restricted"]
    with HubServer({"org/model": model}) as running:
        for answer in ask(running.url, tmp_path / "other", *steps):
            assert not answer["is_restricted"]


def test_a_rejected_token_is_a_matter_of_credentials(model, cache):
    with HubServer({"org/model": model}, token="hf_good") as running:
        good, bad = (
            ask(running.url, cache, ["find", "org/model", None], HF_TOKEN=token)[0]
            for token in ("hf_good", "hf_bad_bad_bad")
        )
    assert good.get("commit") == commit_of(model)
    assert "CredentialsError" in bad.get("bases", [])


@pytest.fixture
def plain(tmp_path):
    """A repository of which nothing that matches the patterns is left out."""
    without = {"original/params.json": None, "original/consolidated.safetensors": None}
    return repository(tmp_path / "plain", **without)


@pytest.mark.parametrize("revision", [None, "main", "commit"])
def test_without_the_hub_a_warm_cache_is_enough(plain, cache, revision):
    wanted = commit_of(plain) if revision == "commit" else revision
    with HubServer({"org/model": plain}) as running:
        (first,) = ask(running.url, cache, ["find", "org/model", wanted])
    (again,) = ask(DEAD, cache, ["find", "org/model", wanted])
    assert again.get("commit") == first["commit"]
    assert again["files"] == first["files"]


def test_files_left_out_on_purpose_are_not_missed_in_a_warm_cache(model, cache):
    commit = commit_of(model)
    with HubServer({"org/model": model}) as running:
        ask(running.url, cache, ["find", "org/model", commit])
    (again,) = ask(DEAD, cache, ["find", "org/model", commit])
    assert again.get("commit") == commit


def test_told_to_be_offline_a_warm_cache_is_enough(plain, cache):
    with HubServer({"org/model": plain}) as running:
        ask(running.url, cache, ["find", "org/model", None])
        asked = len(running.requests)
        (again,) = ask(
            running.url, cache, ["find", "org/model", commit_of(plain)], HF_HUB_OFFLINE="1"
        )
        assert len(running.requests) == asked
    assert again.get("commit") == commit_of(plain)


def test_without_the_hub_and_without_a_cache_it_is_unreachable(cache):
    (found,) = ask(DEAD, cache, ["find", "org/model", None])
    assert found["error"] == "HubUnreachableError"


def test_told_to_be_offline_nothing_is_downloaded(server, cache):
    found, fetched = ask(
        server.url,
        cache,
        ["find", "org/model", None],
        ["fetch", "org/model", "0" * 40],
        HF_HUB_OFFLINE="1",
    )
    assert (found["error"], fetched["error"]) == ("HubUnreachableError", "HubUnreachableError")
    assert server.requests == []


@pytest.mark.parametrize("name", ["two words", "a/b/c", "org/mod--el", "-x/y"])
def test_a_name_the_hub_cannot_have_is_no_such_model(server, cache, name):
    (answer,) = ask(server.url, cache, ["find", name, None])
    assert answer["code"] == "model_not_found"


def test_a_download_that_breaks_off_is_said_so_and_goes_on_later(model, cache):
    with HubServer({"org/model": model}, cut_after=100_000) as running:
        (answer,) = ask(running.url, cache, ["fetch", "org/model", commit_of(model)])
        assert answer["error"] == "HubUnreachableError"
        running.cut_after = None
        running.asked_ranges.clear()
        (fetched,) = ask(running.url, cache, ["fetch", "org/model", commit_of(model)])
        assert "model.safetensors" in fetched["files"]
        assert running.asked_ranges == ["bytes=100000-"], "from the byte the last attempt reached"


def test_locate_takes_the_hub_and_says_what_a_download_costs(server, model, cache, tmp_path):
    (located,) = ask(server.url, cache, ["locate", {"name": "org/model"}, str(tmp_path)])
    assert located == {
        "source": "hub",
        "revision": commit_of(model),
        "download_bytes": len(WEIGHTS),
        "config": {"model_type": "llama", "hidden_size": 64},
        "is_restricted": False,
    }


def test_locate_without_the_hub_says_where_it_looked(cache, tmp_path):
    (answer,) = ask(DEAD, cache, ["locate", {"name": "org/model"}, str(tmp_path)])
    assert (answer["error"], answer["code"]) == ("NotFoundError", "model_not_found")


def test_locate_falls_back_to_the_packaged_copy_unless_the_hub_was_stated(cache, tmp_path):
    name = "HuggingFaceTB/SmolLM2-135M-Instruct"
    free, stated = ask(
        DEAD,
        cache,
        ["locate", {"name": name}, str(tmp_path)],
        ["locate", {"name": name, "source": "hub"}, str(tmp_path)],
    )
    assert free.get("source") == "package"
    assert stated.get("code") == "model_not_found"


def test_the_variables_of_the_hub_are_named():
    assert set(hub.environment_names()) == {"HF_TOKEN", "HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE"}

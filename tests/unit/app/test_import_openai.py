"""An account brought over, our own gateway in its stead: it speaks the same API."""

import pytest
from pydantic import SecretStr

from podtune.app import import_openai as importer
from podtune.app.planner import make_plan, source_request
from podtune.app.settings import Settings
from podtune.core.errors import CredentialsError, NotFoundError
from podtune.storage.hosted_account import RemoteJob
from support import gateways, homes, tiny_model
from support.hosted import sdk


@pytest.fixture
def hosted(tmp_path):
    """An account with three jobs, one of whose files was deleted, and a model folder."""
    base = homes.model(tmp_path / "model")
    rows = tiny_model.write_rows(tmp_path / "tickets.jsonl")
    pairs = tiny_model.write_pairs(tmp_path / "pairs.jsonl")
    named = gateways.settings(tmp_path / "their", hosted_models=f"gpt-4o-mini={base}")
    with gateways.Gateway(named) as gateway, sdk(gateway.url) as client:
        files = {}
        for path in (rows, pairs, rows):
            with path.open("rb") as stream:
                files.setdefault(path.name, []).append(
                    client.files.create(file=stream, purpose="fine-tune").id
                )
        first, gone = files["tickets.jsonl"]
        client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file=gone)
        client.files.delete(gone)
        sft = client.fine_tuning.jobs.create(
            model="gpt-4o-mini", training_file=first, seed=5, suffix="bot",
            hyperparameters={"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.5},
        )  # fmt: skip
        dpo = client.fine_tuning.jobs.create(
            model="gpt-4o-mini", training_file=files["pairs.jsonl"][0],
            method={"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "n_epochs": 1}}},
        )  # fmt: skip
        account = importer.account(SecretStr("any"), f"{gateway.url}/v1")
        yield account, sft.id, dpo.id, base, rows


def settings(tmp_path):
    return Settings(home=tmp_path / "home")


def test_specs_that_can_be_planned(hosted, tmp_path):
    account, sft, dpo, base, rows = hosted
    found = importer.look(account, settings(tmp_path), str(base))
    brought = importer.bring(account, found, tmp_path / "came")
    assert set(brought.specs) == {sft, dpo}
    assert "could not be had" in next(
        why for name, why in brought.lacking.items() if "file" not in name[:5]
    )
    plan = make_plan(source_request(str(brought.specs[sft]), {}), settings(tmp_path))
    assert (plan.spec.training.epochs, plan.spec.training.seed) == (2, 5)
    assert plan.spec.training.effective_batch.examples == 4
    assert plan.spec.training.learning_rate == pytest.approx(5e-4)
    assert plan.report.rows == 24
    other = make_plan(source_request(str(brought.specs[dpo]), {}), settings(tmp_path))
    assert (other.spec.method, other.spec.training.beta) == ("dpo", 0.2)
    (copy,) = [path for path in brought.files.values() if "tickets" in path.name]
    assert copy.read_bytes() == rows.read_bytes()
    assert importer.bring(account, found, tmp_path / "came").files == brought.files


def test_no_model_is_guessed(hosted, tmp_path):
    account, sft, _, _, _ = hosted
    found = importer.look(account, settings(tmp_path))
    assert all(not one.is_possible for one in found.jobs)
    brought = importer.bring(account, importer.chosen(found, sft), tmp_path / "came")
    assert brought.specs == {}
    assert "--base-model Qwen/Qwen3-8B" in brought.lacking[sft]
    with pytest.raises(NotFoundError):
        importer.chosen(found, "ftjob-none")


def test_a_method_that_is_not_built_is_said(tmp_path):
    job = RemoteJob.model_validate(
        {"id": "a", "model": "o4-mini", "training_file": "f", "method": {"type": "reinforcement"}}
    )
    one = importer.translate(job, {}, settings(tmp_path), "acme/tiny")
    assert not one.is_possible
    assert "reinforcement fine-tuning is not built" in one.notes


def test_what_an_account_says_breaks_no_file(tmp_path):
    job = RemoteJob.model_validate(
        {"id": "a", "model": "gpt\nevil: 1", "training_file": "f", "fine_tuned_model": "x\ny"}
    )
    one = importer.translate(job, {}, settings(tmp_path), "acme/tiny")
    text = importer.text_of(one, tmp_path)
    assert "\nevil" not in text
    assert "\ny" not in text


def test_a_key_is_needed():
    with pytest.raises(CredentialsError) as caught:
        importer.account(None, "https://api.example.org/v1")
    assert caught.value.code == "missing_key"

"""A job of this machine whose adapter goes to the Hub and to Supabase, by the real command."""

import hashlib
import io
import tarfile

import pytest

from support.home import Home
from support.hub_writes import WRITER, WritableHub
from support.supabase_server import SERVICE_KEY, SupabaseServer

SECRETS = (WRITER.encode(), SERVICE_KEY.encode())


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home", tmp_path)
    yield made
    made.end_everything()


def train(home, root, tiny, to):
    said = ["--model", tiny, "--set", "training.max_steps=2", "--set", "evaluate.samples=0"]
    data = root / "examples" / "support.jsonl"
    return home.run("train", data, *said, "--set", f"deliver.to={to}", "--yes", "--output", "json")


def refuse_secrets(home, *texts):
    for path in home.path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret in content for secret in SECRETS), path
    assert not any(secret.decode() in text for secret in SECRETS for text in texts)


def test_a_private_repository_on_the_hub(home, root, tiny, tmp_path):
    with WritableHub(tmp_path / "hub") as hub:
        del home.environment["HF_HUB_OFFLINE"]
        home.environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": WRITER}
        refused = train(home, root, tiny, "hf://mallory/bot")
        assert refused.returncode == 3
        assert "hf://anna/bot" in refused.stdout
        assert not (home.path / "jobs").exists()
        done = train(home, root, tiny, "hf://team/bot")
        assert done.returncode == 0, done.stderr
        assert f'"link": "{hub.url}/team/bot"' in done.stdout
        assert "team/bot" in hub.private
        there = {p.name for p in hub.repositories["team/bot"].iterdir()}
    assert {"adapter_model.safetensors", "README.md", "receipt.json", "tokenizer.json"} <= there
    refuse_secrets(home, done.stdout, done.stderr, refused.stdout, refused.stderr)


def test_a_private_bucket_of_supabase(home, root, tiny):
    with SupabaseServer(buckets={}) as server:
        home.environment |= {
            "SUPABASE_URL": server.url,
            "SUPABASE_SERVICE_ROLE_KEY": SERVICE_KEY,
        }
        done = train(home, root, tiny, "supabase://")
        assert done.returncode == 0, done.stderr
        [((bucket, path), (content, kind))] = server.objects.items()
        assert server.buckets == {"lora-models": False}
    assert (bucket, kind) == ("lora-models", "application/gzip")
    assert f'"adapter_path": "lora-models/{path}"' in done.stdout
    assert hashlib.sha256(content).hexdigest() in done.stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as packed:
        assert "receipt.json" in packed.getnames()
    refuse_secrets(home, done.stdout, done.stderr)

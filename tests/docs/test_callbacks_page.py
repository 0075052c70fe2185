"""docs/how-to/callbacks.md: its blocks run, and its words are the program's."""

import re

import pytest
import yaml

from podtune.app import callbacks
from podtune.app.settings import Settings
from podtune.core.clock import utc_now
from podtune.core.request import TrainingRequest
from podtune.core.spec import CALLBACK, flatten
from podtune.core.states import JobPhase, Outcome
from podtune.egress.addresses import PORTS
from podtune.intake.resolve import resolve
from podtune.workflow import courier
from support import build


@pytest.fixture
def page(root):
    return (root / "docs/how-to/callbacks.md").read_text(encoding="utf-8")


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_spec_is_one(page):
    (text,) = blocks(page, "yaml")
    sections = yaml.safe_load(text)
    stated = {"base_model.name": sections.pop("base_model")}
    stated |= {f"{s}.{k}": v for s, inner in sections.items() for k, v in inner.items()}
    spec = resolve(TrainingRequest(stated=stated)).spec
    assert flatten(spec)[CALLBACK] == "https://app.example.org/hooks/podtune"


def test_a_receiver_checks_a_message_as_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.delenv("PODTUNE_WEBHOOK_SECRET", raising=False)
    plan = build.plan({CALLBACK: "https://app.example.org/hooks/podtune"})
    ended = build.job(plan=plan, phase=JobPhase.TERMINATING, outcome=Outcome.COMPLETED)
    message = callbacks.announcer(Settings(home=tmp_path), lambda job: ())(ended)
    (secret,) = callbacks.secrets(tmp_path)
    names = {
        "SECRET": secret.get_secret_value(),
        "BODY": message.body,
        "HEADERS": dict(callbacks.signed(message, [secret], utc_now())),
    }
    (code,) = blocks(page, "python")
    exec(compile(code, "callbacks.md", "exec"), names)


def test_the_figures_are_the_program_s(page):
    assert f"{courier.TRIES} tries in a day" in page
    assert f"{courier.LONGEST_S / 3600:g} hours" in page
    assert f"{courier.FIRST_S:g} seconds" in page
    assert f"nothing for {callbacks.LIMITS.total_s:g} seconds" in page
    assert "ports {}, {} and {}".format(*PORTS) in page
    low, high = callbacks.SECRET_BYTES[0], callbacks.SECRET_BYTES[-1]
    assert f"base64 of {low} to {high} bytes" in page

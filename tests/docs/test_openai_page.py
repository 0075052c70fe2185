"""docs/how-to/openai-api.md: its blocks run, and its words are the program's.

The blocks on answers and events run in tests/end_to_end/test_openai_sdk.py, on something trained.
"""

import contextlib
import re

import pytest

from podtune.app import warm_chats
from podtune.gateway.openai import form
from support import gateways, homes, tiny_model


@pytest.fixture
def page(root):
    return (root / "docs/how-to/openai-api.md").read_text(encoding="utf-8")


def test_the_first_block_runs(page, tmp_path, capsys):
    first = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    with gateways.Gateway(gateways.settings(tmp_path)) as gateway, contextlib.ExitStack() as stack:
        names = {
            "GATEWAY": gateway.url,
            "KEY": "none",
            "DATA": str(tiny_model.write_rows(tmp_path / "rows.jsonl")),
            "MODEL": str(homes.model(tmp_path / "model")),
        }
        exec(compile(first, "openai-api.md", "exec"), names)
        stack.callback(names["client"].close)
        job = names["job"]
        assert job.metadata == {"team": "support"}
        assert job.model_extra["podtune"]["plan"]["lora_rank"] == 8
    assert "Created fine-tuning job" in capsys.readouterr().out


def test_every_word_of_ours_is_named(page):
    said = page.partition("has no word for: ")[2].partition(". An unknown")[0]
    named = set(re.findall(r"`([a-z_]+)`", said)) - {"local", "runpod"}
    assert named == set(form.Extra.model_fields)


def test_the_figures_are_the_program_s(page):
    assert warm_chats.KEPT_S == 300
    assert "loaded for five minutes" in page

"""The protocol's own inspector drives a whole training, over both transports."""

import sys
from contextlib import contextmanager

import pytest

from support import homes, tiny_model
from support.gateways import Program
from support.inspectors import Inspector, missing
from support.waiting import until

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")

TOOLS = ["check_data", "plan", "submit", "status", "logs", "cancel", "artifact", "jobs"]
TOOL_FAILED = 5
"""Exit code of the inspector where a tool answers an error."""


@contextmanager
def over(transport, home):
    """An inspector of the home's server."""
    if transport == "stdio":
        kept = {
            k: v for k, v in home.environment.items() if k.startswith(("PODTUNE_", "HF_", "PATH"))
        }
        words = [sys.executable, "-m", "podtune", "mcp"]
        yield Inspector(*words, environment=kept, cwd=home.cwd)
        return
    with Program(home) as gateway:
        yield Inspector(f"{gateway.url}/mcp", environment={}, cwd=home.cwd)


def ended(inspector, job):
    """Its status, once it has ended; each look waits until something has changed."""
    status = inspector.call("status", job_id=job, wait_s=30)
    return status if status["is_finished"] else None


@pytest.mark.timeout(400)
@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_a_whole_training(home, tmp_path, transport):
    homes.data(tmp_path)
    tiny_model.make(tmp_path / "model")
    with over(transport, home) as inspector:
        listed = inspector.ask("tools/list", "--strict")["tools"]
        assert [tool["name"] for tool in listed] == TOOLS
        refused = inspector.call("check_data", TOOL_FAILED, source="/etc/passwd")
        assert refused["error"]["code"] == "outside_workspace"
        fields = {"data.source": "tickets.jsonl", "base_model": "model", "training.max_steps": 2}
        planned = inspector.call("plan", fields=fields)
        job = inspector.call("submit", token=planned["token"])["job_id"]
        status = until(lambda: ended(inspector, job), "the end of the training", 300)
        assert status["status"]["status"] == "completed", status
        made = inspector.call("artifact", job_id=job)
        assert made["is_proved"]
        assert inspector.call("cancel", TOOL_FAILED, job_id=job)["error"]["code"] == "already_ended"
        (receipt,) = inspector.ask("resources/read", "--uri", f"podtune://jobs/{job}/receipt")[
            "contents"
        ]
        assert job in receipt["text"]
        prompt = inspector.ask(
            "prompts/get", "--prompt-name", "fine_tune", "--prompt-args", "request=on tickets"
        )
        assert "on tickets" in prompt["messages"][0]["content"]["text"]

"""Words for a job that its own program did not end."""

import serverless_advice
import serverless_endings
from status_manager import StatusManager, wire


def test_every_ending_has_a_code_and_words():
    lost = serverless_endings.without_a_word(-9)
    assert (lost.error_code, "signal 9" in lost.error_message) == ("worker_lost", True)
    assert "exit code 3" in serverless_endings.without_a_word(3).error_message
    assert serverless_endings.still_running().advice
    assert serverless_endings.interrupted().error_code == "interrupted"
    told = serverless_advice.failure(serverless_endings.superseded(), None)
    assert (told.error_code, bool(told.advice)) == ("superseded", True)


def test_a_failed_object_has_the_sdks_key():
    manager = StatusManager("j")
    manager.fail(serverless_endings.still_running())
    body = serverless_endings.failed(wire(manager.snapshot()))
    assert body["status"] == "failed"
    assert body["error"].startswith("still_running: another worker")

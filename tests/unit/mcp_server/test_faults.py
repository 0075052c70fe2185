import logging

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from podtune.core.errors import ConflictError, NotFoundError, StateError
from podtune.mcp_server import faults

SECRET = "hf_plantedplantedplanted"


def raising(error):
    def tool():
        raise error

    return tool


def answer(error):
    return anyio.run(faults.told(raising(error)))


def test_an_error_is_text_for_the_model_and_fields_for_programs():
    told = answer(ConflictError("it runs", code="still_running", hint="wait", context={"step": 3}))
    assert told.is_error
    assert told.content[0].text == "still_running: it runs\nnext: wait"
    assert told.structured_content == {
        "error": {
            "code": "still_running", "message": "it runs", "hint": "wait", "retryable": False,
            "is_missing": False, "context": {"step": 3},
        }
    }  # fmt: skip


def test_what_is_not_there_says_so():
    assert answer(NotFoundError("no job")).structured_content["error"]["is_missing"]


def test_no_secret_leaves_by_an_error():
    told = answer(StateError(f"with {SECRET}", hint=SECRET, context={"key": SECRET, "rows": ["x"]}))
    assert SECRET not in told.model_dump_json()
    assert told.structured_content["error"]["context"] == {"key": "***"}


def test_a_message_without_end_is_cut():
    told = answer(ConflictError("x" * 100_000))
    assert len(told.structured_content["error"]["message"]) < faults.MOST_CHARACTERS + 10


def test_what_nobody_expected_tells_nothing_of_its_inside(caplog):
    caplog.set_level(logging.CRITICAL, logger="podtune.mcp")
    told = answer(ValueError("row text"))
    assert told.structured_content["error"]["code"] == "internal_error"
    assert "row text" not in told.model_dump_json()


def test_what_is_the_protocol_s_own_passes():
    with pytest.raises(MCPError):
        answer(MCPError(code=-32000, message="x"))


def test_a_good_answer_is_left_alone_whether_it_blocks_or_waits():
    async def waits(one):
        return one + 1

    assert anyio.run(faults.told(lambda: 7)) == 7
    assert anyio.run(faults.told(waits), 7) == 8


def test_a_resource_s_errors_are_the_protocol_s():
    with pytest.raises(MCPError) as caught:
        anyio.run(faults.read(raising(NotFoundError("no job 'x'", hint="list"))))
    assert caught.value.error.code == -32602
    assert caught.value.error.data["code"] == "not_found"
    with pytest.raises(MCPError) as caught:
        anyio.run(faults.read(raising(StateError("disk full"))))
    assert caught.value.error.code == -32603

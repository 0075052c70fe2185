import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data import reader
from podtune.data.formats import chatgpt_export
from support.readings import said


def message(role, *parts, kind="text", **more):
    return {
        "id": "m", "author": {"role": role}, "create_time": 1.0, "weight": 1.0, "metadata": {},
        "content": {"content_type": kind, "parts": list(parts)}, **more,
    }  # fmt: skip


def conversation(*messages, **more):
    """A conversation of one branch below an empty root."""
    nodes = {"0": {"id": "0", "message": None, "parent": None, "children": ["1"]}}
    for at, one in enumerate(messages, start=1):
        nodes[str(at)] = {"id": str(at), "message": one, "parent": str(at - 1), "children": [str(at + 1)]}  # fmt: skip
    nodes[str(len(messages))]["children"] = []
    return {"title": "t", "create_time": 1.0, "mapping": nodes, "current_node": str(len(messages)), **more}  # fmt: skip


def read(value):
    notes = []
    return said(chatgpt_export.turns(value, notes.append)), {p.code: p.detail for p in notes}


TALK = conversation(message("system", ""), message("user", "Why?"), message("assistant", "So."))
SAID = [("user", "Why?"), ("assistant", "So.")]


def test_a_conversation_is_read():
    assert chatgpt_export.fits(TALK)
    assert read(TALK) == (SAID, {})


def test_only_the_branch_shown_last_is_read():
    value = conversation(message("user", "Why?"), message("assistant", "So."))
    value["mapping"]["9"] = {"id": "9", "message": message("assistant", "No."), "parent": "1", "children": []}  # fmt: skip
    value["mapping"]["1"]["children"].append("9")
    assert read(value)[0] == SAID
    assert read({**value, "current_node": "9"})[0][-1] == ("assistant", "No.")


@pytest.mark.parametrize("current", [None, "gone"])
def test_without_a_current_node_the_latest_branch_counts(current):
    value = conversation(message("user", "Why?"), message("assistant", "So.", create_time=5.0))
    value["mapping"]["9"] = {"message": message("assistant", "No."), "parent": "1", "children": []}
    assert read({**value, "current_node": current})[0] == SAID


@pytest.mark.parametrize(
    "left_out",
    [
        message("tool", "result"),
        message("system", "You are a lamp."),
        message("assistant", "search('x')", recipient="browser"),
        message("assistant", kind="code"),
        message("assistant", kind="thoughts"),
        message("user", "about me", kind="user_editable_context"),
        message("user", "hidden", metadata={"is_visually_hidden_from_conversation": True}),
        message("assistant", "of no weight", weight=0.0),
        message("assistant", ""),
        None,
    ],
)
def test_what_nobody_was_to_read_goes(left_out):
    value = conversation(message("user", "Why?"), left_out, message("assistant", "So."))
    assert read(value) == (SAID, {})


def test_answers_in_several_messages_are_one():
    value = conversation(
        message("user", "Why?"), message("assistant", "Let me see."), message("tool", "x"),
        message("assistant", "So."),
    )  # fmt: skip
    assert read(value)[0] == [("user", "Why?"), ("assistant", "Let me see.\n\nSo.")]


IMAGE = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}


def test_texts_beside_pictures_are_kept_and_the_pictures_counted():
    asked = message("user", IMAGE, "What is it?", IMAGE, kind="multimodal_text")
    assert read(conversation(asked, message("assistant", "A lamp."))) == (
        [("user", "What is it?"), ("assistant", "A lamp.")],
        {"attachments_dropped": "2 attachments"},
    )


def test_a_question_of_nothing_but_a_picture_goes_with_its_answer():
    value = conversation(
        message("user", IMAGE, kind="multimodal_text"), message("assistant", "A lamp."),
        message("user", "Why?"), message("assistant", "So."),
    )  # fmt: skip
    assert read(value) == (SAID, {"attachments_dropped": "1 attachment"})


def test_what_was_spoken_is_text():
    spoken = {"content_type": "audio_transcription", "text": "Why?", "direction": "in"}
    value = conversation(message("user", spoken, kind="multimodal_text"), message("assistant", "So."))  # fmt: skip
    assert read(value) == (SAID, {})


@pytest.mark.parametrize("mark", ["\ue200cite\ue202turn0search1\ue201", "【4†source】", "\ue206"])
def test_marks_of_citations_go(mark):
    assert read(conversation(message("user", "Why?"), message("assistant", f"So{mark}.")))[0] == SAID  # fmt: skip


def test_a_circle_of_parents_ends():
    value = conversation(message("user", "Why?"), message("assistant", "So."))
    value["mapping"]["1"]["parent"] = "2"
    assert read(value)[0] == SAID


@pytest.mark.parametrize(
    "value",
    [{}, {"mapping": {}}, {"mapping": []}, {"mapping": {"a": "b"}}, {"mapping": {"a": {"message": 1}}}],
)  # fmt: skip
def test_other_records_do_not_fit(value):
    assert not chatgpt_export.fits(value)


@pytest.mark.parametrize("name", ["conversations.json", "one.json", "lines.jsonl"])
def test_a_whole_export_is_read(tmp_path, name):
    path = tmp_path / name
    if name == "lines.jsonl":
        path.write_text("\n".join(json.dumps(TALK) for _ in range(2)), encoding="utf-8")
    else:
        path.write_text(json.dumps(TALK if name == "one.json" else [TALK, TALK]), encoding="utf-8")
    found = reader.read(path)
    assert found.report.format == "chatgpt_export"
    assert [(m.role, m.content) for m in found.conversations[0].messages] == SAID
    assert found.report.rows == (1 if name == "one.json" else 2)


KEYS = st.sampled_from(
    ["mapping", "message", "parent", "children", "author", "role", "content", "parts", "current_node",
     "content_type", "metadata", "weight", "a", "b"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.sampled_from(["a", "b", "user", "assistant", "text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_odd_values_raise_nothing(value):
    chatgpt_export.fits(value)
    read(value)

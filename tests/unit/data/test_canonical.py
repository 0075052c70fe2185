import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.dataset import TEXT_ROLE, Conversation, Message
from podtune.core.errors import DatasetError
from podtune.data import canonical
from support import build

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=st.none() | texts,
    tool_calls=st.sampled_from([(), (CALL,), (CALL, CALL)]),
    tool_call_id=st.none() | texts,
    name=st.none() | texts,
    reasoning_content=st.none() | texts,
    weight=st.sampled_from([None, 0.0, 1.0]),
)
conversations = st.builds(
    Conversation,
    messages=st.lists(messages, min_size=1, max_size=4).map(tuple),
    line=st.integers(1, 10**9),
    tools=st.sampled_from([(), ({"type": "function", "function": {"name": "look"}},)]),
    rejected=st.lists(messages, max_size=2).map(tuple),
    row=st.integers(1, 10**9),
    split=st.sampled_from([None, "train", "validation"]),
    label=st.sampled_from([None, True, False]),
    shared=st.integers(0, 3),
    continues=st.booleans(),
)


def test_a_line_is_what_other_tools_read():
    row = build.conversation("Why é?", "Because\nof it.", system="Be short.")
    assert json.loads(canonical.line_of(row)) == {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "Why é?"},
            {"role": "assistant", "content": "Because\nof it."},
        ]
    }
    assert canonical.line_of(row).count(b"\n") == 1
    assert "é".encode() in canonical.line_of(row)


def test_a_preference_pair_stays_one():
    row = build.conversation("q", "good")._replace(rejected=(Message("assistant", "bad"),))
    assert list(json.loads(canonical.line_of(row))) == ["prompt", "chosen", "rejected"]


def test_a_rated_row_and_a_text_stay_what_they_are():
    rated = build.conversation("q", "a")._replace(label=False)
    assert list(json.loads(canonical.line_of(rated))) == ["messages", "label"]
    text = Conversation((Message(TEXT_ROLE, " So it\nbegan."),), 1)
    assert json.loads(canonical.line_of(text)) == {"text": " So it\nbegan."}
    first = json.loads(canonical.line_of(text._replace(continues=True)))
    assert first == {"text": " So it\nbegan.", "continues": True}


def test_what_a_row_lacks_is_not_written_so_that_older_sums_hold():
    line = canonical.job_line(build.conversation("q", "a", 3))
    assert line == (
        b'{"line":3,"row":3,"messages":[{"role":"user","content":"q"},'
        b'{"role":"assistant","content":"a"}]}\n'
    )


@settings(deadline=None)
@given(st.lists(conversations, max_size=5))
def test_what_a_job_keeps_is_read_back_whole(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("job") / "rows.jsonl"
    summed = canonical.write(rows, path)
    assert list(canonical.read(path)) == rows
    assert summed == canonical.digest(rows) == hashlib.sha256(path.read_bytes()).hexdigest()


@settings(deadline=None)
@given(conversations, conversations)
def test_the_digest_tells_rows_and_their_order_apart(one, other):
    assert (canonical.digest([one, other]) == canonical.digest([other, one])) == (one == other)


def test_keys_come_in_a_fixed_order():
    message = Message("assistant", "x", (CALL,), "c1", "ann", "hm", 0.0)
    line = canonical.job_line(Conversation((message,), 3, row=2, split="train"))
    value = json.loads(line)
    assert list(value) == ["line", "row", "split", "messages"]
    assert list(value["messages"][0]) == [
        "role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name", "weight",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"line": 1, "row": 1, "messages": 7}', '{"line": 1, "row": 1, "messages": [{"role": "user"}]}',
     '{"line": "x", "row": 1, "messages": []}'],
)  # fmt: skip
def test_a_file_that_is_no_job_s_is_refused_with_its_line(tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(canonical.job_line(build.conversation("q", "a")) + text.encode() + b"\n")
    with pytest.raises(DatasetError, match="line 2") as caught:
        list(canonical.read(path))
    assert caught.value.code == "data_changed"

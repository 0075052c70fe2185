import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.data.containers import json_elements, json_text

PAIRS = [{"prompt": f"q{n}", "completion": f"a{n}"} for n in range(30)]
CHATS = [{"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}],
          "n": {"x": [1, 2]}} for n in range(30)]  # fmt: skip

LINED = {
    "indented": lambda rows: json.dumps(rows, indent=2),
    "a line each": lambda rows: "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]",
    "under a key": lambda rows: json.dumps({"v": 1, "data": rows, "more": {"a": 1}}, indent=1),
    "sides": lambda rows: json.dumps({"train": rows[:15], "validation": rows[15:]}, indent=2),
}
ONE_LINE = json.dumps


def document(text, size=None):
    raw = text.encode()
    size = size or len(raw)
    chunks = [raw[at : at + size] for at in range(0, len(raw), size)]
    return list(json_text.from_document(chunks, text, lambda problem, line: None))


def cut(text, at, count=1, put=""):
    return text[:at] + put + text[at + count :]


def close(text, at):
    return text.index("}", at)


DAMAGE = {
    "no closing brace": lambda t, at: cut(t, close(t, at)),
    "two closing braces": lambda t, at: cut(t, close(t, at), 0, "}"),
    "a closing bracket too many": lambda t, at: cut(t, close(t, at) + 1, 0, "]"),
    "no closing quote": lambda t, at: cut(t, t.index('"', at + 1)),
    "no opening quote": lambda t, at: cut(t, at),
    "no colon": lambda t, at: cut(t, at - 2, 2),
    "an opening bracket": lambda t, at: cut(t, at, 0, "["),
    "an opening brace": lambda t, at: cut(t, at, 0, "{"),
}


@pytest.mark.parametrize("rows", [PAIRS, CHATS], ids=["pairs", "chats"])
@pytest.mark.parametrize("written", LINED.values(), ids=LINED)
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("number", [0, 10, 29])
def test_one_damaged_row_costs_one_row_where_rows_have_their_lines(rows, written, damage, number):
    text = written(rows)
    broken = damage(text, text.index(f'"a{number}"'))
    found = document(broken)
    good = [r for r in found if r.problem is None]
    assert len(found) - len(good) <= 1
    assert [r.value for r in good] in (rows, rows[:number] + rows[number + 1 :])
    if written is LINED["sides"]:
        assert {r.split for r in good if r.value in rows[:15]} == {"train"}
        assert {r.split for r in good if r.value in rows[15:]} == {"validation"}
    for size in (7, 100, 997):
        assert document(broken, size) == found


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_on_one_line_the_rest_is_lost_and_counted(damage):
    text = ONE_LINE(PAIRS)
    broken = damage(text, text.index('"a10"'))
    found = document(broken)
    assert [r.value for r in found[:10]] == PAIRS[:10]
    bad = [r for r in found if r.problem]
    assert len(bad) == 1
    if len(found) < len(PAIRS):
        unread = int(bad[0].problem.detail.split(": ")[1].split()[0].replace(",", ""))
        assert unread >= len(broken) - broken.index('{"prompt": "q10"') - 1


def test_an_inner_object_at_the_beginning_of_a_line_is_no_row():
    text = '[\n{"a": [{"b": 1}]},\n{"a": [\n{"b": 2},\n{"b": 3}\n]},\n{"a": {\n"c":\n{"d": 1}}}\n]'
    assert [r.value for r in document(text)] == json.loads(text)


def test_a_document_without_indentation_is_read_as_it_is():
    assert [r.value for r in document(json.dumps(CHATS, indent=0))] == CHATS


def test_rows_behind_an_array_do_not_vanish():
    assert [r.value for r in document('[{"a": 1}],\n{"a": 2}]')][:2] == [{"a": 1}, {"a": 2}]


def test_text_between_rows_under_a_key_is_one_bad_row():
    found = document('{"data": [{"a": 1}, nonsense, {"a": 2}], "more": ["x"]}')
    assert [r.value for r in found if not r.problem] == [{"a": 1}, {"a": 2}]
    assert len(found) == 3


def test_a_long_text_between_rows_is_one_bad_row_in_little_memory(monkeypatch):
    monkeypatch.setattr(json_elements, "BLOCK", 100)
    found = document('[{"a": 1}, ' + "1, " * 500 + '{"a": 2}]', 64)
    assert [(r.line, r.value) for r in found] == [(1, {"a": 1}), (1, None), (1, {"a": 2})]


@pytest.mark.parametrize(
    "text",
    ["[\n" + '{"a":[1,\n' * 100_000, "[\n" + '{"a":"x\n' * 100_000, "[\n" + "[\n" * 400_000,
     "[" + "}" * 1_000_000, "[\n" + '{"a":[}\n' * 100_000],
    ids=["nested", "quotes", "arrays", "closing", "mixed"],
)  # fmt: skip
def test_rows_that_never_close_are_read_in_linear_time(monkeypatch, text):
    monkeypatch.setattr(json_elements, "AGAIN", 1 << 20)
    started = time.process_time()
    found = list(json_elements.elements([text.encode()], 1))
    assert time.process_time() - started < 8
    assert not (found[-1].whole and not found[-1].stray)


def test_what_is_no_list_of_records_is_given_up(monkeypatch):
    monkeypatch.setattr(json_elements, "PATIENCE", 10)
    found = list(json_elements.elements([b"{\n" * 1000], 0))
    assert len(found) == 11
    assert found[-1].unread == 1980


values = st.recursive(
    st.integers(0, 9) | st.text(alphabet='{}[]",:\\ab\n', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='a{"', max_size=2), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=2), values, max_size=3), max_size=5),
    st.lists(st.sampled_from(["", " ", "\n", "\n ", "\n  ", "\n\n"]), min_size=1, max_size=9),
    st.integers(1, 50),
)
def test_a_sound_document_is_read_whole_however_it_is_laid_out(rows, blanks, size):
    text, at, inside = "", 0, False
    dumped = json.dumps(rows, ensure_ascii=False)
    for place, char in enumerate(dumped):  # other blanks wherever one may stand
        if char == '"' and (len(dumped[:place]) - len(dumped[:place].rstrip("\\"))) % 2 == 0:
            inside = not inside
        if char == " " and not inside:
            char, at = blanks[at % len(blanks)], at + 1
        text += char
        if not inside and char in "[{,":
            text, at = text + blanks[at % len(blanks)], at + 1
    assert [r.value for r in document(text, size)] == rows == json.loads(text)

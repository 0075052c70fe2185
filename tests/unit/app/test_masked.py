"""What is trained on, token by token."""

import json

import pytest

from podtune.app import masked
from podtune.core.errors import DatasetError
from podtune.data.record import ReadOptions
from support import build, homes

NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    + build.CHATML
)
REFUSES = (
    "{% for m in messages %}{% if 'forbidden' in m.content %}{{ raise_exception('not this') }}"
    "{% endif %}{% endfor %}" + build.CHATML
)


@pytest.fixture
def model(tmp_path):
    return homes.model(tmp_path / "model")


@pytest.fixture
def examine(tmp_path, model):
    def examined(*records, **said):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
        return masked.examine(
            str(path), homes.settings(tmp_path), ReadOptions(), model=str(model), **said
        )

    return examined


def pair(n, **more):
    return {"prompt": f"what is {n}?", "completion": f"it is {n}.", **more}


def trained(document):
    return "".join(t["text"] for t in document["tokens"] if t["trained"])


def whole(document):
    return "".join(t["text"] for t in document["tokens"])


def test_the_answer_and_its_end_are_marked(examine):
    facts = examine(pair(1), pair(2))
    first, second = facts["shown"]
    assert (first["row"], first["line"], first["problem"]) == (1, 1, None)
    (document,) = second["documents"]
    assert trained(document) == "it is 2.<|im_end|>"
    assert whole(document) == (
        "<|im_start|>user\nwhat is 2?<|im_end|>\n<|im_start|>assistant\nit is 2.<|im_end|>\n"
    )


def test_counts_are_of_all_rows_and_shown_are_those_asked_for(examine):
    facts = examine(*map(pair, range(9)), rows=(2, 9, 70))
    assert (facts["rows"], facts["examples"], facts["rows_left"]) == (9, 9, 0)
    assert [row["row"] for row in facts["shown"]] == [2, 9]
    shown = [t for row in facts["shown"] for d in row["documents"] for t in d["tokens"]]
    assert 0 < facts["trained"] < facts["tokens"]
    assert facts["longest"] <= len(shown)
    json.dumps(facts)


def test_of_a_long_file_the_first_rows_are_taken(examine, monkeypatch):
    monkeypatch.setattr(masked, "MOST_ROWS", 3)
    facts = examine(*map(pair, range(5)))
    assert (facts["rows"], facts["rows_left"]) == (3, 2)


def test_rows_that_are_too_long_are_findings_and_still_shown(examine):
    facts = examine(pair(1), pair(2, system="x " * 60), max_length=60)
    assert [(f["code"], f["line"]) for f in facts["findings"]] == [("too_long", 2)]
    assert facts["kinds"][0]["code"] == "too_long"
    assert facts["kinds"][0]["rows"] == 1
    cuts = [d["cut"] for row in facts["shown"] for d in row["documents"]]
    assert cuts == [None, 60]


def test_a_system_text_that_was_folded_is_counted(examine, model):
    (model / "chat_template.jinja").write_text(NO_SYSTEM)
    facts = examine(pair(1), pair(2, system="be short."))
    assert (facts["takes_system"], facts["folded"]) == (False, 1)
    assert "user\nbe short.\n\nwhat is 2?" in whole(facts["shown"][1]["documents"][0])
    assert examine(pair(1), pair(2), system_prompt="be kind.")["folded"] == 2


def test_a_system_prompt_is_shown(examine):
    facts = examine(pair(1), system_prompt="be kind.")
    assert facts["takes_system"] is True
    assert whole(facts["shown"][0]["documents"][0]).startswith("<|im_start|>system\nbe kind.")


def test_a_row_that_the_template_refuses_is_shown_with_its_problem(examine, model):
    (model / "chat_template.jinja").write_text(REFUSES)
    facts = examine(pair("forbidden"), pair(2))
    refused, good = facts["shown"]
    assert "not this" in refused["problem"]
    assert refused["documents"] == []
    assert good["problem"] is None
    assert facts["examples"] == 1


def test_a_row_that_trains_nothing_is_shown_unmarked(examine, model):
    stop = model / "generation_config.json"
    stop.write_text('{"eos_token_id": 999999}')  # the tokenizer has no such token
    facts = examine(pair(1))
    assert facts["findings"][0]["code"] == "stop_token_untrained"
    assert trained(facts["shown"][0]["documents"][0]) == ""


def test_a_stop_token_that_was_added_is_shown_and_told(examine, model):
    (model / "generation_config.json").write_text('{"eos_token_id": 0}')  # this tokenizer's "!"
    facts = examine(pair(1))
    assert trained(facts["shown"][0]["documents"][0]) == "it is 1.<|im_end|>\n!"
    assert [(k["code"], k["rows"]) for k in facts["kinds"]] == [("stop_token_added", 1)]
    assert facts["findings"] == []
    assert facts["examples"] == 1


def test_nothing_good_is_an_error(examine):
    with pytest.raises(DatasetError):
        examine({"prompt": "x"})

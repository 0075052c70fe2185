import json

import pytest

from podtune.core.errors import SpecError
from podtune.data import tokenizer_files
from support import build

END_OF_TEXT, IM_END = 0, 2


def written(folder, **files):
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


def test_the_tokenizer_comes_without_truncation_and_padding(tmp_path):
    made = build.tokenizer()
    made.enable_truncation(3)
    made.enable_padding(length=50)
    made.save(str(tmp_path / "tokenizer.json"))
    assert len(tokenizer_files.tokenizer(tmp_path).encode("xyz" * 5).ids) == 15


def test_a_folder_without_tokenizer_says_so(tmp_path):
    with pytest.raises(SpecError) as caught:
        tokenizer_files.tokenizer(tmp_path)
    assert caught.value.code == "no_tokenizer"


def test_files_that_are_none_or_no_object_are_empty(tmp_path):
    written(tmp_path, config=[1, 2])
    assert tokenizer_files.json_object(tmp_path / "config.json") == {}
    assert tokenizer_files.json_object(tmp_path / "other.json") == {}


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(SpecError, match=r"config\.json") as caught:
        tokenizer_files.json_object(tmp_path / "config.json")
    assert caught.value.code == "bad_model_folder"


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("plain", {"default": "plain"}),
        (
            [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}],
            {"default": "a", "tool_use": "b"},
        ),
    ],
)
def test_templates_of_the_config(tmp_path, template, found):
    assert tokenizer_files.templates(tmp_path, {"chat_template": template}) == found


def test_template_files_win_over_the_config(tmp_path):
    (tmp_path / "chat_template.jinja").write_text("fïle", encoding="utf-8")
    more = tmp_path / "additional_chat_templates"
    more.mkdir()
    (more / "tool_use.jinja").write_text("tools", encoding="utf-8")
    found = tokenizer_files.templates(tmp_path, {"chat_template": "config"})
    assert found == {"default": "fïle", "tool_use": "tools"}


@pytest.mark.parametrize("template", [None, 3, [], [{"name": "tool_use", "template": "x"}]])
def test_without_a_default_there_is_no_template(tmp_path, template):
    with pytest.raises(SpecError) as caught:
        tokenizer_files.templates(tmp_path, {"chat_template": template})
    assert caught.value.code == "no_chat_template"


def test_a_template_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match=r"chat_template\.jinja"):
        tokenizer_files.templates(tmp_path, {})


def test_special_tokens_are_those_that_there_are():
    config = {
        "bos_token": "<s>",
        "eos_token": {"content": "</s>", "lstrip": False},
        "pad_token": None,
        "mask_token": "<mask>",
        "image_token": "<image>",
    }
    assert tokenizer_files.special_tokens(config) == {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "mask_token": "<mask>",
    }


@pytest.mark.parametrize(
    ("files", "stops"),
    [
        ({}, (IM_END,)),
        ({"generation_config": {"eos_token_id": [2, 0]}}, (IM_END, END_OF_TEXT)),
        ({"generation_config": {}, "config": {"eos_token_id": 0}}, (END_OF_TEXT,)),
        ({"generation_config": {"eos_token_id": []}}, (IM_END,)),
    ],
)
def test_stop_ids_keep_their_order(tmp_path, files, stops):
    written(tmp_path, **files)
    config = {"eos_token": "<|im_end|>"}
    assert tokenizer_files.stop_ids(tmp_path, build.tokenizer(), config) == stops


def test_an_eos_token_that_the_tokenizer_lacks_stops_nothing(tmp_path):
    assert tokenizer_files.stop_ids(tmp_path, build.tokenizer(), {"eos_token": "<none>"}) == ()

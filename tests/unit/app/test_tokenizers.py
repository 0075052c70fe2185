"""A base model's tokenizer: at hand, named, or converted once by the worker's own program."""

import json

import pytest

from podtune.app import tokenizers, wiring
from podtune.core.errors import NotFoundError, PodtuneError, SpecError
from podtune.storage import base_models
from support import homes

WORKER = """
import json, sys
from pathlib import Path
{body}
"""


@pytest.fixture
def settings(tmp_path):
    return homes.settings(tmp_path)


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """The default model is in a package that is not converted yet."""
    package = tmp_path / "package.gguf"
    package.write_bytes(b"GGUF")
    monkeypatch.setattr(base_models, "package_file", lambda: package)


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """Sets the program that stands for the worker's."""

    def put(body):
        folder = tmp_path / "worker"
        folder.mkdir(exist_ok=True)
        (folder / "base_model.py").write_text(WORKER.format(body=body))
        monkeypatch.setattr(wiring, "worker_folder", lambda: folder)

    return put


def test_a_folder_that_was_named_is_at_hand(tmp_path, settings):
    model = homes.model(tmp_path / "model")
    for found in (tokenizers.at_hand(str(model), settings), tokenizers.bring(str(model), settings)):
        assert found is not None
        assert found.folder == model
    assert not settings.home.exists()


def test_a_model_that_is_not_there_is_an_error_even_to_look(tmp_path, settings):
    for get in (tokenizers.at_hand, tokenizers.bring):
        with pytest.raises(NotFoundError) as caught:
            get(str(tmp_path / "nowhere"), settings)
        assert caught.value.code == "model_not_found"


def test_a_folder_without_template_is_an_error(tmp_path, settings):
    model = homes.model(tmp_path / "model")
    (model / "chat_template.jinja").unlink()
    with pytest.raises(SpecError) as caught:
        _ = tokenizers.bring(str(model), settings).template
    assert caught.value.code == "no_chat_template"


def test_the_default_is_at_hand_only_once_it_is_converted(settings):
    assert tokenizers.at_hand(None, settings) is None
    assert not settings.home.exists()
    homes.model(settings.models / base_models.CONVERTED_FOLDER)
    found = tokenizers.at_hand(None, settings)
    assert found is not None
    assert found.folder == settings.models / base_models.CONVERTED_FOLDER
    assert tokenizers.bring(None, settings).folder == found.folder


def test_the_default_is_converted_by_the_worker_s_program(tmp_path, settings, packaged, worker):
    model = homes.model(tmp_path / "made")
    worker(
        "import shutil\n"
        f"spec = json.loads(sys.argv[3]); assert spec['source'] == 'package', spec\n"
        f"shutil.copytree({str(model)!r}, Path(sys.argv[2]) / {base_models.CONVERTED_FOLDER!r})"
    )
    assert tokenizers.bring(None, settings).stop_ids


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (
            "print('noise'); print(json.dumps({'code': 'disk_full', 'message': 'no room',"
            " 'hint': 'free some'})); sys.exit(5)",
            "disk_full",
            "no room",
        ),
        (
            "raise RuntimeError('torch is hf_abcdefghijklmnop gone')",
            "conversion_failed",
            "torch is",
        ),
        ("sys.exit(3)", "conversion_failed", "cannot be converted"),
        ("print('[1]'); sys.exit(5)", "conversion_failed", "cannot be converted"),
    ],
)
def test_a_conversion_that_fails_is_said_in_our_words(
    settings, packaged, worker, body, code, words
):
    worker(body)
    with pytest.raises(PodtuneError) as caught:
        tokenizers.bring(None, settings)
    assert caught.value.code == code
    assert words in caught.value.message
    assert "abcdefghijklmnop" not in json.dumps(caught.value.to_json())

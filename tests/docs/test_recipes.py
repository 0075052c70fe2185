"""The founding recipes say what their documents say, and the page about them says what they say."""

import re
from decimal import Decimal

import pytest
import yaml

from podtune.core.request import TrainingRequest
from podtune.core.spec import AUTO, flatten
from podtune.intake import specfile
from podtune.intake.resolve import read_spec_file, resolve

SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
DOCUMENTS = {
    "specification-a": {
        "base_model.name": "mistralai/Mistral-7B-Instruct-v0.2",
        "adapter.kind": "lora",
        "adapter.bits": 8,
        "adapter.rank": 32,
        "adapter.alpha": 32,
        "adapter.dropout": 0.05,
        "adapter.target_modules": SEVEN,
        "training.epochs": 3,
        "training.learning_rate": 4e-5,
        "training.warmup_steps": 100,
        "training.effective_batch": {"examples": 2 * 8, "tokens": None},
        "training.micro_batch": 2,
        "training.max_length": 2048,
        "training.long_rows": "shorten",
        "training.packing": False,
        "training.precision": "fp16",
        "training.logging_steps": 10,
        "training.save_steps": 500,
        "training.report_to": "tensorboard",
        "where.volume_gb": 50,
        "where.disk_gb": 20,
        "where.max_hours": 7200 / 3600,
    },
    "specification-b": {
        "base_model.name": "Qwen/Qwen3-Next-80B-A3B-Instruct",
        "adapter.kind": "qlora",
        "adapter.bits": 4,
        "adapter.rank": 16,
        "adapter.alpha": 32,
        "adapter.dropout": 0.1,
        "adapter.target_modules": SEVEN,
        "training.epochs": 5,
        "training.learning_rate": 0.0002,
        "training.effective_batch": {"examples": 8, "tokens": None},
        "training.precision": "fp16",
        "where.count": 1,
        "where.volume_gb": 200,
        "where.max_hours": 43_200 / 3600,
    },
}
"""The documents' own numbers, copied from them by hand."""

ROW = re.compile(r"^\| `([a-z_.]+)` \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)


def resolved(root, name):
    stated = read_spec_file(root / "recipes" / f"{name}.yaml")
    return resolve(TrainingRequest(stated=stated))


@pytest.fixture(scope="module")
def page(root):
    """The page's tables: recipe -> field -> (theirs, ours), as they are written."""
    text = (root / "docs/how-to/recipes.md").read_text(encoding="utf-8")
    parts = dict(zip("ab", re.split(r"^## [AB]:", text, flags=re.MULTILINE)[1:], strict=True))
    return {
        f"specification-{letter}": {f: (theirs, ours) for f, theirs, ours, _ in ROW.findall(part)}
        for letter, part in parts.items()
    }


def said(cell):
    """A cell's value."""
    return SEVEN if cell == "seven names" else specfile.parse(cell.strip("`"))


def same(cell, value):
    found = said(cell)
    if isinstance(found, dict):
        return found == {k: v for k, v in value.items() if v is not None}
    if isinstance(found, bool) or not isinstance(found, int | float):
        return found == (tuple(value) if isinstance(value, list) else value)
    return Decimal(str(found)) == Decimal(str(value))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_value_is_the_documents(root, name):
    flat = flatten(resolved(root, name).spec)
    wrong = {
        path: flat[path]
        for path, value in DOCUMENTS[name].items()
        if flat[path] != (list(value) if isinstance(value, tuple) else value)
    }
    assert wrong == {}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_of_a_document_is_left_to_a_default(root, name):
    notes = resolved(root, name).notes
    assert [p for p in DOCUMENTS[name] if notes[p].origin != "stated"] == []


def test_every_recipe_in_the_folder_loads(root):
    names = {path.stem for path in (root / "recipes").glob("*")}
    assert names >= set(DOCUMENTS)
    for name in names:
        assert resolved(root, name).spec.data.source


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_recipe_written_out_and_read_again_is_the_same(root, name, tmp_path):
    spec = resolved(root, name).spec
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec.model_dump(mode="json")))
    again = resolve(TrainingRequest(stated=read_spec_file(tmp_path / "spec.yaml")))
    assert again.spec == spec


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_page_compares_every_stated_value(root, page, name):
    stated = read_spec_file(root / "recipes" / f"{name}.yaml")
    compared = set(stated) - {"base_model.name", "data.source", "method"}
    assert compared == set(page[name])
    flat = flatten(resolved(root, name).spec)
    wrong = {f: cells[0] for f, cells in page[name].items() if not same(cells[0], flat[f])}
    assert wrong == {}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_page_names_our_own_values(page, name):
    ours = flatten(resolve(TrainingRequest(stated={"data.source": "x.jsonl"})).spec)
    wrong = {
        f: (cells[1], ours[f]) for f, cells in page[name].items() if not same(cells[1], ours[f])
    }
    assert wrong == {}
    assert any(said(cells[1]) == AUTO for cells in page[name].values())

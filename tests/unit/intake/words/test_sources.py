"""What each literal is for, and how data is described."""

import pytest


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("train on a.jsonl, test on b.jsonl", {"dataset_ref": "a.jsonl", "eval_ref": "b.jsonl"}), ("use /d/a.parquet and validation at /d/b.parquet", {"dataset_ref": "/d/a.parquet", "eval_ref": "/d/b.parquet"}),
        ("dataset acme/rows", {"dataset_ref": "acme/rows", "dataset_kind": "hub"}), ("on s3://bkt/x/", {"dataset_ref": "s3://bkt/x/", "dataset_kind": "object_store"}), ("on kb/*.md", {"dataset_kind": "glob"}), ("./toy", {"dataset_kind": "dir"}),
        ("on \"my rows.csv\"", {"dataset_ref": "my rows.csv"}), ("on a.csv. wait, use b.csv", {"dataset_ref": "b.csv"}), ("on a.csv, continue from acme/tone-v1", {"resume_from": "acme/tone-v1", "dataset_ref": "a.csv"}),
        ("a.csv, system prompt \"You are Bob.\"", {"system_prompt": "You are Bob.", "dataset_ref": "a.csv"}), ("a.csv, image acme/box:v1", {"dataset_ref": "a.csv"}), ("on https://example.com/a.jsonl", {"dataset_kind": "url"}),
        ("w/ a.csv", {"dataset_ref": "a.csv"}), ("on a.csv, call https://example.com/hook", {"dataset_ref": "a.csv", "callback_url": "https://example.com/hook"}), ("like my previous run, with a.csv", {"dataset_ref": "a.csv", "resume_from": None}),
        ("on a.csv, push the adapter to hf as acme/tone", {"output_name": "acme/tone", "resume_from": None}), ("on acme/rows from the hub, push the adapter to acme/tone", {"output_name": "acme/tone", "resume_from": None}), ("on a.csv, continue from the adapter on hf acme/tone-v1", {"resume_from": "acme/tone-v1"}), ("a.csv, save the adapter to s3://bkt/x", {"dataset_ref": "a.csv", "resume_from": None, "output_dest": "s3"}), ("a.csv, resume from out/run3/checkpoint-400", {"resume_from": "out/run3/checkpoint-400"}), ("validation split 10 percent, on a.csv", {"dataset_ref": "a.csv", "eval_ref": None}), ("with 10% of a.csv for tests", {"dataset_ref": "a.csv", "eval_ref": None}), ("as a test run on a.csv", {"dataset_ref": "a.csv", "eval_ref": None}), ("a.csv, the adapter goes to s3://bkt/x", {"dataset_ref": "a.csv", "output_dest": "s3"}), ("on our public list a.csv", {"dataset_ref": "a.csv"}),
    ],
)  # fmt: skip
def test_literals(fields, words, wanted):
    found = fields(f"train qwen3 8b {words}")
    assert {k: found.get(k) for k in wanted} == wanted


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("on my support tickets", "support tickets"),
        ("auf meinen Dokumenten", "Dokumenten"),
        ("sur mes e-mails", "e-mails"),
        ("con mis notas", "notas"),
    ],
)
def test_described_data(read, words, hint):
    found = read(f"train qwen3 8b {words}")
    assert found.fields["dataset_kind"] == "described"
    assert hint in str(found.fields["dataset_hint"])
    assert "dataset" in found.must_confirm


def test_a_base_model_to_start_from_is_no_adapter(fields):
    found = fields("start from Qwen/Qwen3-4B, rows.csv")
    assert (found["base_model_id"], found.get("resume_from")) == ("Qwen/Qwen3-4B", None)
    found = fields("--model Qwen/Qwen3-4B --data rows.csv")
    assert (found["base_model_id"], found["dataset_ref"]) == ("Qwen/Qwen3-4B", "rows.csv")


def test_json_is_read_too(fields):
    found = fields('{"base_model": "Qwen/Qwen3-8B", "dataset": "rows.jsonl", "epochs": 2}')
    wanted = {"base_model_id": "Qwen/Qwen3-8B", "dataset_ref": "rows.jsonl", "epochs": 2}
    assert {k: found.get(k) for k in wanted} == wanted


def test_several_files_are_asked_about(read):
    found = read("train qwen3 8b on a.csv and b.csv")
    assert (found.fields["dataset_kind"], found.must_ask) == ("files", ["dataset"])
    assert "dataset_ref" not in found.fields


def test_a_base_model_by_id(fields):
    found = fields("base model: acme/base-model-x, data acme/rows")
    assert (found["base_model_id"], found["dataset_ref"]) == ("acme/base-model-x", "acme/rows")


def test_an_export_is_data_and_no_place_to_export_to(fields):
    found = fields("a LoRA on our Slack export ./slack/, qwen3 4b")
    assert found["dataset_ref"] == "./slack/"
    assert "output_dest" not in found
    assert fields("qwen3 4b on rows.csv, export it to ./out/")["output_dest"] == "local"

"""Where the training data is."""

import pytest


@pytest.mark.parametrize(
    ("words", "kind"),
    [("rows.csv", "file"), ("./rows/", "dir"), ("kb/*.md", "glob"), ("https://example.com/a.jsonl", "url"), ("s3://bkt/a.jsonl", "object_store"), ("our Zendesk account", "connector"), ("my support tickets", "described")],
)  # fmt: skip
def test_the_kind(fields, words, kind):
    assert fields(f"train qwen3 8b on {words}")["dataset_kind"] == kind


def test_a_repository_beside_a_file_is_where_it_goes(fields):
    found = fields("qwen3 8b, rows.csv, hub repo acme/tone")
    assert (found["dataset_ref"], found["output_name"]) == ("rows.csv", "acme/tone")

"""What becomes of the adapter; what describes the input describes nothing else."""

import pytest


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("keep it private", "visibility", "private"), ("private", "visibility", "private"), ("garde-le privé", "visibility", "private"), ("déjalo privado", "visibility", "private"), ("bitte privat halten", "visibility", "private"),
        ("make it public", "visibility", "public"), ("don't make it public", "visibility", "private"), ("not public", "visibility", "private"), ("never publish it", "visibility", "private"), ("our repo is public but the adapter must stay private", "visibility", "private"), ("no lo publiques", "visibility", "private"), ("結果は非公開で", "visibility", "private"), ("it is done. call it tone-v2. ok", "output_name", "tone-v2"), ("call it tone-v2", "output_name", "tone-v2"), ("save it as tone-v2", "output_name", "tone-v2"),
        ("nenne es tone-v2", "output_name", "tone-v2"), ("appelle-le tone-v2", "output_name", "tone-v2"), ("llámalo tone-v2", "output_name", "tone-v2"), ("push it to hugging face", "output_dest", "huggingface"), ("save it to s3://bkt/out/", "output_dest", "s3"),
        ("merge it into the base", "export", ["merged"]), ("GGUF q5_k_m", "export", ["gguf:q5_k_m"]), ("notify https://app.example.com/done when finished", "callback_url", "https://app.example.com/done"),
    ],
)  # fmt: skip
def test_it_is_read(fields, words, field, value):
    found = fields(f"qwen3 8b on rows.csv, {words}")
    assert (found[field], found["dataset_ref"]) == (value, "rows.csv")


@pytest.mark.parametrize(
    "words",
    [
        "my private data set",
        "our public tickets",
        "private messages are in it",
        "public repo ok",
        "sheet 'Public'",
        "public or private, I don't care",
    ],
)
def test_the_input_is_not_the_output(fields, words):
    assert "visibility" not in fields(f"qwen3 8b on rows.csv, {words}")


@pytest.mark.parametrize("words", ["make it public", "public repo ok", "publish it"])
def test_publishing_is_confirmed(read, words):
    assert "visibility" in read(f"qwen3 8b on rows.csv, {words}").must_confirm

"""What the words state, and no more: one object for a sentence, one line for each that is read."""

import io
import json

from support.chat_server import chat_server


def test_one_object(run):
    code, out, _ = run("ask", "--parse-only", "--output", "json", "qwen3 8b on rows.csv, max $5")
    told = json.loads(out)
    assert code == 0
    assert list(told) == ["fields", "must_ask", "must_confirm", "conflicts", "flags"]
    assert told["fields"]["budget_amount"] == 5


def test_people_see_the_words(run):
    code, out, err = run("ask", "--parse-only", "mistral 7b on rows.csv, max $5")
    assert code == 0
    assert "'$5'" in out
    assert "to confirm base_model" in " ".join(err.split())


def test_a_secret_is_never_shown(run):
    secret = "hf_AbCdEfGhIjKlMnOpQr012345"
    _, out, err = run("ask", "--parse-only", f"mistral 7b on rows.csv, token {secret}")
    assert secret not in out + err
    assert "secret_in_request" in err


def test_relative_moments_count_from_now(run):
    _, out, _ = run(
        "ask",
        "--parse-only",
        "--output",
        "json",
        "--now",
        "2026-11-22T10:00",
        "rows.csv by tomorrow 9am",
    )
    assert json.loads(out)["fields"]["deadline"] == "2026-11-23T09:00"


def test_lines(run, monkeypatch):
    lines = [
        '{"id": "a", "request": "3 epochs"}',
        "no json",
        "",
        '{"id": 2}',
        json.dumps({"id": "z", "request": "x" * 30_000}),
    ]
    stdin = io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    code, out, _ = run("ask", "--parse-only", "--stdin")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert told[0]["id"] == "a"
    assert told[0]["fields"]["epochs"] == 3
    assert [t["error"]["code"] for t in told[1:]] == ["bad_line", "bad_line", "request_too_long"]


def test_a_model_reads_along_unless_it_is_left_out(run, monkeypatch):
    words = "qwen3 8b on rows.csv, let it look at everything thrice"
    with chat_server() as server:
        monkeypatch.setenv("PODTUNE_LLM_MODEL", "m")
        monkeypatch.setenv("PODTUNE_LLM_BASE_URL", server.url)
        server.says(("epochs", 3, "look at everything thrice"))
        _, out, err = run("ask", "--parse-only", "--output", "json", words)
        assert json.loads(out)["must_ask"] == ["epochs"]
        assert "has to be asked: epochs" in " ".join(err.split())
        _, out, err = run("ask", "--parse-only", "--offline", "--output", "json", words)
        assert json.loads(out)["must_ask"] == []
        assert (err, len(server.seen)) == ("", 1)

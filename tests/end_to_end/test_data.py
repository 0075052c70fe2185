"""The data doctor as a new user meets it: real exports, the real command line, a training after it."""

import csv
import gzip
import json
import zipfile

import pytest

from support import tiny_model

PLANTED = "hf_Qm4zT9vLx2RbNc7WkPdYs3JhGa8EuFoi"
"""Looks like a key; it is made up."""


def pairs(number):
    return [
        (f"How do I reset device number {i}?", f"Hold key {i} for six seconds.")
        for i in range(number)
    ]


@pytest.fixture
def exports(tmp_path):
    """A folder as people have them: a help desk's export, a table, packed chats, a FAQ, a photo."""
    folder = tmp_path / "exports"
    folder.mkdir()
    tickets = [
        {
            "id": i,
            "requester_id": 7,
            "comments": [
                {"author_id": 7, "public": True, "body": question},
                {"author_id": 9, "public": False, "body": "internal: he is angry"},
                {"author_id": 9, "public": True, "body": answer},
            ],
        }
        for i, (question, answer) in enumerate(pairs(12))
    ]
    with zipfile.ZipFile(folder / "helpdesk.zip", "w") as archive:
        archive.writestr("export/tickets.json", json.dumps({"tickets": tickets}, indent=1))
        archive.writestr("export/logo.png", b"\x89PNG")
    with (folder / "tickets.csv").open("w", newline="", encoding="cp1252") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(["Nr", "Kundenfrage", "Antwort"])
        writer.writerow(
            [1, "Wie lange läuft die Garantie?", "Zwei Jahre, ab dem Tag der Lieferung."]
        )
        writer.writerow([2, "Liefern Sie auch nach Österreich?", ""])
        writer.writerow([3, "Wo finde ich die Rechnung?", "Unter Bestellungen, rechts oben."])
    lines = [
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"Again: {q}"},
                    {"role": "assistant", "content": a},
                ]
            }
        )
        for q, a in pairs(30)[12:]
    ]
    lines[3] = lines[3][:-1] + ",}"
    lines[5] = lines[5].replace("Hold key", f"Use {PLANTED}. Hold key")
    (folder / "chats.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    (folder / "faq.md").write_text(
        "# Questions\n\n## Can I pay by invoice?\n\nYes, from the second order on.\n\n"
        "## Do you repair old devices?\n\nFor ten years after they were sold.\n",
        encoding="utf-8",
    )
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    return folder


def test_a_folder_of_exports_is_judged_by_one_command(home, exports):
    found = home.json("data", "check", exports)
    formats = {entry["source"].rsplit("/", 1)[-1]: entry["format"] for entry in found["files"]}
    assert formats == {
        "helpdesk.zip": "zendesk",
        "tickets.csv": "qa_table",
        "chats.jsonl.gz": "chat_messages",
        "faq.md": "faq_markdown",
    }
    assert (found["rows"], found["good_rows"], found["good_rows_after_repair"]) == (35, 32, 34)
    errors = {(e["code"], e["file"], e["line"]) for e in found["errors"]}
    assert errors == {
        ("empty_answer", "tickets.csv", 3),
        ("bad_json", "chats.jsonl.gz", 4),
        ("secret", "chats.jsonl.gz", 6),
    }
    assert {"internal_notes_dropped", "encoding_converted"} <= {
        w["code"] for w in found["warnings"]
    }
    assert PLANTED not in json.dumps(found)
    assert "angry" not in json.dumps(found)


def test_the_screen_shows_the_verdict_and_the_next_command(home, exports):
    done = home.run("data", "check", exports)
    assert done.returncode == 0
    for words in (
        "2 of 3 bad rows can be mended",
        "chats.jsonl.gz:4",
        "--fix trailing-comma",
        "next",
    ):
        assert words in done.stdout + done.stderr
    assert PLANTED not in done.stdout + done.stderr


def test_the_next_command_of_the_report_works(home, exports, tmp_path):
    found = home.json("data", "check", exports)
    assert found["next"].startswith("podtune data convert ")
    done = home.run(*found["next"].split()[1:])
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "exports.clean.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 34
    assert all(set(json.loads(line)) == {"messages"} for line in lines)
    assert PLANTED not in "".join(lines)
    (rejected,) = (tmp_path / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(rejected)["codes"] == ["empty_answer"]
    again = home.json("data", "check", tmp_path / "exports.clean.jsonl")
    assert (again["verdict"], again["good_rows"], again["errors"]) == ("ready", 34, [])


def test_nothing_to_train_on_is_exit_code_2_and_still_a_report(home, tmp_path):
    (tmp_path / "picture.jsonl").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    done = home.run("data", "check", tmp_path / "picture.jsonl", "--output", "json")
    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert (found["container"], found["good_rows"], found["first_row"]) == ("binary", 0, None)
    assert [e["code"] for e in found["errors"]] == ["not_text"]


@pytest.mark.timeout(300)
def test_exports_are_trained_on_as_they_were_judged(home, exports, tiny, tmp_path):
    said = home.json(
        "train", exports, "--model", tiny, "--fix", "all", "--skip-bad-rows",
        "--set", "training.max_steps=6", "--set", "training.effective_batch={tokens: 256}",
        "--set", "training.learning_rate=0.01", "--set", "evaluate.samples=1",
        timeout=240,
    )  # fmt: skip
    assert said["outcome"] == "completed"
    job = said["id"]
    rows = (home.folder(job) / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 34
    assert PLANTED not in "".join(rows)
    assert "angry" not in "".join(rows)
    everything = [p for p in home.path.rglob("*") if p.is_file() and p.suffix != ".safetensors"]
    assert not [p.name for p in everything if PLANTED.encode() in p.read_bytes()]
    receipt = home.json("receipt", job)["receipt"]
    checked = home.json("data", "check", exports)
    assert receipt["data"]["sha256"] == checked["sha256"]


def test_the_tokens_that_are_trained_on_are_shown(home, tiny, tmp_path):
    data = tiny_model.write_rows(tmp_path / "rows.jsonl", 5)
    done = home.run("data", "mask", data, "--model", tiny, "--rows", "1", "--html", "mask.html")
    assert done.returncode == 0, done.stderr
    assert "«" in done.stdout
    assert "trained on" in done.stdout
    assert "<script" not in (tmp_path / "mask.html").read_text(encoding="utf-8")

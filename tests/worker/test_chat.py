import io
import json
import shutil

import pytest

import chat
from podtune.core.artifact import ADAPTER_CONFIG, ADAPTER_WEIGHTS


def said(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(scope="module")
def talk(trained):
    return chat.Chat(trained / "artifact", trained / "models")


def test_pieces_make_the_answer_and_it_is_remembered(talk, capsys):
    talk.forget()
    answer = talk.say("how do I reset grinder 3?")
    pieces = [line["piece"] for line in said(capsys)]
    assert "".join(pieces).strip() == answer
    assert [m["role"] for m in talk._messages] == ["user", "assistant"]


def test_without_the_adapter_the_base_model_answers(talk, capsys):
    answers = []
    for adapter in (True, False, True):
        talk.adapter = adapter
        talk.forget()
        answers.append(talk.say("how do I reset grinder 3?"))
    capsys.readouterr()
    assert answers[0] == answers[2] != answers[1]


def test_the_program_speaks_lines(talk, capsys, monkeypatch):
    lines = [
        {"adapter": True, "forget": True, "say": "how do I reset grinder 3?"},
        {"forget": True},
    ]
    monkeypatch.setattr(
        "sys.stdin", io.StringIO("".join(json.dumps(line) + "\n" for line in lines))
    )
    chat.converse(talk)
    told = said(capsys)
    assert [line for line in told if "end" in line] == [{"end": True}, {"end": True}]
    assert talk._messages == []


def test_a_whole_model_answers_beside_its_base(trained, tiny, tmp_path, capsys):
    folder = tmp_path / "artifact"
    shutil.copytree(trained / "artifact", folder)
    for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG):
        (folder / name).unlink()
    for name in ("model.safetensors", "config.json"):
        shutil.copyfile(tiny / name, folder / name)
    whole = chat.Chat(folder, trained / "models")
    answers = []
    for adapter in (True, False):
        whole.adapter = adapter
        whole.forget()
        answers.append(whole.say("how do I reset grinder 3?"))
    capsys.readouterr()
    assert answers[0] == answers[1]  # the same weights, loaded twice


def test_what_cannot_be_loaded_is_said_with_the_next_step(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["chat.py", str(tmp_path), "--models", str(tmp_path)])
    assert chat.main() == 5
    (line,) = said(capsys)
    assert line["error"]
    assert line["advice"]


def test_a_base_model_folder_is_found_where_it_is_here(trained, tiny, tmp_path):
    import yaml

    artifact = tmp_path / "artifact"
    shutil.copytree(trained / "artifact", artifact)
    spec = yaml.safe_load((artifact / "spec.yaml").read_text())
    here = dict(spec["base_model"])
    spec["base_model"]["name"] = "../model/tiny"
    (artifact / "spec.yaml").write_text(yaml.safe_dump(spec))
    (artifact / "receipt.json").write_text(json.dumps({"receipt": {"spec": {"base_model": here}}}))
    assert here["name"] == str(tiny)
    assert chat.Chat(artifact, trained / "models").adapter


def test_a_whole_conversation_is_answered_and_forgotten(talk, capsys):
    talk.forget()
    asked = [{"role": "user", "content": "how do I reset grinder 3?"}]
    greedy = chat.Options(max_tokens=12)
    answer = talk.complete(asked, greedy)
    pieces = "".join(line["piece"] for line in said(capsys))
    assert pieces.strip() == answer.text
    assert answer.completion_tokens <= 12
    assert answer.prompt_tokens > 5
    assert answer.finish_reason in ("stop", "length")
    assert talk.complete(asked, greedy) == answer
    assert talk._messages == []
    drawn = chat.Options(max_tokens=12, temperature=1.5, seed=3)
    assert talk.complete(asked, drawn) == talk.complete(asked, drawn)
    capsys.readouterr()


def test_what_the_model_cannot_take_is_refused_and_the_program_goes_on(talk, capsys, monkeypatch):
    asked = {"messages": [{"role": "user", "content": "hello"}]}
    lines = [{"complete": {**asked, "max_tokens": 5000}}, {"complete": {**asked, "max_tokens": 2}}]
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(json.dumps(x) + "\n" for x in lines)))
    chat.converse(talk)
    told = said(capsys)
    assert "over the model's" in told[0]["refused"]
    assert told[-1]["end"]
    assert told[-1]["completion_tokens"] <= 2


def cut(stop, *pieces):
    made = chat.Cut(stop)
    told = [made.add(piece) for piece in pieces]
    return "".join([*told, made.rest()]), made.is_over


def test_an_answer_ends_before_a_stop_text():
    assert cut((), "hello", " you") == ("hello you", False)
    assert cut(("END",), "helloE", "ND you") == ("hello", True)
    assert cut(("END",), "helloE", "N you") == ("helloEN you", False)
    assert cut(("END",), "hello", "EN") == ("helloEN", False)
    assert cut(("b", "ab"), "xab") == ("x", True)

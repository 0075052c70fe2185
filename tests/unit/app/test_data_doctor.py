"""The doctor's facts: the contract's fields, what training would take, verdict and next command."""

import json
import shlex

import pytest

from podtune.app import data_doctor, planner
from podtune.core.errors import NotFoundError, SpecError
from podtune.data.record import ReadOptions
from support import homes
from support.odd_server import OddServer, response

SECRET = "sk-proj-Zk3Qx9Lm2Vb7Rt5Yw8Np4Hd6Js1Gf0Ac"

CONTRACT = {
    "format", "container", "encoding", "rows", "good_rows", "good_rows_after_repair", "errors",
    "warnings", "duplicates", "needs_choice", "first_row",
}  # fmt: skip
"""What programs rely on: shared/data-samples/README.md."""

ADDITIONS = {
    "source", "sha256", "size_bytes", "recognised", "mapping", "choices", "first_raw", "kinds",
    "notes", "repaired", "repairs", "dropped_keys", "tokens", "split", "files", "training",
    "verdict", "next",
}  # fmt: skip

SAMPLES = [
    "alpaca.json", "broken.jsonl", "chosen_rejected.jsonl", "dups_pii.jsonl", "empty.jsonl",
    "excel_fr.csv", "faq.md", "faq.xlsx", "messages.jsonl", "messages_utf16.jsonl", "pairs.parquet",
    "sharegpt.jsonl", "tickets.csv", "tools.jsonl", "zendesk.json",
]  # fmt: skip


@pytest.fixture
def user(tmp_path):
    """The user's folder, with a model."""
    homes.model(tmp_path / "user" / "model")
    return tmp_path / "user"


@pytest.fixture
def examine(tmp_path, user):
    def examined(path, *fixes, **options):
        wanted = ReadOptions(fixes=frozenset(fixes), **options)
        return data_doctor.examine(
            str(path), homes.settings(tmp_path), wanted, model=str(user / "model")
        )

    return examined


def rows(folder, *records, name="rows.jsonl"):
    path = folder / name
    lines = (r if isinstance(r, str) else json.dumps(r) for r in records)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def pair(n, **more):
    return {"prompt": f"What is {n}?", "completion": f"It is {n} and no more.", **more}


def test_facts_are_the_contract_s_and_known_additions(examine, user):
    facts = examine(homes.data(user)).facts
    assert set(facts) == CONTRACT | ADDITIONS
    assert set(list(facts)[:11]) == CONTRACT
    json.dumps(facts)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_are_judged_as_their_index_says(root, examine, name):
    folder = root.parent / "shared" / "data-samples"
    if not folder.is_dir():
        folder = root / "shared" / "data-samples"
    if not folder.is_dir():
        pytest.skip("the samples are not on this machine")
    lines = (folder / "index.jsonl").read_text(encoding="utf-8").splitlines()
    expected = next(v for v in map(json.loads, lines) if v["file"] == name)
    facts = examine(folder / name).facts
    assert {key: facts[key] for key in CONTRACT} == {key: expected[key] for key in CONTRACT}


def test_examining_writes_nothing(examine, user, tmp_path):
    path = homes.data(user)
    before = sorted(tmp_path.rglob("*"))
    examine(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_good_file_is_ready_and_has_a_plan(examine, user):
    path = homes.data(user)
    found = examine(path)
    assert found.is_trainable
    assert found.facts["verdict"] == "ready"
    assert found.facts["next"] == f"podtune train {path}"
    assert found.facts["tokens"]["exact"] is True
    assert found.facts["tokens"]["rows"] == 24
    training = found.facts["training"]
    assert training["planned"] is True
    assert training["steps"] > 0
    assert training["formula"].startswith(f"{training['tokens']} tokens x ")
    assert found.facts["split"]["by"] == "hash of the first question"


def test_the_plan_is_the_one_that_plan_makes(examine, user, tmp_path):
    path = homes.data(user)
    request = planner.source_request(str(path), {"base_model.name": str(user / "model")})
    plan = planner.make_plan(request, homes.settings(tmp_path))
    training = examine(path).facts["training"]
    assert (training["steps"], training["tokens"]) == (plan.schedule.steps, plan.tokens.train)


def test_a_large_file_is_not_planned(examine, user, monkeypatch):
    monkeypatch.setattr(data_doctor, "PLANNED_UP_TO", 10)
    assert "podtune plan" in examine(homes.data(user)).facts["training"]["why"]


def test_why_there_is_no_plan_is_said(examine, user):
    (user / "model" / "config.json").write_text('{"model_type": "nonsense"}')
    training = examine(homes.data(user)).facts["training"]
    assert training["planned"] is False
    assert training["why"]


def test_bad_rows_that_can_be_mended_lead_to_a_conversion(examine, user):
    bad = '{"prompt": "x", "completion": "y",}'
    path = rows(user, *[pair(n) for n in range(4)], bad, "broken")
    found = examine(path)
    assert found.facts["verdict"] == "1 of 2 bad rows can be mended"
    assert (
        found.facts["next"]
        == f"podtune data convert {path} --fix trailing-comma -o rows.clean.jsonl"
    )
    assert "trailing-comma" in found.facts["repairs"]
    mended = examine(path, "trailing-comma").facts
    assert mended["repaired"] == {"trailing-comma": 1}
    assert mended["verdict"] == "ready without 1 bad row"
    assert mended["next"] == f"podtune train {path} --fix trailing-comma --skip-bad-rows"


def test_nothing_good_cannot_be_trained_on(examine, user):
    path = rows(user, "broken", "{}")
    found = examine(path)
    assert not found.is_trainable
    assert found.facts["verdict"] == "cannot be trained on"
    assert found.facts["next"].endswith(f"podtune data check {path}")
    assert found.facts["training"] == {"planned": False, "why": "nothing to train on"}
    assert (found.facts["first_row"], found.facts["tokens"], found.facts["split"]) == (None,) * 3


def test_who_answers_a_chat_is_said_as_a_command_that_runs(examine, user):
    people = ["Anna", "Tom", "Ben", "Jana", "Cleo", "Tom", "Dora", "Jana"]
    lines = (f"0{n // 2 + 1}.02.26, 1{n % 2}:00 - {name}: {'so.' if n % 2 else 'why?'}" for n, name in enumerate(people))  # fmt: skip
    path = user / "chat.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    facts = examine(path).facts
    assert "several with commas" in facts["choices"]["speaker"]["option"]
    assert facts["next"] == f"podtune data check {path} --speaker Tom"
    said = examine(path, speaker="Tom, Jana").facts
    assert (said["good_rows"], said["verdict"]) == (4, "ready")
    assert "--speaker 'Tom, Jana'" in said["next"]


def test_an_open_choice_is_the_next_thing_to_say(examine, user):
    path = rows(
        user, "question,query,answer", *(f"a {n}?,b {n}?,c {n}" for n in range(4)), name="t.csv"
    )
    facts = examine(path).facts
    assert facts["verdict"] == "ready after 1 choice"
    assert facts["next"] == f"podtune data check {path} --map prompt=question"
    assert facts["choices"]["prompt_column"]["close"] is True
    assert facts["needs_choice"]["prompt_column"] == "question"
    assert facts["training"] == {"planned": False, "why": "after the choice"}
    said = examine(path, columns={"prompt": "query"}).facts
    assert said["verdict"] == "ready"
    assert "--map prompt=query" in said["next"]


@pytest.mark.parametrize("name", ["two words.jsonl", "it's.jsonl", "$(x).jsonl", "a&b.jsonl"])
def test_the_next_command_can_be_typed(examine, user, name):
    path = homes.data(user, name=name)
    assert shlex.split(examine(path).facts["next"]) == ["podtune", "train", str(path)]


def test_what_was_said_is_in_the_next_command(examine, user):
    path = rows(
        user,
        "Customer's word,Our word",
        *(f"How do I reset number {n}?,Hold the key {n} for long." for n in range(4)),
        name="t.csv",
    )
    columns = {"prompt": "Customer's word", "completion": "Our word"}
    assert shlex.split(examine(path, columns=columns).facts["next"]) == [
        "podtune", "train", str(path),
        "--map", "prompt=Customer's word",
        "--map", "completion=Our word",
    ]  # fmt: skip


# Kinds of findings


def test_each_kind_stands_once_with_its_first_lines(examine, user):
    path = rows(user, *[pair(n) for n in range(4)], *["broken"] * 5, pair(1))
    kinds = {k["code"]: k for k in examine(path).facts["kinds"]}
    bad = kinds["bad_json"]
    assert (bad["rows"], bad["first_lines"], bad["more"], bad["by"]) == (5, [5, 6, 7], 2, "line")
    assert kinds["duplicate"]["first_lines"] == [10]
    order = [k["severity"] for k in examine(path).facts["kinds"]]
    assert order == sorted(order, key=["error", "warning", "note"].index)


def test_findings_have_their_places_and_repairs_in_words(examine, user):
    path = rows(user, pair(1), pair(2), '{"prompt": "x", "completion": "y",}', pair(1))
    facts = examine(path).facts
    assert facts["errors"] == [
        {"code": "bad_json", "line": 3, "row": 3, "repair": "trailing comma"}
    ]
    assert {"code": "duplicate", "line": 4, "row": 4, "of": 1} in facts["warnings"]


def test_a_warning_and_an_error_of_one_name_stay_apart(examine, user):
    asked = {"prompt": f"Is {SECRET} mine?", "completion": "It is not."}
    answered = {"prompt": "Which is mine?", "completion": f"Yours is {SECRET}."}
    kinds = examine(rows(user, pair(1), asked, answered)).facts["kinds"]
    secrets = {k["severity"]: (k["rows"], k["first_lines"]) for k in kinds if k["code"] == "secret"}
    assert secrets == {"error": (1, [3]), "warning": (1, [2])}


@pytest.mark.parametrize("first", [True, False])
def test_a_secret_of_the_file_is_not_in_the_facts(examine, user, first):
    holding = pair(1, note=SECRET)
    answered = {"prompt": "Which?", "completion": f"Yours is {SECRET}."}
    lines = [holding, pair(2), answered] if first else [pair(2), answered, holding]
    found = examine(rows(user, *lines))
    assert SECRET not in json.dumps(found.facts)
    assert SECRET not in found.report.model_dump_json()
    redacted = examine(rows(user, {"prompt": SECRET, "completion": "x"}, *lines), "redact-secrets")
    assert SECRET not in json.dumps(redacted.facts)
    assert redacted.facts["first_row"]["messages"][0]["content"] == "[secret]"


def test_personal_data_is_shown_masked(examine, user):
    path = rows(user, pair(1), {"prompt": "I am anna@example.com", "completion": "Hello there."})
    (kind,) = [k for k in examine(path).facts["kinds"] if k["code"] == "pii_email"]
    assert kind["examples"] == ["a***@e***.com"]
    assert "--fix redact-pii" in kind["advice"]


def test_long_records_are_cut_where_they_stand_beside(examine, user):
    path = rows(user, pair(1, notes=["x" * 5000, {"k": list(range(90))}]))
    raw = examine(path).facts["first_raw"]
    assert len(raw["notes"][0]) < 2000
    assert len(raw["notes"][1]["k"]) == 20


def test_several_files_are_told_one_by_one(examine, user):
    folder = user / "data"
    folder.mkdir()
    rows(folder, *[pair(n) for n in range(5)], name="train.jsonl")
    rows(folder, pair(1), "broken", name="validation.jsonl")
    facts = examine(folder).facts
    assert [(f["rows"], f["good_rows"]) for f in facts["files"]] == [(5, 5), (2, 1)]
    assert facts["split"]["by"] == "the source itself"
    assert facts["split"]["validation"] == 1
    (bad,) = facts["errors"]
    assert bad["file"] == "validation.jsonl"


def test_what_cannot_be_read_at_all_is_an_error(examine, user):
    with pytest.raises(NotFoundError):
        examine(user / "missing.jsonl")
    with pytest.raises(SpecError) as caught:
        examine(homes.data(user), "nonsense")
    assert caught.value.code == "unknown_repair"
    with pytest.raises(SpecError) as caught:
        examine(homes.data(user), format="nonsense")
    assert caught.value.code == "unknown_format"


def test_an_address_is_fetched_judged_and_its_secret_is_nowhere(tmp_path, user):
    body = homes.data(user).read_bytes()
    with OddServer({"/rows.jsonl": response(200, body)}) as server:
        settings = homes.settings(tmp_path).model_copy(
            update={"egress_http": True, "egress_private_hosts": f"127.0.0.1:{server.port}"}
        )
        source = f"http://127.0.0.1:{server.port}/rows.jsonl?X-Amz-Signature=PLANTED"
        seen = []
        found = data_doctor.examine(
            source, settings, ReadOptions(), model=str(user / "model"),
            on_progress=lambda *of: seen.append(of),
        )  # fmt: skip
    assert found.report.good_rows == 24
    assert found.facts["training"]["planned"] is True
    assert "PLANTED" not in json.dumps(found.facts)
    assert seen
    assert not settings.home.exists()


# Methods


def test_pairs_are_judged_for_the_method_that_was_named(examine, user):
    path = rows(user, *[{"prompt": f"why {n}?", "chosen": f"so {n}.", "rejected": "no."} for n in range(30)])  # fmt: skip
    supervised, weighed = examine(path), examine(path, method="dpo")
    assert "method_mismatch_sft" in {w["code"] for w in supervised.facts["warnings"]}
    assert "method_mismatch_sft" not in {w["code"] for w in weighed.facts["warnings"]}
    assert weighed.facts["training"]["planned"] is True
    assert weighed.facts["training"]["tokens"] > supervised.facts["training"]["tokens"]
    assert weighed.facts["next"] == f"podtune train {path} --set method=dpo"


def test_the_command_that_takes_the_data_is_named(examine, user):
    path = rows(user, *[pair(n) for n in range(20)])
    facts = examine(path, method="dpo").facts
    assert (facts["verdict"], facts["next"]) == ("no data for dpo", f"podtune train {path}")
    story = user / "story.txt"
    story.write_text("Once upon a time there was a grinder. " * 60)
    facts = examine(story).facts
    assert facts["next"] == f"podtune train {story} --set method=cpt"


def test_texts_are_counted_whole_and_without_markup(examine, user):
    folder = user / "texts"
    folder.mkdir()
    for n in range(20):
        (folder / f"{n}.txt").write_text(f"Chapter {n}. " + "The grinder hummed. " * 30)
    facts = examine(folder, method="cpt").facts
    assert (facts["format"], facts["good_rows"], facts["notes"]) == ("plain_text", 20, [])
    assert facts["tokens"]["total"] > 0
    assert facts["training"]["planned"] is True
    assert facts["training"]["tokens"] <= facts["tokens"]["total"]

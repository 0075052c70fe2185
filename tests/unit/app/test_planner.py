"""What a plan is made from: data and model of this machine, and nothing written while looking."""

import json
import subprocess
import sys

import pytest

from podtune.app import planner
from podtune.core.errors import (
    CredentialsError,
    DatasetError,
    NotFoundError,
    PodtuneError,
    SpecError,
)
from podtune.core.plan import Origin
from podtune.core.request import TrainingRequest
from podtune.core.spec import BaseModelSpec, ModelSource
from podtune.storage import base_models
from support import homes, tiny_model
from support.odd_server import OddServer, response


@pytest.fixture
def user(tmp_path):
    """The user's folder."""
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


def row(question, answer="because"):
    return json.dumps({"prompt": question, "completion": answer}) + "\n"


def test_a_plan_is_exact_with_the_models_own_tokenizer(user):
    plan = homes.plan(user)
    assert plan.tokens.exact
    assert plan.schedule.exact
    assert plan.report.good_rows == 24
    assert plan.tokens.train_rows + plan.tokens.validation_rows == 24
    assert plan.base_model.source == "path"


def test_the_same_request_gives_the_same_digest(user):
    assert homes.plan(user).digest == homes.plan(user).digest


def test_planning_writes_nothing(user):
    homes.model(user / "model")
    homes.data(user)
    before = sorted(user.rglob("*"))
    homes.plan(user)
    assert sorted(user.rglob("*")) == before


def test_paths_become_absolute(user, monkeypatch):
    homes.model(user / "model")
    homes.data(user)
    monkeypatch.chdir(user)
    request = planner.source_request(
        "tickets.jsonl", {"base_model.name": "./model", "deliver.to": "out"}
    )
    spec = planner.make_plan(request, homes.settings(user)).spec
    assert spec.data.source == str(user / "tickets.jsonl")
    assert spec.base_model.name == str(user / "model")
    assert spec.deliver.to == str(user / "out")


def test_a_neighbour_with_held_out_rows_is_taken_and_noted(user):
    homes.data(user)
    held = homes.data(user, 5, "tickets.validation.jsonl")
    held.write_text("".join(row(f"something else {n}") for n in range(5)))
    plan = homes.plan(user)
    assert plan.spec.data.validation_source == str(held)
    assert (plan.tokens.train_rows, plan.tokens.validation_rows) == (24, 5)
    note = plan.note("data.validation_source")
    assert note is not None
    assert note.origin is Origin.ASSUMED
    assert "beside the data" in note.why
    assert plan.validation_report is not None
    assert plan.warnings == () or not any("held-out" in w for w in plan.warnings)


def test_a_neighbour_is_left_alone_when_a_share_was_stated(user):
    homes.data(user, 5, "tickets.validation.jsonl")
    plan = homes.plan(user, data__validation=0.2)
    assert plan.spec.data.validation_source is None
    assert plan.validation_report is None


def test_a_stated_validation_file_wins_over_the_neighbour(user):
    homes.data(user, 5, "tickets.validation.jsonl")
    other = homes.data(user, 3, "other.jsonl")
    plan = homes.plan(user, data__validation_source=str(other))
    assert plan.tokens.validation_rows == 3


def test_held_out_questions_that_are_trained_on_are_a_warning(user):
    homes.data(user)
    held = homes.data(user, 2, "tickets.validation.jsonl")
    held.write_text(row("never asked") + row("How do I RESET grinder 3"))
    plan = homes.plan(user)
    (leak,) = [w for w in plan.warnings if "held-out" in w]
    assert leak.startswith("1 held-out questions are also trained on (lines 2 of")


def test_no_share_holds_none_out(user):
    assert homes.plan(user, data__validation=0).tokens.validation_rows == 0


def test_max_rows_takes_the_first(user):
    plan = homes.plan(user, data__max_rows=10, data__validation=0)
    assert (plan.tokens.train_rows, plan.report.rows) == (10, 24)


def test_a_delivery_folder_must_be_empty(user):
    (user / "out").mkdir()
    assert homes.plan(user, deliver__to=str(user / "out")).spec.deliver.to == str(user / "out")
    (user / "out" / "mine").write_text("x")
    for place in (user / "out", user / "out" / "mine"):
        with pytest.raises(SpecError) as caught:
            homes.plan(user, deliver__to=str(place))
        assert caught.value.code == "target_exists"


def test_bad_rows_stop_unless_they_may_be_skipped(user):
    path = homes.data(user)
    path.write_text(path.read_text() + '{"prompt": "no answer"}\nnot json\n')
    with pytest.raises(DatasetError) as caught:
        homes.plan(user)
    findings = caught.value.context["findings"]
    assert isinstance(findings, list)
    assert [f["line"] for f in findings if f["severity"] == "error"] == [25, 26]
    plan = homes.plan(user, data__on_bad_rows="skip")
    assert plan.report.good_rows == 24
    assert any("2 of 26 rows are left out (lines 25, 26)" in w for w in plan.warnings)


def test_many_lines_are_shortened(user):
    path = homes.data(user)
    path.write_text(path.read_text() + "not json\n" * 12)
    plan = homes.plan(user, data__on_bad_rows="skip")
    assert any("29, 30, 31, 32 ...)" in w for w in plan.warnings)


def test_few_rows_are_a_warning(user):
    homes.data(user, 5)
    homes.data(user, 2, "two.jsonl")
    plan = homes.plan(user, data__source=str(user / "two.jsonl"))
    assert any("too few rows" in w for w in plan.warnings)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.jsonl", b"", "empty_file"),
        ("blank.jsonl", b" \n \n", "empty_file"),
        ("binary.jsonl", b"\x7fELF\x00\x01x", "not_text"),
        ("broken.zip", b"PK\x03\x04\x00\x00", None),
        ("words.jsonl", b"just words\n", "bad_data"),
        ("latin.jsonl", '{"prompt": "ü"}'.encode("latin-1"), "bad_data"),
        ("table.csv", b"a,b\n1,2\n", "bad_data"),
        ("choice.csv", b"question,prompt,answer\nwhy is it,what is it,because\n", "choice_needed"),
    ],
)
def test_a_bad_file_is_refused_and_writes_nothing_into_the_home(user, name, content, code):
    (user / name).write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        homes.plan(user, data__source=str(user / name))
    assert code is None or caught.value.code == code
    assert not homes.settings(user).home.exists()


def test_a_missing_file_and_a_folder(user):
    with pytest.raises(NotFoundError) as missing:
        homes.plan(user, data__source=str(user / "nothing.jsonl"))
    assert missing.value.code == "file_not_found"
    (user / "none").mkdir()
    with pytest.raises(NotFoundError) as folder:
        homes.plan(user, data__source=str(user / "none"))
    assert folder.value.code == "file_not_found"


def test_files_of_a_folder_are_planned_as_one_and_part_as_their_names_say(user):
    homes.data(user / "data", 10, "train.jsonl")
    held = homes.data(user / "data", 3, "validation.jsonl")
    held.write_text("".join(row(f"something else {n}") for n in range(3)))
    plan = homes.plan(user, data__source=str(user / "data"))
    assert (plan.tokens.train_rows, plan.tokens.validation_rows) == (10, 3)
    assert plan.spec.data.source == str(user / "data")
    assert len(plan.report.files) == 2


def fetching(user, server):
    return homes.settings(user).model_copy(
        update={"egress_http": True, "egress_private_hosts": f"127.0.0.1:{server.port}"}
    )


def test_an_address_is_planned_and_its_secret_is_in_no_part_of_the_plan(user):
    body = homes.data(user).read_bytes()
    homes.model(user / "model")
    answers = {"/rows.jsonl": response(200, body), "/held.jsonl": response(200, body)}
    with OddServer(answers) as server:
        at = f"http://127.0.0.1:{server.port}"
        stated = {
            "base_model.name": str(user / "model"),
            "data.validation_source": f"{at}/held.jsonl?sig=PLANTED",
        }
        request = planner.source_request(f"{at}/rows.jsonl?v=2&X-Amz-Signature=PLANTED", stated)
        plan = planner.make_plan(request, fetching(user, server))
        again = planner.make_plan(request, fetching(user, server))
    assert plan.report.good_rows == 24
    assert any("are also trained on" in w for w in plan.warnings)
    assert "PLANTED" not in plan.model_dump_json()
    assert plan.spec.data.source == f"{at}/rows.jsonl"
    assert again.digest == plan.digest


@pytest.mark.parametrize("body", [b"broken\n", b"", b"\x7fELF\x00\x01x"])
def test_an_address_that_gives_no_data_is_refused_without_its_secret(user, body):
    homes.model(user / "model")
    with OddServer({"/rows.jsonl": response(200, body)}) as server:
        for path in ("rows.jsonl", "missing.jsonl"):
            source = f"http://127.0.0.1:{server.port}/{path}?X-Amz-Signature=PLANTED"
            request = planner.source_request(source, {"base_model.name": str(user / "model")})
            with pytest.raises(PodtuneError) as caught:
                planner.make_plan(request, fetching(user, server))
            assert "PLANTED" not in json.dumps(caught.value.to_json(), default=str)


def test_rows_that_a_template_refuses_are_named_without_the_secret_of_their_address(user):
    homes.model(user / "model")
    (user / "model" / "chat_template.jinja").write_text("{{ raise_exception('never') }}")
    with OddServer({"/rows.jsonl": response(200, homes.data(user).read_bytes())}) as server:
        source = f"http://127.0.0.1:{server.port}/rows.jsonl?X-Amz-Signature=PLANTED"
        request = planner.source_request(source, {"base_model.name": str(user / "model")})
        with pytest.raises(PodtuneError) as caught:
            planner.make_plan(request, fetching(user, server))
    assert "PLANTED" not in json.dumps(caught.value.to_json(), default=str)


# Repairs


def test_repairs_are_offered_and_made_with_consent(user):
    path = homes.data(user)
    path.write_text(path.read_text() + '{"prompt": "x", "completion": "y",}\n')
    with pytest.raises(DatasetError) as caught:
        homes.plan(user)
    assert "--fix trailing-comma" in caught.value.hint
    plan = homes.plan(user, data__fix="trailing-comma")
    assert plan.report.good_rows == 25
    assert plan.report.repaired == {"trailing-comma": 1}
    assert any("mended with consent, trailing-comma: 1 row" in w for w in plan.warnings)
    assert plan.spec.data.fix == ("trailing-comma",)


def test_a_repair_changes_the_plan_s_digest(user):
    path = homes.data(user)
    path.write_text(path.read_text() + row("i am anna@example.com"))
    plain, bare = homes.plan(user), homes.plan(user, data__redact_pii=True)
    assert plain.report.rows_sha256 != bare.report.rows_sha256
    assert plain.digest != bare.digest
    assert bare.report.repaired == {"redact-pii": 1}


def test_an_unknown_repair_is_refused(user):
    with pytest.raises(SpecError) as caught:
        homes.plan(user, data__fix="nonsense")
    assert caught.value.code == "unknown_repair"


def test_a_secret_in_the_data_is_not_in_the_plan(user):
    secret = "sk-proj-Zk3Qx9Lm2Vb7Rt5Yw8Np4Hd6Js1Gf0Ac"
    path = homes.data(user)
    path.write_text(path.read_text() + row(f"is {secret} mine?") + row("key?", f"use {secret}."))
    with pytest.raises(DatasetError) as caught:
        homes.plan(user)
    assert secret not in json.dumps(caught.value.to_json(), default=str)
    for stated in ({"data__on_bad_rows": "skip"}, {"data__fix": "redact-secrets"}):
        assert secret not in homes.plan(user, **stated).model_dump_json()


def test_a_spec_file_is_read_and_flags_win(user):
    homes.model(user / "model")
    data = homes.data(user)
    (user / "spec.yaml").write_text(
        f"base_model: {user / 'model'}\ndata:\n  source: {data}\nadapter:\n  rank: 4\n"
        "training:\n  learning_rate: 2e-4\n"
    )
    request = planner.source_request(str(user / "spec.yaml"), {"adapter.rank": 8})
    plan = planner.make_plan(request, homes.settings(user))
    assert plan.spec.adapter.rank == 8
    assert plan.spec.training.learning_rate == 2e-4


def test_columns_are_named_as_the_advice_says(user):
    homes.model(user / "model")
    table = user / "table.csv"
    table.write_text("frage,antwort\n" + "".join(f"was ist {n},das {n}\n" for n in range(12)))
    plan = homes.plan(
        user,
        data__source=str(table),
        data__columns__prompt="frage",
        data__columns__completion="antwort",
    )
    assert plan.report.columns == {"prompt": "frage", "completion": "antwort"}


def test_a_model_that_speaks_no_turns_is_refused(user):
    homes.model(user / "model")
    (user / "model" / "chat_template.jinja").unlink()
    with pytest.raises(SpecError) as caught:
        homes.plan(user)
    assert caught.value.code == "no_chat_template"


def test_rows_the_template_refuses_are_named(user):
    homes.model(user / "model")
    (user / "model" / "chat_template.jinja").write_text(
        "{% if messages[0]['role'] == 'assistant' %}{{ raise_exception('ask first') }}{% endif %}"
        + tiny_model.CHATML
    )
    path = homes.data(user)
    answer = {"messages": [{"role": "assistant", "content": "hello"}]}
    path.write_text(path.read_text() + json.dumps(answer) + "\n")
    with pytest.raises(DatasetError) as caught:
        homes.plan(user)
    assert caught.value.code == "template_refused"
    plan = homes.plan(user, data__on_bad_rows="skip")
    assert any("lines 25" in w for w in plan.warnings)


def test_a_system_text_that_has_no_role_is_folded_and_said(user):
    homes.model(user / "model")
    (user / "model" / "chat_template.jinja").write_text(
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        + tiny_model.CHATML
    )
    plan = homes.plan(user, data__system_prompt="Be short.")
    assert any("no system role" in w and "(24 rows)" in w for w in plan.warnings)
    assert plan.tokens.examples == plan.tokens.train_rows


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("adapter.alpha", float("inf")),
        ("where.max_hours", float("inf")),
        ("where.min_vram_gib", float("inf")),
        ("training.epochs", float("inf")),
        ("training.learning_rate", float("nan")),
    ],
)
def test_values_that_json_cannot_hold_are_refused(user, path, value):
    with pytest.raises(SpecError):
        homes.plan(user, **{path.replace(".", "__"): value})


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf")])
def test_minutes_that_mean_nothing_are_refused(user, minutes):
    homes.model(user / "model")
    stated = {"base_model.name": str(user / "model")}
    with pytest.raises(PodtuneError):
        planner.make_plan(
            planner.source_request(str(homes.data(user)), stated, minutes), homes.settings(user)
        )


def test_a_request_remembers_its_minutes():
    assert planner.source_request("x.jsonl", {"a": 1}, 5.0) == TrainingRequest(
        stated={"data.source": "x.jsonl", "a": 1}, minutes=5.0
    )


# Methods and the data they need


def preference(n, **more):
    return {"prompt": f"how do I reset grinder {n}?", "chosen": f"hold button {n}.",
            "rejected": "no idea.", **more}  # fmt: skip


def rated(n):
    return {"prompt": f"how do I reset grinder {n}?", "completion": f"hold button {n}.",
            "label": n % 3 > 0}  # fmt: skip


def weighed(user, rows, name="tickets.jsonl"):
    (user / name).write_text("".join(json.dumps(value) + "\n" for value in rows), encoding="utf-8")


@pytest.mark.parametrize("method", ["dpo", "orpo"])
def test_pairs_are_planned_by_both_their_documents(user, method):
    weighed(user, [preference(n) for n in range(24)])
    plan = homes.plan(user, method=method, data__validation=0)
    assert plan.tokens.exact
    assert plan.tokens.examples == plan.tokens.train_rows == 24
    assert not any("better answer only" in words for words in plan.warnings)
    weighed(user, [rated(n) for n in range(24)], "rated.jsonl")
    weighed(user, [{k: v for k, v in preference(n).items() if k != "rejected"} | {
        "completion": preference(n)["chosen"]} for n in range(24)], "sft.jsonl")  # fmt: skip
    single = planner.make_plan(
        planner.source_request(
            str(user / "sft.jsonl"),
            {"base_model.name": str(user / "model"), "data.validation": 0},
        ),
        homes.settings(user),
    )
    assert plan.tokens.train > single.tokens.train
    assert plan.tokens.trained > single.tokens.trained


def test_rated_answers_are_planned_one_by_one_and_pairs_as_two(user):
    weighed(user, [rated(n) for n in range(12)] + [preference(n) for n in range(12, 24)])
    plan = homes.plan(user, method="kto", data__validation=0)
    assert (plan.tokens.train_rows, plan.tokens.examples) == (24, 36)


@pytest.mark.parametrize(("method", "needs"), [("dpo", "pairs"), ("orpo", "pairs"), ("kto", "rated answers"), ("cpt", "plain text")])  # fmt: skip
def test_conversations_are_refused_where_a_method_cannot_learn_from_them(user, method, needs):
    with pytest.raises(DatasetError, match=f"{method} needs {needs}") as caught:
        homes.plan(user, method=method)
    assert caught.value.code == "method_mismatch"
    assert "chat_messages" in caught.value.message
    assert "method=sft" in caught.value.hint


def test_ratings_of_one_kind_are_refused(user):
    weighed(user, [rated(n) | {"label": True} for n in range(24)])
    with pytest.raises(DatasetError) as caught:
        homes.plan(user, method="kto")
    assert caught.value.code == "one_sided_ratings"


def test_bad_answers_are_not_learnt_by_supervised_training_unless_left_out(user):
    weighed(user, [rated(n) for n in range(24)])
    with pytest.raises(DatasetError, match="8 errors"):
        homes.plan(user)
    plan = homes.plan(user, data__on_bad_rows="skip", data__validation=0)
    assert plan.tokens.train_rows == 16
    assert any("8 of 24 rows are left out" in words for words in plan.warnings)


STORY = "the grinder hummed and the fox slept on. " * 12


def texts(user, count=30):
    folder = user / "texts"
    folder.mkdir()
    for n in range(count):
        (folder / f"{n}.txt").write_text(f"chapter {n}. {STORY}", encoding="utf-8")
    return folder


def plan_texts(user, source, **stated):
    base = user / "model" if (user / "model").exists() else homes.model(user / "model")
    fields = {"base_model.name": str(base), "method": "cpt"}
    fields |= {key.replace("__", "."): value for key, value in stated.items()}
    return planner.make_plan(planner.source_request(str(source), fields), homes.settings(user))


def test_texts_are_planned_in_pieces(user):
    plan = plan_texts(user, texts(user), data__validation=0.1)
    tokens, length = plan.tokens, plan.spec.training.max_length
    assert (tokens.exact, length) == (True, 256)
    assert tokens.train_rows + tokens.validation_rows == 30
    assert tokens.validation_rows > 0
    assert tokens.longest <= length
    assert tokens.examples > tokens.train_rows
    assert tokens.trained == tokens.train - tokens.examples  # all but the first of each piece
    note = plan.note("training.max_length")
    assert note.origin is Origin.ASSUMED
    assert "pieces" in note.why
    assert any("divided into pieces" in words for words in plan.warnings)


def test_the_length_of_the_pieces_may_be_stated(user):
    plan = plan_texts(user, texts(user), training__max_length=100)
    assert plan.spec.training.max_length == 100
    assert plan.note("training.max_length").origin is Origin.STATED
    assert plan.tokens.longest <= 100


def test_texts_need_no_chat_template(user):
    base = homes.model(user / "model")
    (base / "chat_template.jinja").unlink()
    plan = plan_texts(user, texts(user))
    assert plan.tokens.exact
    homes.data(user)
    with pytest.raises(SpecError) as caught:
        homes.plan(user)
    assert caught.value.code == "no_chat_template"
    assert "method=cpt" in caught.value.hint


def test_one_text_holds_nothing_out_and_says_so(user):
    source = user / "story.txt"
    source.write_text(STORY, encoding="utf-8")
    plan = plan_texts(user, source)
    assert plan.tokens.validation_rows == 0
    assert any("too few different texts" in words for words in plan.warnings)


def test_a_text_is_refused_for_conversations_with_the_method_that_takes_it(user):
    source = user / "story.txt"
    source.write_text(STORY, encoding="utf-8")
    with pytest.raises(DatasetError) as caught:
        plan_texts(user, source, method="sft")
    assert caught.value.code == "method_mismatch"
    assert "method=cpt" in caught.value.hint


def longish(user, long, short):
    """Rows of which some are over 128 tokens after their first answer."""

    def turns(n, words):
        question = {"role": "user", "content": f"question number {n}?"}
        answer = {"role": "assistant", "content": "yes."}
        return [question, answer, {**question, "content": "more?"}, {**answer, "content": words}]

    rows = [turns(n, "so " * 100) for n in range(long)]
    rows += [turns(long + n, "no.") for n in range(short)]
    path = user / "tickets.jsonl"
    path.write_text("".join(json.dumps({"messages": r}) + "\n" for r in rows))
    return path


SHORTEN = {"training__max_length": 128, "training__long_rows": "shorten", "data__validation": 0}


def test_rows_are_shortened_on_request_and_it_is_said(user):
    longish(user, 2, 30)
    with pytest.raises(DatasetError, match="2 rows"):
        homes.plan(user, training__max_length=128, data__validation=0)
    plan = homes.plan(user, **SHORTEN)
    assert plan.tokens.examples == 32
    assert plan.tokens.longest <= 128
    assert any("2 (lines 1, 2)" in warning for warning in plan.warnings)


def test_a_length_that_would_shorten_many_rows_is_refused_with_the_figures(user):
    longish(user, 10, 30)
    with pytest.raises(DatasetError, match=r"10 of 40 rows are over .* lose \d+ tokens") as caught:
        homes.plan(user, **SHORTEN)
    assert caught.value.code == "too_much_shortened"
    assert caught.value.context["rows"] == 10


def test_processes_are_planned_as_far_as_the_machine_has_cores(user):
    with pytest.raises(SpecError, match=r"where\.count is 4096") as caught:
        homes.plan(user, where__count=4096)
    assert caught.value.code == "too_few_devices"


# rented machines


@pytest.fixture
def cloud(monkeypatch):
    """A stand-in cloud that the environment names."""
    from podtune.testing.cloud import Cloud
    from podtune.testing.server import CloudServer

    with CloudServer(Cloud()) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


def test_a_rented_plan_is_priced_by_the_cloud_of_the_environment(user, cloud):
    plan = homes.plan(user, where__on="runpod", where__max_usd=1)
    assert plan.price is not None
    assert plan.price.first.offer.provider == "runpod"
    assert 0 < plan.price.first.usd_p50 <= plan.price.max_usd == 1


def test_a_missing_key_is_told_before_any_data_is_read(user, monkeypatch):
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    request = planner.source_request("nowhere.jsonl", {"where.on": "runpod", "base_model": "o/m"})
    with pytest.raises(CredentialsError, match="RUNPOD_API_KEY is not set"):
        planner.make_plan(request, homes.settings(user))


def test_a_local_plan_needs_no_key_and_loads_no_http_client(user, root):
    homes.model(user / "model")
    program = (
        "import sys; from podtune.app import planner; from support import homes; "
        "from pathlib import Path; plan = homes.plan(Path(sys.argv[1])); "
        "assert plan.price is None; sys.exit('httpx2' in sys.modules)"
    )
    path = f"{root / 'src'}:{root / 'tests'}"
    done = subprocess.run(
        [sys.executable, "-c", program, str(user)],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "HOME": str(user)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0


def test_a_gated_model_needs_a_token_of_the_pods_own(user, cloud, monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_x")
    monkeypatch.delenv("PODTUNE_POD_HF_TOKEN", raising=False)
    folder = homes.model(user / "gated")
    found = base_models.Located(
        "org/gated", "0" * 40, ModelSource.HUB, folder, base_models.locate(
            BaseModelSpec(name=str(folder)), user
        ).config, True, None, is_restricted=True,
    )  # fmt: skip
    monkeypatch.setattr(base_models, "locate", lambda *given, **options: found)
    with pytest.raises(CredentialsError) as caught:
        homes.plan(user, where__on="runpod", where__max_usd=1)
    assert caught.value.code == "pod_token_needed"
    monkeypatch.setenv("PODTUNE_POD_HF_TOKEN", "hf_x")
    plan = homes.plan(user, where__on="runpod", where__max_usd=1)
    assert plan.base_model.location is None

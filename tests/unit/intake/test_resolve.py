import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import NotFoundError, SpecError, UnsupportedError
from podtune.core.plan import Origin
from podtune.core.request import TrainingRequest
from podtune.core.spec import TrainingSpec, field_paths, flatten
from podtune.intake.defaults import DEFAULT_BASE_MODEL, WHY, WHY_RENTED
from podtune.intake.resolve import (
    parse_assignment,
    read_spec_file,
    refuse_unbuilt,
    refuse_unknown,
    resolve,
)

UNBUILT = {
    "deliver.export": ["gguf"],
    "deliver.delete_after": True,
    "where.deadline": "tomorrow",
}


def ask(**sections):
    """Resolve stated fields, written as section__field."""
    stated = {name.replace("__", "."): value for name, value in sections.items()}
    return resolve(TrainingRequest(stated={"data.source": "rows.jsonl", **stated}))


# resolve


def test_what_nobody_said_is_assumed_and_has_its_reason():
    spec, notes = ask()
    assert spec.base_model.name == DEFAULT_BASE_MODEL
    stated = {path for path, note in notes.items() if note.origin is Origin.STATED}
    assert stated == {"data.source"}
    assert {path: note.why for path, note in notes.items() if path in WHY} == dict(WHY)


def test_what_somebody_said_is_stated():
    spec, notes = ask(training__epochs=2, adapter__dropout=0.0)
    assert spec.training.epochs == 2
    for path in ("training.epochs", "adapter.dropout"):
        assert notes[path].origin is Origin.STATED
        assert notes[path].why == "you said so"


def test_there_is_one_note_for_each_field_with_its_value():
    spec, notes = ask(training__seed=7)
    assert tuple(notes) == field_paths()
    assert {path: note.value for path, note in notes.items()} == flatten(spec)
    assert all(path == note.path for path, note in notes.items())


def test_a_bare_base_model_is_its_name_and_counts_as_stated():
    spec, notes = ask(base_model="org/model")
    assert spec.base_model.name == "org/model"
    assert notes["base_model.name"].origin is Origin.STATED


def test_a_bare_base_model_keeps_a_stated_revision():
    spec, _ = ask(base_model="org/model", base_model__revision="v1")
    assert (spec.base_model.name, spec.base_model.revision) == ("org/model", "v1")


@given(st.integers(1, 1024))
def test_alpha_follows_the_rank(rank):
    spec, notes = ask(adapter__rank=rank)
    assert spec.adapter.alpha == 2 * rank
    assert notes["adapter.alpha"].origin is Origin.ASSUMED
    assert notes["adapter.rank"].origin is Origin.STATED


def test_a_stated_alpha_stays():
    spec, notes = ask(adapter__rank=8, adapter__alpha=8)
    assert spec.adapter.alpha == 8
    assert notes["adapter.alpha"].origin is Origin.STATED


@pytest.mark.parametrize("rank", ["many", None, True, [8]])
def test_a_rank_that_is_no_number_is_refused_by_its_name(rank):
    with pytest.raises(SpecError, match=r"adapter\.rank: .* is no number"):
        ask(adapter__rank=rank)


def test_the_request_is_left_as_it_was():
    request = TrainingRequest(stated={"data.source": "x", "base_model": "org/model"})
    resolve(request)
    assert request.stated == {"data.source": "x", "base_model": "org/model"}


def test_a_request_without_data_is_refused():
    with pytest.raises(SpecError, match="data"):
        resolve(TrainingRequest())


def test_all_values_out_of_range_are_named_at_once():
    with pytest.raises(SpecError) as caught:
        ask(adapter__dropout=2, data__validation=0.9, training__lr_scheduler="step")
    problems = caught.value.context["problems"]
    assert len(problems) == 3
    for name in ("adapter.dropout", "data.validation", "training.lr_scheduler"):
        assert name in caught.value.message
    assert "got '0.9'" in caught.value.message


def test_an_unknown_field_is_refused_before_anything_else():
    with pytest.raises(SpecError, match=r"'training\.epoch' \(did you mean training\.epochs\?\)"):
        ask(training__epoch=3, adapter__dropout=2)


def test_columns_can_be_stated_one_by_one_as_the_hints_say():
    spec, _ = ask(data__columns__prompt="frage", data__columns__completion="antwort")
    assert spec.data.columns == {"prompt": "frage", "completion": "antwort"}


def test_columns_can_be_stated_together():
    spec, notes = ask(data__columns={"prompt": "frage"})
    assert spec.data.columns == {"prompt": "frage"}
    assert notes["data.columns"].origin is Origin.STATED


def test_repairs_and_how_data_is_read_can_be_stated():
    spec, notes = ask(data__fix="redact-pii,trailing-comma", data__sheet="FAQ", data__speaker="Jo")
    assert spec.data.fix == ("redact-pii", "trailing-comma")
    assert (spec.data.sheet, spec.data.speaker) == ("FAQ", "Jo")
    assert notes["data.fix"].origin is Origin.STATED
    assert ask()[1]["data.fix"].why == "nothing is repaired unasked"


def test_redaction_is_built():
    assert ask(data__redact_pii=True)[0].data.redact_pii is True


# refuse_unknown


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("training.epoch", "training.epochs"),
        ("trainig.epochs", "training.epochs"),
        ("learning_rate", "training.learning_rate"),
        ("epochs", "training.epochs"),
        ("seed", "training.seed"),
        ("data.colums", "data.columns"),
        ("model", "base_model"),
        ("where.max_hour", "where.max_hours"),
    ],
)
def test_an_unknown_field_names_the_nearest(path, nearest):
    with pytest.raises(SpecError) as caught:
        refuse_unknown({path: 1})
    assert f"{path!r} (did you mean {nearest}?)" in caught.value.message
    assert caught.value.code == "unknown_field"
    assert caught.value.context == {"unknown": [path]}


def test_a_field_like_no_other_names_none():
    with pytest.raises(SpecError, match=r"^unknown field: 'zzzz'$"):
        refuse_unknown({"zzzz": 1})


def test_all_unknown_fields_are_named_at_once():
    with pytest.raises(SpecError) as caught:
        refuse_unknown({"zzzz": 1, "training.epochs": 2, "yyyy": 3})
    assert caught.value.context == {"unknown": ["zzzz", "yyyy"]}


def test_every_field_and_the_bare_model_are_known():
    assert refuse_unknown(dict.fromkeys([*field_paths(), "base_model"])) is None


# parse_assignment


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("training.epochs=3", "training.epochs", 3),
        ("training.learning_rate=2e-4", "training.learning_rate", 2e-4),
        ("training.learning_rate=2E-4", "training.learning_rate", 2e-4),
        ("training.learning_rate=0.0002", "training.learning_rate", 2e-4),
        ("training.packing=false", "training.packing", False),
        ("training.effective_batch={tokens: 512}", "training.effective_batch", {"tokens": 512}),
        ("adapter.target_modules=[q_proj, v_proj]", "adapter.target_modules", ["q_proj", "v_proj"]),
        ("data.max_rows=null", "data.max_rows", None),
        ("data.system_prompt=Be a=b", "data.system_prompt", "Be a=b"),
        ("data.system_prompt='3'", "data.system_prompt", "3"),
        ("data.system_prompt=", "data.system_prompt", None),
        ("training.report_to=none", "training.report_to", "none"),
        (" training.seed = 7 ", "training.seed", 7),
        ("base_model=org/model", "base_model", "org/model"),
    ],
)
def test_an_assignment_is_a_path_and_a_yaml_value(text, path, value):
    assert parse_assignment(text) == (path, value)


@pytest.mark.parametrize("text", ["training.epochs", "", "training.epochs: 3"])
def test_an_assignment_without_an_equals_sign_is_refused(text):
    with pytest.raises(SpecError, match="has no '='"):
        parse_assignment(text)


def test_an_assignment_to_an_unknown_field_names_the_nearest():
    with pytest.raises(SpecError, match=r"did you mean training\.epochs"):
        parse_assignment("training.epoch=3")


@pytest.mark.parametrize(
    "value", ["[1, 2", "{a: ", "'open", "a: b: c", "!!python/object:os.system x"]
)
def test_a_value_that_is_no_yaml_is_refused(value):
    with pytest.raises(SpecError, match="is no YAML value"):
        parse_assignment(f"training.effective_batch={value}")


@given(st.floats(1e-12, 1e12))
def test_every_number_that_python_writes_is_read_as_that_number(number):
    assert parse_assignment(f"training.learning_rate={number!r}")[1] == number


def test_words_with_an_e_stay_words():
    for word in ("linear", "elephant", "e", "one2e", "cosine"):
        assert parse_assignment(f"training.lr_scheduler={word}")[1] == word


# read_spec_file


def spec_file(folder, text):
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_spec_file_gives_what_it_states_and_no_more(tmp_path):
    path = spec_file(
        tmp_path,
        "base_model: {name: org/model, revision: v1}\n"
        "data:\n  source: rows.csv\n  columns: {prompt: frage, completion: antwort}\n"
        "method: sft\n"
        "training: {learning_rate: 2e-4, effective_batch: {tokens: 512}}\n",
    )
    assert read_spec_file(path) == {
        "base_model.name": "org/model",
        "base_model.revision": "v1",
        "data.source": "rows.csv",
        "data.columns": {"prompt": "frage", "completion": "antwort"},
        "method": "sft",
        "training.learning_rate": 2e-4,
        "training.effective_batch": {"tokens": 512},
    }


def test_a_bare_base_model_in_a_spec_file_is_its_name(tmp_path):
    path = spec_file(tmp_path, "base_model: org/model\ndata: {source: rows.csv}\n")
    assert read_spec_file(path) == {"base_model.name": "org/model", "data.source": "rows.csv"}


def test_where_on_is_a_key_like_any_other(tmp_path):
    # YAML 1.1 takes a bare `on` for yes; the spec of the design is written so
    path = spec_file(tmp_path, "data: {source: rows.csv}\nwhere: {on: local, count: 1}\n")
    assert read_spec_file(path) == {
        "data.source": "rows.csv",
        "where.on": "local",
        "where.count": 1,
    }


def test_empty_sections_state_nothing(tmp_path):
    path = spec_file(tmp_path, "data: {source: rows.csv}\ntraining: {}\n")
    assert read_spec_file(path) == {"data.source": "rows.csv"}


def test_a_written_spec_is_read_back_as_the_same_spec(tmp_path):
    spec, _ = ask(adapter__rank=8, training__epochs=2, data__columns={"prompt": "frage"})
    path = spec_file(tmp_path, yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False))
    again = resolve(TrainingRequest(stated=read_spec_file(path)))
    assert again.spec == spec
    assert {note.origin for note in again.notes.values()} == {Origin.STATED}


def test_a_missing_spec_file(tmp_path):
    with pytest.raises(NotFoundError, match="no spec file") as caught:
        read_spec_file(tmp_path / "spec.yaml")
    assert caught.value.code == "file_not_found"


@pytest.mark.parametrize(
    "text", ["a: b: c\n", "data: [1, 2\n", "\tdata: 1\n", "!!python/none x: 1\n"]
)
def test_a_spec_file_that_is_no_yaml(tmp_path, text):
    with pytest.raises(SpecError, match="is not YAML"):
        read_spec_file(spec_file(tmp_path, text))


def test_a_spec_file_that_is_no_text(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"data: {source: caf\xe9}\n")
    with pytest.raises(SpecError, match="is not YAML"):
        read_spec_file(path)


@pytest.mark.parametrize("text", ["", "just words\n", "[1, 2]\n", "3\n", "# nothing\n"])
def test_a_spec_file_that_is_no_mapping(tmp_path, text):
    with pytest.raises(SpecError, match="is not a spec"):
        read_spec_file(spec_file(tmp_path, text))


def test_unknown_keys_of_a_spec_file_are_named_at_once_with_the_nearest(tmp_path):
    path = spec_file(tmp_path, "data: {sorce: x}\ntraning: {epochs: 3}\n1: 2\n")
    with pytest.raises(SpecError) as caught:
        read_spec_file(path)
    assert caught.value.context == {"unknown": ["data.sorce", "traning.epochs", "1"]}
    assert "did you mean data.source?" in caught.value.message
    assert "did you mean training.epochs?" in caught.value.message


def test_a_section_that_is_no_section_is_refused(tmp_path):
    with pytest.raises(SpecError, match="unknown field: 'training'"):
        read_spec_file(spec_file(tmp_path, "data: {source: x}\ntraining: fast\n"))


# refuse_unbuilt


def spec_with(unbuilt):
    body = {"base_model": {"name": "org/model"}, "data": {"source": "x"}}
    for path, value in unbuilt.items():
        section, _, key = path.partition(".")
        if key:
            body.setdefault(section, {})[key] = value
        else:
            body[section] = value
    return TrainingSpec.model_validate(body)


@pytest.mark.parametrize(
    "stated",
    [
        {"method": "dpo"}, {"method": "cpt"}, {"adapter.kind": "qlora"}, {"adapter.bits": 8},
        {"adapter.kind": "full"}, {"where.count": 2}, {"where.nodes": 2},
        {"training.report_to": "tensorboard"}, {"training.precision": "fp16"},
    ],
    ids=str,
)  # fmt: skip
def test_methods_kinds_and_devices_are_built(stated):
    assert refuse_unbuilt(spec_with(stated)) is None


def test_contradictions_are_refused_after_what_is_not_built():
    with pytest.raises(SpecError, match="qlora holds the base model in 4 bits"):
        ask(adapter__kind="qlora", adapter__bits=16)
    with pytest.raises(UnsupportedError):
        ask(adapter__kind="qlora", adapter__bits=16, deliver__export=["gguf"])


def test_what_is_built_is_not_refused():
    assert refuse_unbuilt(spec_with({"adapter.kind": "lora", "adapter.bits": 16})) is None
    assert refuse_unbuilt(spec_with({})) is None


@pytest.mark.parametrize(("path", "value"), UNBUILT.items(), ids=str)
def test_each_unbuilt_field_is_refused_by_its_name(path, value):
    with pytest.raises(UnsupportedError) as caught:
        refuse_unbuilt(spec_with({path: value}))
    assert caught.value.code == "not_built"
    assert caught.value.context == {"fields": [path]}
    assert caught.value.message.startswith(f"{path}: ")


def test_all_unbuilt_fields_are_named_at_once():
    with pytest.raises(UnsupportedError) as caught:
        refuse_unbuilt(spec_with(UNBUILT))
    assert caught.value.context == {"fields": list(UNBUILT)}


def test_resolving_refuses_what_is_not_built():
    with pytest.raises(UnsupportedError, match=r"deliver\.export: exports are not built yet"):
        ask(deliver__export=["gguf"])


# rented machines


ONLY_RENTED = {
    "where.gpu_any_of": ["A40"],
    "where.gpu_avoid": ["A40"],
    "where.volume": "vol1",
    "where.region": "EU-RO-1",
    "where.min_vram_gib": 48,
    "where.registry_auth": "reg1",
    "where.keep_on_failure_min": 5,
    "where.image": "me/mine:1",
    "deliver.store": "hf",
}


@pytest.mark.parametrize(("path", "value"), ONLY_RENTED.items(), ids=str)
def test_what_is_for_rented_machines_is_refused_here_and_taken_there(path, value):
    with pytest.raises(UnsupportedError, match=rf"{path}: only for rented machines"):
        refuse_unbuilt(spec_with({path: value}))
    assert refuse_unbuilt(spec_with({path: value, "where.on": "runpod"})) is None


def test_several_rented_machines_together_are_not_built():
    with pytest.raises(UnsupportedError, match=r"where\.nodes: several rented"):
        refuse_unbuilt(spec_with({"where.on": "runpod", "where.nodes": 2}))


@pytest.mark.parametrize("to", [None, "./out", "s3://bucket/x"])
def test_only_a_model_repository_can_be_public(to):
    with pytest.raises(UnsupportedError, match=r"deliver\.public: only a model repository"):
        refuse_unbuilt(spec_with({"deliver.public": True, "deliver.to": to}))
    refuse_unbuilt(spec_with({"deliver.public": True, "deliver.to": "hf://org/name"}))


@pytest.mark.parametrize("place", ["local", None])
def test_here_the_default_model_will_do(place):
    stated = {"where__on": place} if place else {}
    assert ask(**stated).spec.base_model.name == DEFAULT_BASE_MODEL


def test_a_rented_machine_needs_a_model_named():
    with pytest.raises(SpecError) as caught:
        ask(where__on="runpod", where__max_usd=5)
    assert caught.value.code == "model_needed"
    assert str(caught.value.hint).startswith("--model ")
    assert caught.value.context["suggested_model"] in str(caught.value.hint)
    ask(where__on="runpod", base_model="org/model")


def test_reasons_of_a_rented_machine_are_its_own():
    _, notes = ask(where__on="runpod", base_model="org/model")
    for path, why in WHY_RENTED.items():
        assert notes[path].why == why
        assert why != WHY[path]
    assert notes["where.disk_gb"].why == WHY["where.disk_gb"]


def test_cards_can_be_named_with_commas():
    spec, _ = ask(where__on="runpod", base_model="o/m", where__gpu_any_of="A40, RTX A6000")
    assert spec.where.gpu_any_of == ("A40", "RTX A6000")


def test_words_and_reasons_stand_in_the_notes():
    request = TrainingRequest(
        stated={"base_model": "Qwen/Qwen3-8B", "data.source": "a.csv", "data.columns.prompt": "q", "training.epochs": 3},
        quotes={"base_model": "Qwen", "data.columns.prompt": "column q", "training.epochs": "3 epochs"},
        assumed={"base_model.name": "the usual", "training.seed": "any will do"},
    )  # fmt: skip
    _, notes = resolve(request)
    chosen, said = notes["base_model.name"], notes["training.epochs"]
    assert (chosen.origin, chosen.why, chosen.quote) == (Origin.ASSUMED, "the usual", "Qwen")
    assert (said.origin, said.quote) == (Origin.STATED, "3 epochs")
    assert notes["data.columns"].quote == "column q"
    assert notes["training.seed"].why == "any will do"
    assert notes["adapter.rank"].quote is None


def test_words_about_unknown_fields_are_refused():
    for more in ({"quotes": {"training.epoch": "x"}}, {"assumed": {"training.epoch": "x"}}):
        with pytest.raises(SpecError, match=r"training\.epochs"):
            resolve(TrainingRequest(stated={"data.source": "a.csv"}, **more))

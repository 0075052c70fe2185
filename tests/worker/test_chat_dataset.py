import json
import shutil

import pytest

import chat_dataset
from podtune.core.dataset import Message
from podtune.core.errors import DatasetError
from podtune.core.job import WorkerOrder
from podtune.data import canonical, units
from podtune.data.findings import finding
from podtune.data.masks import Example
from podtune.data.preferences import Pair, Rated
from podtune.data.template import TokenizerFolder
from progress import EventWriter
from support import build, tiny_model, worker_jobs


def load(job, tiny, order):
    events = EventWriter(job / "load.jsonl", job="demo", attempt=1)
    return chat_dataset.load(order, job, TokenizerFolder(tiny), events)


@pytest.fixture(scope="module")
def job(tmp_path_factory, tiny):
    """A job's folder before any training."""
    folder = tmp_path_factory.mktemp("given")
    rows = tiny_model.write_rows(folder / "tickets.jsonl", 40)
    return worker_jobs.make(folder / "job", tiny, rows, worker_jobs.QUICK)


@pytest.fixture
def order(job):
    return WorkerOrder.model_validate_json((job / "order.json").read_text())


def test_the_worker_counts_what_the_plan_counted(job, tiny, order):
    data = load(job, tiny, order)
    planned = order.plan.tokens
    assert sum(e.trained for e in data.train) == planned.trained
    assert sum(len(e.input_ids) for e in data.train) == planned.train
    assert len(data.held_out) == planned.validation_rows
    assert len(data.rows) == order.plan.schedule.rows_per_epoch


def test_rows_hold_every_example_once(job, tiny, order):
    data = load(job, tiny, order)
    assert sorted(i for row in data.rows for i in row) == list(range(len(data.train)))


def test_changed_data_is_refused(tiny, order, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text("{}\n")
    with pytest.raises(DatasetError, match="not the file that was planned"):
        load(tmp_path, tiny, order)


def reordered(order, job, rows, **data):
    """The order for other rows, which lie in the job's folder."""
    (job / "data").mkdir(exist_ok=True)
    digest = canonical.write(rows, job / "data" / "train.jsonl")
    report = order.plan.report.model_copy(update={"rows_sha256": digest})
    stated = order.plan.spec.data.model_copy(update=data)
    spec = order.plan.spec.model_copy(update={"data": stated})
    plan = order.plan.model_copy(update={"report": report, "spec": spec})
    return order.model_copy(update={"plan": plan})


def test_rows_that_the_source_holds_out_are_held_out(tmp_path, tiny, order):
    rows = [
        row._replace(split="validation" if row.line > 15 else "train")
        for row in build.conversations(20)
    ]
    data = load(tmp_path, tiny, reordered(order, tmp_path, rows, validation=0.4))
    assert [row.line for row in data.held_out] == [16, 17, 18, 19, 20]
    assert data.asked == data.held_out
    assert len(data.train) == data.train_rows == 15


def test_only_the_first_rows_are_taken_where_so_many_were_wanted(tmp_path, tiny, order):
    given = reordered(order, tmp_path, build.conversations(20), max_rows=7, validation=0)
    data = load(tmp_path, tiny, given)
    assert (len(data.train), data.held_out) == (7, ())
    assert [row.line for row in data.asked] == list(range(1, 8))


def long_row(line):
    return build.conversation("why? " * 2000, "because.", line)


def test_a_row_that_is_too_long_is_left_out_where_that_was_allowed(tmp_path, tiny, order):
    rows = [*build.conversations(8), long_row(9)]
    given = reordered(order, tmp_path, rows, validation=0)
    with pytest.raises(DatasetError, match="line 9") as caught:
        load(tmp_path, tiny, given)
    assert caught.value.code == "too_long"
    data = load(tmp_path, tiny, reordered(order, tmp_path, rows, validation=0, on_bad_rows="skip"))
    assert (len(data.train), data.train_rows) == (8, 8)
    assert [f.line for f in data.findings] == [9]
    assert 9 not in [row.line for row in data.asked]


def test_rows_of_one_line_are_not_left_out_with_another(tmp_path, tiny, order):
    # a JSON array without line breaks: every record stands on line 1
    rows = [row._replace(line=1, row=row.line) for row in build.conversations(8)]
    rows.append(long_row(1)._replace(row=9))
    data = load(tmp_path, tiny, reordered(order, tmp_path, rows, validation=0, on_bad_rows="skip"))
    assert (len(data.train), data.train_rows, len(data.asked)) == (8, 8, 8)


def test_folded_system_texts_are_counted(tmp_path, tiny, order):
    model = tmp_path / "model"
    shutil.copytree(tiny, model)
    template = model / "chat_template.jinja"
    refusing = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    )
    template.write_text(refusing + template.read_text())
    rows = [build.conversation(f"why {n}?", "so.", n, "be short.") for n in range(1, 5)]
    rows += build.conversations(9)[4:]
    data = load(tmp_path, model, reordered(order, tmp_path, rows, validation=0))
    assert (data.folded, data.train_rows) == (4, 9)


def test_tools_and_calls_are_trained_on(tmp_path, tiny, order):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = (
        Message("user", "why?"),
        Message("assistant", None, (call,)),
        Message("tool", "so", tool_call_id="1"),
        Message("assistant", "so."),
    )
    rows = [row._replace(messages=messages) for row in build.conversations(3)]
    given = reordered(order, tmp_path, rows, validation=0)
    with pytest.raises(DatasetError, match="tool calls"):  # this template does not show them
        load(tmp_path, tiny, given)
    model = tmp_path / "model"
    shutil.copytree(tiny, model)
    template = (model / "chat_template.jinja").read_text()
    calls = (
        "{{ m['content'] }}{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %}"
    )
    (model / "chat_template.jinja").write_text(template.replace("{{ m['content'] }}", calls))
    data = load(tmp_path, model, given)
    assert len(data.train) == 3
    assert data.asked[0].messages == messages


def test_rows_the_template_keeps_out_stop_the_job_unless_skipped():
    found = (finding("too_long", 7, detail="900 tokens, limit 512"),)
    with pytest.raises(DatasetError, match="line 7"):
        chat_dataset.refuse_findings(found, skip=False)
    chat_dataset.refuse_findings(found, skip=True)
    chat_dataset.refuse_findings((), skip=False)


# Each method from its own file to its own units, as the plan counted them


def pair(n):
    return {"prompt": f"how do I reset grinder {n}?", "chosen": f"hold button {n}.",
            "rejected": f"no idea about {n}."}  # fmt: skip


def rated(n):
    return {"prompt": f"how do I reset grinder {n}?", "completion": f"hold button {n}.",
            "label": n % 2 == 0}  # fmt: skip


def chapter(n):
    return {"text": f"Chapter {n}. " + f"The grinder hums a song of {n} beans. " * (3 + n % 9)}


METHODS = {
    "dpo": (pair, Pair),
    "orpo": (pair, Pair),
    "kto": (rated, Rated),
    "cpt": (chapter, Example),
}


def planned(job, model, rows, **stated):
    """A job's folder for rows as users write them, and its order."""
    source = job / "given.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    made = worker_jobs.make(job / "job", model, source, {"data.validation": 0.2} | stated)
    return made, WorkerOrder.model_validate_json((made / "order.json").read_text())


@pytest.mark.parametrize("method", METHODS)
def test_the_worker_s_units_are_what_the_plan_counted(method, tmp_path, tiny):
    row, kind = METHODS[method]
    job, given = planned(tmp_path, tiny, [row(n) for n in range(30)], method=method)
    data = load(job, tiny, given)
    counted = given.plan.tokens
    assert counted.exact
    assert (data.method, {type(unit) for unit in data.train}) == (method, {kind})
    assert (data.train_tokens, data.trained_tokens) == (counted.train, counted.trained)
    assert sum(units.tokens(unit) for unit in data.validation) == counted.validation
    assert len(data.train) == counted.examples
    assert (data.train_rows, len(data.held_out)) == (counted.train_rows, counted.validation_rows)
    assert len(data.held_out) > 0
    assert len(data.rows) == given.plan.schedule.rows_per_epoch


@pytest.mark.parametrize("method", METHODS)
def test_a_row_holds_whole_units_and_no_more_than_it_may(method, tmp_path, tiny):
    job, given = planned(tmp_path, tiny, [METHODS[method][0](n) for n in range(30)], method=method)
    data = load(job, tiny, given)
    assert sorted(i for row in data.rows for i in row) == list(range(len(data.train)))
    limit = given.plan.spec.training.max_length
    assert all(sum(units.tokens(data.train[i]) for i in row) <= limit for row in data.rows)


@pytest.mark.parametrize("method", METHODS)
def test_every_row_of_a_method_has_a_prompt(method, tmp_path, tiny):
    job, given = planned(tmp_path, tiny, [METHODS[method][0](n) for n in range(30)], method=method)
    folder = TokenizerFolder(tiny)
    data = load(job, tiny, given)
    asked = chat_dataset.prompts(data.asked, folder, given)
    assert len(asked) == len(data.held_out) > 0
    for row, found in zip(data.held_out, asked, strict=True):
        whole = row.messages[0].text if method == "cpt" else row.messages[-1].text
        assert whole.endswith(found.expected)
        assert found.expected
        assert found.question in found.prompt
        assert folder.tokenizer.encode(found.prompt, add_special_tokens=False).ids


def test_texts_are_divided_as_they_were_planned_and_it_is_counted(tmp_path, tiny):
    rows = [chapter(n) for n in range(20)]
    job, given = planned(tmp_path, tiny, rows, method="cpt", **{"training.max_length": 64})
    data = load(job, tiny, given)
    assert data.counts["text_divided"] > 0
    assert len(data.train) > data.train_rows
    assert data.trained_tokens == data.train_tokens - len(data.train)


def test_a_pair_that_fits_no_row_stops_the_job_unless_it_may_be_left_out(tmp_path, tiny):
    rows = [pair(n) for n in range(8)]
    job, order = planned(tmp_path, tiny, rows, method="dpo", **{"data.validation": 0})
    short = order.plan.spec.training.model_copy(update={"max_length": 16})
    spec = order.plan.spec.model_copy(update={"training": short})
    given = order.model_copy(update={"plan": order.plan.model_copy(update={"spec": spec})})
    with pytest.raises(DatasetError, match="in both answers") as caught:
        load(job, tiny, given)
    assert caught.value.code == "too_long"

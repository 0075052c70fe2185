import shutil

import pytest

import chat_dataset
from podtune.core.dataset import Message
from podtune.core.errors import DatasetError
from podtune.core.job import WorkerOrder
from podtune.data import canonical
from podtune.data.findings import finding
from podtune.data.template import TokenizerFolder
from progress import EventWriter
from support import build


def load(job, tiny, order):
    events = EventWriter(job / "load.jsonl", job="demo", attempt=1)
    return chat_dataset.load(order, job, TokenizerFolder(tiny), events)


@pytest.fixture
def order(trained):
    return WorkerOrder.model_validate_json((trained / "order.json").read_text())


def test_the_worker_counts_what_the_plan_counted(trained, tiny, order):
    data = load(trained, tiny, order)
    planned = order.plan.tokens
    assert sum(e.trained for e in data.train) == planned.trained
    assert sum(len(e.input_ids) for e in data.train) == planned.train
    assert len(data.held_out) == planned.validation_rows
    assert len(data.rows) == order.plan.schedule.rows_per_epoch


def test_rows_hold_every_example_once(trained, tiny, order):
    data = load(trained, tiny, order)
    assert sorted(i for row in data.rows for i in row) == list(range(len(data.train)))


def test_changed_data_is_refused(trained, tiny, order, tmp_path):
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

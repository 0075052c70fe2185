import pytest

import chat_dataset
from podtune.core.errors import DatasetError
from podtune.core.job import WorkerOrder
from podtune.data.findings import finding
from podtune.data.template import TokenizerFolder
from progress import EventWriter


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


def test_rows_the_template_keeps_out_stop_the_job_unless_skipped():
    found = (finding("too_long", 7, detail="900 tokens, limit 512"),)
    with pytest.raises(DatasetError, match="line 7"):
        chat_dataset.refuse_findings(found, skip=False)
    chat_dataset.refuse_findings(found, skip=True)
    chat_dataset.refuse_findings((), skip=False)

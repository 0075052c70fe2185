from podtune.core.job import WorkerOrder
from progress import EventWriter
from training_run import Run


def test_everything_lies_in_the_jobs_folder(trained, tmp_path):
    order = WorkerOrder.model_validate_json((trained / "order.json").read_text())
    run = Run(order, tmp_path, EventWriter(tmp_path / "events.jsonl", job="a", attempt=1))
    assert {p.parent for p in (run.work, run.artifact, run.checkpoints)} == {tmp_path}
    assert run.spec is run.plan.spec is order.plan.spec

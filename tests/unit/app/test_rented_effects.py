"""What every rented job's phases do alike; the rest of it is seen at work in the effects of pods and queues."""

from podtune.app.rented_effects import RentedJobEffects, RentedTools
from podtune.app.settings import Settings
from podtune.providers.runpod.images import DEFAULT
from podtune.providers.runpod.orders import OrderBook
from support import build, rented_jobs
from support.queued_jobs import Store

JOB = rented_jobs.job()


def effects(tmp_path, **tools):
    made = RentedTools(lambda: build.NOW, lambda job: [], **tools)
    return RentedJobEffects(Settings(home=tmp_path), made)


def test_what_cannot_be_tidied_up_keeps_no_job_from_its_end(tmp_path):
    folder = tmp_path / "jobs" / JOB.id
    OrderBook(folder).begin(JOB.instance_name, build.NOW)
    found = effects(tmp_path)
    (folder / "bundle.tar").mkdir()
    found._tidy(JOB)
    assert OrderBook(folder).open_since(JOB.instance_name) is None


def test_without_a_bundle_there_is_nothing_to_forget(tmp_path):
    store = Store()
    found = effects(tmp_path, store=lambda job: store)
    found._forget_bundle(JOB)
    assert store.forgotten == []


def test_an_order_that_cannot_be_read_is_not_known_to_be_in_doubt(tmp_path):
    folder = tmp_path / "jobs" / JOB.id / "orders" / f"{JOB.instance_name}.open"
    folder.mkdir(parents=True)
    assert effects(tmp_path)._in_doubt_since(JOB) is None


def test_what_was_rented_names_image_and_price(tmp_path):
    rental = effects(tmp_path)._rental(JOB)
    assert (rental.image, rental.machines) == (DEFAULT, 0)
    assert rental.usd_per_hour == JOB.plan.price.first.offer.hourly

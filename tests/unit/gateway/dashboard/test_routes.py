"""The pages that look, on a real socket: what is there, what is nobody's, text that stays text."""

import io
import re
import tarfile
from html.parser import HTMLParser

import pytest

from podtune.app.installation import owner
from podtune.core.access import Scope
from podtune.core.events import EventKind, Metrics
from podtune.core.states import Outcome
from support import build, homes
from support.gateways import sse
from support.waiting import until

HOSTILE = "<img src=x onerror=alert(1)>"
PAGE = {"accept": "text/html"}


class Outline(HTMLParser):
    """Headings, ids and labels of a page."""

    def __init__(self, text):
        super().__init__()
        self.levels, self.ids, self.labels, self.fields = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "label":
            self.labels.append(found["for"])
        if tag in ("input", "select", "textarea") and found.get("type") != "hidden":
            self.fields.append(found["id"])


def check_outline(text):
    outline = Outline(text)
    assert outline.levels[0] == 1
    assert outline.levels.count(1) == 1
    steps = zip(outline.levels, outline.levels[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps), outline.levels
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.fields) <= set(outline.labels)


def test_a_newcomer_is_told_what_to_do_first(client):
    found = client.get("/")
    assert found.status_code == 200
    assert "Train your first adapter" in found.text
    check_outline(found.text)


def test_the_list_and_its_job(client, job):
    assert f'href="/jobs/{job.id}"' in client.get("/").text
    page = client.get(f"/jobs/{job.id}")
    assert page.status_code == 200
    assert job.title in page.text
    assert f'data-stream="/jobs/{job.id}/live?log=0"' in page.text
    check_outline(page.text)


def test_a_job_with_everything(client, gateway, job):
    folder = gateway.service.folder(job)
    for step in range(1, 5):
        homes.say(
            folder.events, job, kind=EventKind.STEP, step=step, total_steps=4, seq=step,
            metrics=Metrics(training_loss=4.0 - step / 2, learning_rate=1e-4, throughput=500.0),
        )  # fmt: skip
    homes.finish(gateway.settings, job)
    page = client.get(f"/jobs/{job.id}")
    for word in ("Curves", "Receipt", "It holds", "Download adapter", "Phases", "Events"):
        assert word in page.text
    assert "data-stream" not in page.text, "nothing will change"
    check_outline(page.text)
    curves = client.get(f"/jobs/{job.id}/curves.json").json()
    assert curves["training_loss"][-1] == [4, 2.0]
    receipt = client.get(f"/jobs/{job.id}/receipt")
    assert "It holds" in receipt.text
    check_outline(receipt.text)


def test_the_adapter_is_brought_as_an_archive_and_nothing_is_left(client, gateway, job):
    assert client.get(f"/jobs/{job.id}/adapter.tar.gz").status_code == 404
    homes.finish(gateway.settings, job)
    found = client.get(f"/jobs/{job.id}/adapter.tar.gz")
    assert found.headers["content-disposition"] == f'attachment; filename="{job.id}.tar.gz"'
    with tarfile.open(fileobj=io.BytesIO(found.content)) as archive:
        assert "adapter_model.safetensors" in archive.getnames()
    until(lambda: not list(gateway.settings.home.glob("download-*")), "the archive is removed")


def test_hostile_names_and_lines_stay_text(client, gateway):
    home = gateway.settings.home
    job = build.job(title=HOSTILE, outcome=None, error_message=HOSTILE, owner=owner(home))
    gateway.store.add(job)
    folder = gateway.service.folder(job)
    folder.path.mkdir(parents=True)
    folder.log.write_text(f"{HOSTILE}\nkey hf_abcdefghijklmnop\n")
    homes.say(folder.events, job, kind=EventKind.WARNING, message=HOSTILE)
    for address in ("/", f"/jobs/{job.id}"):
        text = client.get(address).text
        assert "<img" not in text
        assert "&lt;img src=x" in text
    assert "hf_abcdefghijklmnop" not in text
    log = client.get(f"/jobs/{job.id}/log.txt")
    assert log.headers["content-type"] == "text/plain; charset=utf-8"
    assert "hf_abcdefghijklmnop" not in log.text


@pytest.mark.parametrize(
    "rest", ["", "/live", "/log.txt", "/curves.json", "/receipt", "/adapter.tar.gz"]
)
def test_another_ones_job_is_nobodys(gateway, job, rest):
    with gateway.client(gateway.key(Scope.READ, tenant="acme")) as other:
        assert other.get(f"/jobs/{job.id}{rest}").status_code == 404
        assert other.get(f"/jobs/none{rest}").status_code == 404


def test_what_is_missing_has_a_page(client):
    found = client.get("/jobs/none", headers=PAGE)
    assert found.status_code == 404
    assert "That is not here" in found.text
    check_outline(found.text)
    assert client.get("/jobs/none/receipt", headers=PAGE).status_code == 404


def test_a_page_is_guarded(client):
    headers = client.get("/").headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_static_files_may_be_kept(client):
    text = client.get("/").text
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', text):
        found = client.get(address)
        assert found.status_code == 200
        assert "immutable" in found.headers["cache-control"]
    assert client.get("/static/dashboard.css").status_code == 404


def test_a_stream_tells_parts_and_the_end(client, gateway, job):
    gateway.service.folder(job).log.write_text("one\ntwo\n")
    homes.finish(gateway.settings, job, Outcome.CANCELLED)
    with client.stream("GET", f"/jobs/{job.id}/live", headers={"last-event-id": "4"}) as lines:
        found = sse(lines.iter_lines())
    assert found[-1][1] == "end"
    assert [data for _, event, data in found if event == "log"] == ["two\n"]


def test_the_list_is_told_live(client, job):
    with client.stream("GET", "/live") as lines:
        assert lines.headers["content-type"].startswith("text/event-stream")
        text = ""
        for line in lines.iter_lines():
            text += line
            if job.id in text:
                break


def test_pages_are_no_part_of_the_published_document(client):
    assert not [
        p for p in client.get("/openapi.json").json()["paths"] if p.startswith(("/jobs", "/new"))
    ]


@pytest.mark.parametrize("told", ["9" * 20, "9" * 16, "-1", "1_0", "\xb2", "x"])
def test_a_place_in_the_log_that_cannot_be_breaks_nothing(gateway, client, job, told):
    homes.finish(gateway.settings, job, Outcome.FAILED)
    headers = {"Last-Event-ID": told.encode("latin-1")}
    with client.stream("GET", f"/jobs/{job.id}/live", headers=headers) as stream:
        assert "event: end" in "".join(stream.iter_text())


@pytest.mark.parametrize("after", ["nobody-1", "%00", "%C3%A4"])
def test_a_list_behind_what_is_not_there_is_an_error_and_no_broken_stream(client, after):
    assert client.get(f"/live?after={after}").status_code == 404
    assert client.get(f"/?after={after}").status_code == 404

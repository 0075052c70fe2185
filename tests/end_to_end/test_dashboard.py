"""The dashboard in a real browser: a training by the form, its curve as it moves, cancel, hostile text.

`DASHBOARD_IMAGES=docs/images` has the pictures of the documentation taken on the way.
"""

import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import tiny_model
from support.gateways import Program
from support.hub_server import HubServer

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
MODEL = "acme/tiny-llama"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1200, "height": 860}
LONG_MS = 240_000

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH"),
]


class Watched:
    """A browser's window on a gateway; whatever is amiss in it is collected."""

    def __init__(self, browser, url, **context):
        self.url, self.amiss = url, []
        self.context = browser.new_context(base_url=url, viewport=DESKTOP, **context)
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.amiss.append(f"error: {error}"))
        self.page.on("request", self._request)

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.amiss.append(f"console: {message.text}")

    def _request(self, request):
        if not request.url.startswith(self.url + "/"):
            self.amiss.append(f"elsewhere: {request.url}")

    def go(self, path):
        self.page.goto(path, wait_until="domcontentloaded")
        self.page.wait_for_selector("h1")

    def image(self, name, **options):
        folder = os.environ.get("DASHBOARD_IMAGES")
        if folder:
            self.page.wait_for_timeout(700)  # bars move for half a second
            self.page.screenshot(path=Path(folder) / f"dashboard-{name}.png", **options)

    def fits(self, path):
        """No sideways scroll on a phone."""
        self.page.set_viewport_size(PHONE)
        self.go(path)
        width = self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], f"{path} is {width} wide"

    def tab_to(self, selector):
        """Reach a control by the keyboard alone."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                outline = self.page.evaluate(
                    "getComputedStyle(document.activeElement).outlineStyle"
                )
                assert outline != "none", f"the focus on {selector} is not seen"
                return
        raise AssertionError(f"{selector} is not reached by the keyboard")


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def gateway(home, tiny, tmp_path):
    """A gateway that knows the tiny model as `acme/tiny-llama`."""
    with HubServer({MODEL: tiny}) as hub:
        home.environment.pop("HF_HUB_OFFLINE")
        home.environment.pop("HF_TOKEN", None)
        home.environment |= {
            "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        with Program(home) as started:
            yield started


@pytest.fixture
def window(chromium, gateway):
    made = Watched(chromium, gateway.url, accept_downloads=True)
    yield made
    made.context.close()
    assert made.amiss == []


def submit(window, rows, epochs):
    """Fill the form, read the plan, start; the job's id."""
    page = window.page
    window.go("/new")
    assert page.query_selector("#start") is None, "nothing to press before the plan"
    page.set_input_files("#file", rows)
    page.fill("#base_model", MODEL)
    page.fill("#epochs", str(epochs))
    page.click("#show-plan")
    page.wait_for_selector("#start")
    assert "$0.00" in page.inner_text("main")
    window.image("plan")
    page.click("#start")
    page.wait_for_url("**/jobs/*")
    return page.url.rsplit("/", 1)[-1]


def wait_for_state(page, word):
    page.wait_for_selector(f"#part-head .badge:has-text('{word}')", timeout=LONG_MS)


def test_from_an_empty_home_to_an_adapter(window, home, tmp_path):
    page = window.page
    rows = tiny_model.write_rows(tmp_path / "grinder-questions.jsonl", 120)
    window.go("/")
    assert "Train your first adapter" in page.inner_text("main")
    job = submit(window, rows, 12)

    page.evaluate("document.body.dataset.mark = 'the same page'")
    drawn = page.wait_for_selector("#box-loss path.curve", state="attached", timeout=LONG_MS)
    before = drawn.get_attribute("d")
    page.wait_for_function(
        "d => document.querySelector('#box-loss path.curve').getAttribute('d') !== d",
        arg=before, timeout=LONG_MS,
    )  # fmt: skip
    assert page.evaluate("document.body.dataset.mark") == "the same page"
    window.image("job")
    check_keyboard_and_pointer(window)

    wait_for_state(page, "completed")
    page.wait_for_selector("#part-result .verdict.good")
    assert "It holds" in page.inner_text("#part-result")
    assert not page.query_selector("#part-head #cancel"), "there is nothing to cancel"
    with page.expect_download() as waiting:
        page.click("#download")
    with tarfile.open(waiting.value.path()) as archive:
        assert "adapter_model.safetensors" in archive.getnames()
    check_without_script(window, job)
    check_themes(window, job)
    window.go(f"/jobs/{job}/receipt")
    assert "It holds" in page.inner_text("main")
    for path in ("/", "/new", f"/jobs/{job}", f"/jobs/{job}/receipt"):
        window.fits(path)
    window.go("/")
    window.image("phone")
    page.set_viewport_size(DESKTOP)
    if os.environ.get("DASHBOARD_IMAGES"):
        submit(window, tiny_model.write_rows(tmp_path / "returns-faq.jsonl", 60), 4)
        page.wait_for_selector("#box-loss path.curve", state="attached", timeout=LONG_MS)
        window.go("/")
        window.image("list")
    home.wait_for(lambda: not home.workers(), "the worker ends")


def check_keyboard_and_pointer(window):
    page = window.page
    page.hover("#box-loss")
    told = page.inner_text("figure.loss .readout")
    assert re.match(r"step \d+: training [\d.]+", told), told
    page.focus("#box-loss")
    page.keyboard.press("Home")
    assert "step" in page.inner_text("figure.loss .readout")


def check_without_script(window, job):
    plain = window.context.browser.new_context(base_url=window.url, java_script_enabled=False)
    page = plain.new_page()
    page.goto(f"/jobs/{job}", wait_until="domcontentloaded")
    assert page.query_selector("#box-loss path.curve").get_attribute("d").startswith("M")
    assert "training from" in page.get_attribute("#box-loss", "aria-label")
    page.click("#ask-loss")
    assert page.inner_text("#table-loss tbody").strip()
    plain.close()


def check_themes(window, job):
    page = window.page
    window.go(f"/jobs/{job}")
    grounds = set()
    for theme in ("light", "dark"):
        page.click(f".theme button[value={theme}]")
        page.wait_for_selector(f"html[data-theme={theme}]")
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2
    assert page.url.endswith(f"/jobs/{job}"), "one stays where one was"
    page.locator("#part-curves").scroll_into_view_if_needed()
    window.image("dark")
    page.click(".theme button[value=system]")
    page.wait_for_selector("html:not([data-theme])")


def test_hostile_text_stays_text_and_a_keyboard_cancels(window, home, tiny, tmp_path):
    page = window.page
    rows = tiny_model.write_rows(tmp_path / "rows.jsonl", 60)
    named = shutil.copytree(tiny, tmp_path / HOSTILE)
    begun = home.json("train", rows, "--model", named, "--epochs", "900", "--detach", "--yes")
    job = begun["id"]
    window.go("/")
    assert HOSTILE in page.inner_text("#part-jobs")
    page.click(f"#job-{job}")
    home.wait_for_step(job, 2)
    with (home.folder(job) / "worker.log").open("a", encoding="utf-8") as log:
        log.write(f"{HOSTILE} \x1b[31m\u202e token=hf_abcdefghijklmnop\n")
    page.wait_for_function("() => document.getElementById('log').textContent.includes('<img')")
    told = page.inner_text("#log")
    assert HOSTILE in told
    assert "hf_abcdefghijklmnop" not in told
    assert page.inner_text("h1").strip() == f"rows on {HOSTILE}"
    assert page.title() != "owned"
    assert page.query_selector("main img, main script") is None
    window.fits(f"/jobs/{job}")
    page.set_viewport_size(DESKTOP)

    window.go(f"/jobs/{job}")
    window.tab_to("#cancel-ask")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert not page.is_visible("#cancel-yes"), "asked first, and one may think again"
    page.keyboard.press("Enter")
    window.tab_to("#cancel-yes")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{job}")
    wait_for_state(page, "cancelled")
    assert page.is_visible("#resume")
    home.wait_for(lambda: not home.workers(), "the worker is gone")


def test_a_locked_gateway_asks_for_a_key(window, home):
    token = home.json("keys", "create", "me", "--scope", "read")["token"]
    page = window.page
    page.wait_for_timeout(1200)  # a new key counts within a second
    window.go("/")
    assert page.url.endswith("/login?next=/")
    page.fill("#key", token)
    page.click("#sign-in")
    page.wait_for_selector("text=Train your first adapter")
    assert page.query_selector(
        "main a[href='/new']:visible"
    ) is None or "New training" in page.inner_text("main")
    page.click("text=Sign out")
    page.wait_for_selector("#key")
    window.go("/")
    assert "/login" in page.url

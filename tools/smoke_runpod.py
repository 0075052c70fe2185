"""One real pod for some minutes: what does RunPod do that the stand-in cloud does not? Opt-in, costs money.

`make smoke-runpod BUDGET=1` with RUNPOD_API_KEY set. It rents the cheapest card in secure cloud, lets a
small program of the standard library speak and then end its own pod with the pod's own key, ends what
is left and proves it, and prints where the answers differ from the stand-in's. Whatever happens, it
ends the pod; the pod ends itself after MINUTES, too.
"""

import argparse
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx2
from pydantic import SecretStr

from podtune.app.settings import runpod_access
from podtune.core.errors import NoCapacityError, PodtuneError
from podtune.core.limits import Limits
from podtune.core.offer import Stock
from podtune.providers.base import InstanceState, LaunchRequest, Machine
from podtune.providers.runpod import account, catalogue, images
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.command import python_command
from podtune.providers.runpod.log_stream import follow
from podtune.providers.runpod.pods import RunPodProvider
from podtune.testing.clock import VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.transport import transport

MINUTES = 15
"""The pod's life at most, by its own clock and by its name."""
BOOT_S = 600
"""To its first word; a cold pull of the default image took 170 s (2026)."""
PROOF_S = 600
"""After which a pod whose absence is not proved is told as a leak."""
DISK_GB = 10
MOST_CARDS = 5
"""Offers tried one after the other while there is no capacity."""

PROGRAM = '''
import json, os, sys, time, urllib.request, urllib.error
def say(*words): print("podtune-smoke", *words, flush=True)
place = os.environ.get("PODTUNE_WORKSPACE", "/workspace"); marker = place + "/podtune-smoke"
say("start", "again" if os.path.exists(marker) else "first", "python", sys.version.split()[0])
os.makedirs(place, exist_ok=True); open(marker, "a").write("x")
say("variables", *sorted(n for n in os.environ if n.startswith(("RUNPOD", "CUDA_V", "PYTORCH", "HF_"))))
pod, key = os.environ.get("RUNPOD_POD_ID", ""), os.environ.get("RUNPOD_API_KEY", "")
def ask(method, url, body=None):
    headers = {"Authorization": "Bearer " + key, "User-Agent": "podtune-smoke", "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error: return error.code
    except Exception as error: return type(error).__name__
rest = os.environ.get("RUNPOD_REST_BASE_URL", "https://api.runpod.io/v2") + "/pods/" + pod
graphql = os.environ.get("RUNPOD_API_BASE_URL", "https://api.runpod.io/graphql")
say("podkey", "rest-get", ask("GET", rest))
for step in range(5): say("step", step); time.sleep(PAUSE)
say("podkey", "rest-delete", ask("DELETE", rest)); time.sleep(10 * PAUSE)
query = 'mutation { podTerminate(input: {podId: "' + pod + '"}) }'
say("podkey", "graphql-terminate", ask("POST", graphql, json.dumps({"query": query}).encode()))
while True: time.sleep(60)
'''  # fmt: skip
"""Holds nothing of a user's; the pod's own key is used on the pod and never printed."""


class Recorder(httpx2.BaseTransport):
    """Notes the shape of every answer: status, header names, names of JSON fields; never a value."""

    def __init__(self, inner):
        self.inner, self.shapes, self.slowest_s = inner, {}, {}

    def handle_request(self, request):
        start = time.monotonic()
        response = self.inner.handle_request(request)
        call = f"{request.method} {templated(request.url.path)} {response.status_code}"
        headers, fields = self.shapes.setdefault(call, (set(), set()))
        headers.update(name.lower() for name in response.headers)
        if "json" in response.headers.get("content-type", ""):
            response.read()
            with suppress(ValueError):
                fields.update(paths(response.json()))
        self.slowest_s[call] = max(self.slowest_s.get(call, 0), time.monotonic() - start)
        return response

    def close(self):
        self.inner.close()


def templated(path):
    """`/v2/pods/abc/logs` as `/v2/pods/{id}/logs`."""
    return re.sub(r"(/pods/)[^/]+", r"\1{id}", path)


def paths(value, at="$"):
    """Names of all fields of a JSON value; names below `env` are a user's own and left out."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"{at}.{name}"
            if name != "env":
                yield from paths(part, f"{at}.{name}")
    elif isinstance(value, list):
        for part in value:
            yield from paths(part, f"{at}[]")


class Smoke:
    """One run of the script, and what it saw."""

    def __init__(
        self,
        client,
        say,
        *,
        sleep=time.sleep,
        now=lambda: datetime.now(UTC),
        boot_s=BOOT_S,
        limits=None,
    ):
        self.client, self.say, self.sleep, self.now, self.boot_s = client, say, sleep, now, boot_s
        self.provider = RunPodProvider(client, limits or Limits(), clock=now)
        self.statuses, self.lines, self.timings, self.notes = [], [], {}, []
        self.began = now()
        deadline = int((self.began + timedelta(minutes=MINUTES)).timestamp())
        self.name = f"pt-smoke{secrets.token_hex(4)}-smoke-1-x{deadline}"
        self.pause_s, self.log_s = 3, 2

    def run(self, budget):
        """Rent, look, end, prove; whether everything is proved gone."""
        money = account.funds(self.client)
        self.notes.append(f"balance by GraphQL: {'answers' if money else 'no answer'}")
        offers = self.affordable(budget)
        self.say(f"the pod is called {self.name}")
        instance, is_gone = None, False
        try:
            instance = self.rented(offers)
            self.watch(instance.id)
        finally:
            self.say("ending the pod")
            is_gone = self.ended(instance.id if instance else None)
            if not is_gone:
                self.say(
                    f"LEAK RISK: {self.name} ({instance.id if instance else 'id unknown'}) is not proved gone:"
                )
                self.say("end it at console.runpod.io NOW, it costs money by the hour")
        hours = Decimal(self.passed()) / 3600
        self.notes.append(
            f"our meter: ${hours * instance.usd_per_hour:.4f} at ${instance.usd_per_hour:.3f}/h"
        )
        with suppress(PodtuneError):
            bill = account.billed(self.client, instance.id, self.began)
            self.notes.append(f"RunPod's bill so far: {'none yet' if bill is None else f'${bill}'}")
        return is_gone

    def affordable(self, budget):
        """The cheapest cards in stock that the budget pays."""
        wanted = catalogue.Wanted(
            min_cuda=images.min_cuda(images.DEFAULT), disk_gb=DISK_GB, volume_gb=DISK_GB
        )
        found = catalogue.offers(self.client, wanted)
        found = [o for o in found if o.stock is not Stock.NONE and o.gpu.startswith("NVIDIA")]
        found = [o for o in found if o.hourly * MINUTES / 60 <= budget]
        if not found:
            raise SystemExit(f"nothing can be had for ${budget} in {MINUTES} minutes")
        return found[:MOST_CARDS]

    def rented(self, offers):
        """The first card that can be had."""
        program = PROGRAM.replace("PAUSE", str(self.pause_s))
        for offer in offers:
            self.say(f"ordering {offer.name} at ${offer.hourly:.3f}/h (stock {offer.stock})")
            machine = Machine(
                offer, images.DEFAULT, python_command(program), (8466,), DISK_GB, DISK_GB,
                min_cuda=images.min_cuda(images.DEFAULT),
            )  # fmt: skip
            with tempfile.TemporaryDirectory() as folder:
                try:
                    return self.provider.launch(LaunchRequest(self.name, Path(folder), {}, machine))
                except NoCapacityError as error:
                    self.say(f"  {error.message}")
        raise SystemExit("no card was free")

    def watch(self, pod_id):
        """Follow the pod until its program has said all, the pod is gone, or the time is over."""
        last = {"container": None, "system": None}
        while self.passed() < self.boot_s:
            state = self.looked_at(pod_id)
            for source in last:
                with suppress(PodtuneError):
                    for line in follow(
                        self.client, pod_id, after=last[source], seconds=self.log_s, source=source
                    ):
                        last[source] = line.id
                        self.lines.append((source, line.line[:200]))
            said = [line for _, line in self.lines if "podtune-smoke" in line]
            if said:
                self.timings.setdefault(
                    "first line of our program after, s", round(self.passed(), 1)
                )
            if state is InstanceState.GONE or any("graphql-terminate" in line for line in said):
                return
            self.sleep(self.pause_s)

    def looked_at(self, pod_id):
        """The pod's state; its status word goes into the sequence."""
        state = InstanceState.STARTING
        try:
            word = self.client.get(f"/pods/{pod_id}", dict).get("status")
        except PodtuneError as error:
            word = f"error {error.code}"
        with suppress(PodtuneError):
            state = self.provider.inspect(pod_id)
        if state is InstanceState.RUNNING:
            self.timings.setdefault("uptime above 0 after, s", round(self.passed(), 1))
        if not self.statuses or self.statuses[-1][0] != word:
            self.statuses.append((word, round(self.passed(), 1)))
        return state

    def ended(self, pod_id):
        """End it and prove it; never leaves before that but for PROOF_S."""
        began = self.passed()
        while self.passed() - began < PROOF_S:
            try:
                proof = self.provider.terminate(self.name, pod_id)
                if proof is not None:
                    self.notes.append(f"proof: {proof.method}; {proof.ended} ended by us")
                    return True
                self.sleep(self.pause_s)
            except PodtuneError as error:
                self.notes.append(f"while ending: {error.code}")
                self.sleep(self.pause_s)
            except (KeyboardInterrupt, SystemExit):
                self.say("still ending the pod; wait")
        return False

    def passed(self):
        """Seconds since it began."""
        return (self.now() - self.began).total_seconds()


def reference():
    """The same script against the stand-in cloud in this process, where pods run nothing."""
    clock = VirtualClock()
    recorder = Recorder(transport(Cloud(clock)))
    access = RunPodAccess(api_key=SecretStr("rpa_smoke0123456789"))
    with RunPodClient(
        access, transport=recorder, sleep=clock.advance, clock=lambda: clock.now().timestamp()
    ) as client:
        smoke = Smoke(client, lambda _: None, sleep=clock.advance, now=clock.now, boot_s=60)
        smoke.run(Decimal(1))
    return smoke, recorder


def differences(real, stand_in):
    """Lines that say where two recordings differ."""
    for call in sorted(real.shapes.keys() | stand_in.shapes.keys()):
        if call not in stand_in.shapes:
            yield f"{call}: seen at RunPod only"
            continue
        if call not in real.shapes:
            yield f"{call}: seen at the stand-in only"
            continue
        for what, ours, theirs in zip(
            ("header", "field"), stand_in.shapes[call], real.shapes[call], strict=True
        ):
            yield from (f"{call}: {what} {name} at RunPod only" for name in sorted(theirs - ours))
            yield from (
                f"{call}: {what} {name} at the stand-in only" for name in sorted(ours - theirs)
            )


def report(real, recorder, say):
    """Print what was seen, and where it differs."""
    stand_in, its_recorder = reference()
    say("\nstatuses at RunPod     " + ", ".join(f"{w} {s} s" for w, s in real.statuses))
    say("statuses of stand-in   " + ", ".join(f"{w} {s} s" for w, s in stand_in.statuses))
    for name, value in real.timings.items():
        say(f"{name}: {value}")
    for call, seconds in sorted(recorder.slowest_s.items()):
        say(f"slowest {call}: {seconds:.2f} s")
    for note in real.notes:
        say(note)
    for source, line in real.lines[-60:]:
        say(f"  [{source}] {line}")
    say("\ndifferences of answers:")
    for line in differences(recorder, its_recorder):
        say("  " + line)


def main(arguments=None):
    """Run against the account of RUNPOD_API_KEY."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", default="", help="dollars that may be spent at most")
    budget = parser.parse_args(arguments).budget
    if not re.fullmatch(r"\d{1,3}(\.\d{1,2})?", budget) or not Decimal(budget):
        print(
            "this rents a real machine and costs some cents: make smoke-runpod BUDGET=1",
            file=sys.stderr,
        )
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    recorder = Recorder(httpx2.HTTPTransport())

    def say(text):
        print(text, flush=True)

    try:
        with RunPodClient(runpod_access(), transport=recorder) as client:
            smoke = Smoke(client, say)
            is_gone = smoke.run(Decimal(budget))
    except PodtuneError as error:
        print(f"error {error.message}\nnext  {error.hint}", file=sys.stderr)
        return 4
    report(smoke, recorder, say)
    return 0 if is_gone else 1


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "120")
    sys.exit(main())

"""Rented jobs and the far side of their machines, without a cloud. For tests only."""

from datetime import timedelta
from decimal import Decimal

from podtune.core.errors import UnavailableError
from podtune.core.handover import PodStatus, Received
from podtune.core.job import Instance, Job, TerminationProof
from podtune.core.plan import Plan
from podtune.core.spec import Place
from podtune.core.states import JobPhase
from podtune.storage.pod_port import Tail
from support import build

DEADLINE = build.NOW + timedelta(hours=4)
NAME = f"pt-owner123-demo-abc234-1-x{int(DEADLINE.timestamp())}"


def plan(*offers, keep: int = 0, **price) -> Plan:
    """A plan for RunPod with a ladder of offers: an A40, then an A6000, when none is given."""
    made = build.plan()
    where = made.spec.where.model_copy(update={"on": Place.RUNPOD, "keep_on_failure_min": keep})
    spec = made.spec.model_copy(update={"where": where})
    ladder = offers or (build.offer(), build.offer("NVIDIA RTX A6000", usd="0.60"))
    return made.model_copy(update={"spec": spec, "price": build.price(*ladder, **price)})


def job(phase: JobPhase = JobPhase.TRAINING, **changes) -> Job:
    """A job whose machine `pod1` was ordered just now."""
    values = {
        "plan": plan(),
        "intent_at": build.NOW,
        "first_intent_at": build.NOW,
        "instance_name": NAME,
        "instance_id": "pod1",
        "deadline": DEADLINE,
    }
    return build.job(phase=phase, **{**values, **changes})


class Port:
    """The machine's side of `PodPort`: what a test put there."""

    def __init__(self, phase: str = "waiting") -> None:
        self.phase = phase
        self.answers = True
        self.handed = []
        self.bundle = b""
        self.events_there, self.log_there = b"", b""
        self.kept: dict[str, bytes] = {}
        self.listed, self.sealed = (), ()
        self.asked: list[str] = []
        self.after_send = "training"
        self.refuses = None

    def __call__(self, url, token):
        self.url, self.token = url, token
        return self

    def status(self):
        self._ask("status")
        return PodStatus(
            phase=self.phase,
            attempt=1,
            events_bytes=len(self.events_there),
            log_bytes=len(self.log_there),
        )

    def hand_over(self, message):
        self._ask("hand_over")
        if self.refuses:
            raise self.refuses
        self.handed.append(message)
        self.phase = "receiving"

    def received(self):
        return Received(received=len(self.bundle))

    def send_bundle(self, path, *, within_s, on_progress=None):
        self._ask("send_bundle")
        self.bundle = path.read_bytes()
        if on_progress:
            on_progress(len(self.bundle), len(self.bundle))
        self.phase = self.after_send
        return True

    def events(self, after):
        self._ask("events")
        return Tail(self.events_there[after:], len(self.events_there))

    def log(self, after):
        self._ask("log")
        return Tail(self.log_there[after:], len(self.log_there))

    def files(self):
        return self.listed

    def checkpoints(self):
        self._ask("checkpoints")
        return self.sealed

    def fetch_files(self, folder, files, *, checkpoint=None, within_s=0.0, on_progress=None):
        self._ask(f"fetch {checkpoint or 'artifact'}")
        for file in files:
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.kept[file.name])
        return True

    def cancel(self):
        self._ask("cancel")
        self.phase = "failed"

    def release(self):
        self._ask("release")

    def renew(self, address):
        self._ask(f"renew {address.name}")

    def close(self):
        self.asked.append("close")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _ask(self, what):
        if not self.answers:
            raise UnavailableError("nobody answers")
        self.asked.append(what)


class Pods:
    """A provider of memory with one machine."""

    def __init__(self) -> None:
        self.requests = []
        self.facts = {}
        self.doubted, self.ended = [], []
        self.proofs = [
            TerminationProof(instance_id="pod1", ended=1, absent_at=build.NOW, method="looked")
        ]

    def launch(self, request):
        self.requests.append(request)
        return Instance(
            id="pod1", name=request.name, started_at=build.NOW, usd_per_hour=Decimal("0.40")
        )

    def runtime(self, instance_id):
        return self.facts.get(instance_id)

    def doubt(self, name, since):
        self.doubted.append((name, since))

    def terminate(self, name, instance_id):
        self.ended.append(instance_id)
        return self.proofs.pop(0)

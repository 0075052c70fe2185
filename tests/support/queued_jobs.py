"""Jobs of a serverless endpoint at the steps of the workflow, and a store in memory. For tests only."""

from datetime import timedelta

from pydantic import SecretStr

from podtune.core.handover import Address, BundleByHttps, DeliverByPut
from podtune.core.job import Job
from podtune.core.limits import Limits
from podtune.core.plan import Plan
from podtune.core.spec import Place
from podtune.core.states import JobPhase
from podtune.storage.places import DirectStore
from support import build

ENDPOINT = "4m7x2k9q"
JOB_ID = f"{ENDPOINT}/abc-u1"
LIMITS = Limits()
WAIT = timedelta(seconds=LIMITS.queue_limit_s)
RUN = timedelta(hours=4)
DEADLINE = build.NOW + WAIT + RUN
NAME = f"pt-owner123-demo-abc234-1-x{int(DEADLINE.timestamp())}"


def plan(*, idle_s: int = 60, **price) -> Plan:
    """A plan for an endpoint whose workers have an A100."""
    made = build.plan()
    where = made.spec.where.model_copy(update={"on": Place.RUNPOD_SERVERLESS, "endpoint": ENDPOINT})
    deliver = made.spec.deliver.model_copy(update={"store": "s3"})
    spec = made.spec.model_copy(update={"where": where, "deliver": deliver})
    offer = build.offer("NVIDIA A100 80GB PCIe", 80, "2.72").model_copy(update={"idle_s": idle_s})
    return made.model_copy(update={"spec": spec, "price": build.price(offer, **price)})


def job(phase: JobPhase = JobPhase.PROVISIONING, **changes) -> Job:
    """A job that was ordered just now, with an instance unless said otherwise."""
    values = {
        "plan": plan(),
        "intent_at": build.NOW,
        "first_intent_at": build.NOW,
        "instance_name": NAME,
        "instance_id": JOB_ID,
        "deadline": DEADLINE,
    }
    return build.job(phase=phase, **{**values, **changes})


class Store(DirectStore):
    """A store that brings the bundle, keeps marks and takes what comes."""

    def __init__(self):
        self.sent, self.forgotten, self.marks = [], [], {}
        self.result, self.artifact, self.checkpoint = None, None, None

    def send(self, bundle, sha256, key, expires_at, on_progress=None):
        self.sent.append((key, expires_at))
        url = SecretStr(f"https://store.example/bundle?sig={expires_at:%H%M}")
        return BundleByHttps(sha256=sha256, bytes=bundle.stat().st_size, url=url)

    def ticket(self, key, expires_at):
        return DeliverByPut(
            archive=Address(url="https://a"), result=Address(url="https://r", headers={"X-Y": "z"})
        )

    def marking(self, key, expires_at):
        return Address(url="https://begun")

    def mark(self, key):
        return self.marks.get(key)

    def forget(self, key, bundle_sha256):
        self.forgotten.append(bundle_sha256)

    def outcome(self, key):
        return self.result

    def fetch(self, key, into):
        if self.artifact is None:
            return None
        (into / "artifact").mkdir(parents=True)
        (into / "artifact" / "a").write_bytes(self.artifact)
        return into / "artifact"

    def fetch_checkpoint(self, key, into):
        if self.checkpoint is not None:
            folder = into / self.checkpoint
            folder.mkdir(parents=True)
            (folder / "complete.json").write_text("{}")
        return self.result is not None

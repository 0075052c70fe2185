"""A driver killed before and after every request to RunPod and every write, and followed by another.

Real are the loop, the job store, the orders on disk, the provider and its client. The account is one of
memory whose lists show a new pod only after a while, as RunPod's do. What counts: no pod is left, none
was ordered twice, and the proof of absence is one.
"""

import random
import shutil
from datetime import timedelta

import httpx2
import pytest
from pydantic import SecretStr

from podtune.app.pod_effects import PodEffects, Tools
from podtune.app.settings import Settings
from podtune.core.limits import Limits
from podtune.core.spec import Place
from podtune.core.states import JobPhase, Outcome
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.pods import RunPodProvider
from podtune.workflow.folder import JobFolder
from podtune.workflow.reconciler import Reconciler
from podtune.workflow.sites import Site
from podtune.workflow.steps import Heard
from podtune.workflow.store import JobStore
from support import build, driving, rented_jobs
from support.executors import Inline
from support.runpod_account import KEY, Account, Time

LIMITS = Limits(settle_s=8, proof_window_s=4, boot_limit_s=200)
LAG_S = 7.0
"""How long no list shows a new pod: longer than the window of the proof, shorter than it may settle."""

JOB = "demo-abc234"


class Died(BaseException):
    """SIGKILL: nothing that runs may catch it."""


class Fate:
    """Kills at the n-th point that is passed, once for each number."""

    def __init__(self, *numbers):
        self.numbers, self.passed = set(numbers), 0

    def point(self):
        self.passed += 1
        if self.passed in self.numbers:
            raise Died


class Lagging(Account):
    """An account whose lists lag, and which kills whoever asks it."""

    def __init__(self, time, fate):
        super().__init__()
        self.time, self.fate, self.born = time, fate, {}
        self.most = 0

    def __call__(self, request):
        self.fate.point()
        self.is_hidden = {i for i, at in self.born.items() if self.time.seconds - at < LAG_S}
        answer = super().__call__(request)
        for number in self.pods:
            self.born.setdefault(number, self.time.seconds)
        self.most = max(self.most, len(self.pods))
        self.fate.point()
        return answer


class MortalStore(JobStore):
    """Dies before and after its writes."""

    fate = Fate()

    def apply(self, *given, **more):
        self.fate.point()
        done = super().apply(*given, **more)
        self.fate.point()
        return done

    def record_instance(self, *given):
        self.fate.point()
        super().record_instance(*given)
        self.fate.point()

    def record_absence(self, *given):
        self.fate.point()
        super().record_absence(*given)
        self.fate.point()


class Effects(PodEffects):
    """Real orders and ends; the machine itself does all at once."""

    def check_data(self, job):
        pass

    def stage(self, job):
        pass

    def hand_over(self, job):
        return Heard(accepted=True, at=self._tools.clock())

    def pull(self, job):
        return Heard(at=self._tools.clock())

    def salvage(self, job):
        return Heard(saved=True, at=self._tools.clock())


class Home:
    """One installation, its account, and one driver after the other."""

    def __init__(self, tmp_path, database, fate):
        self.settings = Settings(home=tmp_path)
        self.settings.jobs.mkdir(parents=True)
        (self.settings.jobs / JOB).mkdir()
        shutil.copy(database, self.settings.database)
        self.time = Time()
        self.account = Lagging(self.time, fate)
        self.store = MortalStore(self.settings.database, clock=self.time.now)
        self.store.fate = fate
        self.store.add(build.job(id=JOB, plan=rented_jobs.plan()))
        self.store.hold(driving.ME, driving.LONG_S)
        self.driver = self.another()

    def another(self):
        access = RunPodAccess(SecretStr(KEY), rest_url="https://api.test/v2")
        client = RunPodClient(
            access, transport=httpx2.MockTransport(self.account),
            sleep=self.time.sleep, clock=self.time.monotonic,
        )  # fmt: skip
        provider = RunPodProvider(client, LIMITS, clock=self.time.now)

        def observe(wanted):
            pods = provider.observe()
            return {i: pods[i].state if i in pods else provider.inspect(i) for i in wanted}

        tools = Tools(self.time.now, self.store.orders)
        effects = Effects(self.settings, provider, client, access, tools)
        return Reconciler(
            self.store,
            {Place.RUNPOD: Site(provider, effects, 1, observe=observe)},
            lambda job_id: JobFolder(self.settings.jobs / job_id),
            driver=driving.ME,
            executor=Inline(),
            clock=self.time.now,
            limits=LIMITS,
        )

    def drive(self, is_cancelled):
        """To the end, with a wish to cancel as soon as it applies."""
        for _ in range(600):
            self.time.seconds += 1
            try:
                self.driver.tick()
            except Died:
                self.driver = self.another()
            job = self.store.get(JOB)
            if is_cancelled(job, self.account.made):
                self.store.cancel(JOB)
            if job.is_finished:
                return job
        raise AssertionError(f"not finished: {job.phase}")


CANCELS = {
    "before it is ordered": lambda job, made: job.intent_at is not None,
    "before its id is noted": lambda job, made: made and job.instance_id is None,
    "while training": lambda job, made: job.phase is JobPhase.TRAINING,
}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("database") / "podtune.db"
    JobStore(path).close()
    return path


def check(tmp_path, database, when, numbers):
    fate = Fate(*numbers)
    home = Home(tmp_path, database, fate)
    job = home.drive(CANCELS[when])
    home.store.close()
    where = f"killed at {numbers} {when}"
    assert home.account.pods == {}, f"{where}: a pod is left"
    assert home.account.made <= 1, f"{where}: ordered twice"
    assert home.account.most <= 1, where
    assert job.outcome is Outcome.CANCELLED, where
    assert job.proof is not None
    if home.account.made:
        lived = job.proof.absent_at - min(o.intent_at for o in home.store.orders(JOB))
        assert lived >= timedelta(seconds=LIMITS.proof_window_s), where
    return fate.passed


@pytest.mark.parametrize("when", CANCELS)
def test_a_kill_at_any_point_leaves_no_pod_and_orders_none_twice(tmp_path, database, when):
    points = check(tmp_path / "0", database, when, ())
    assert points > 20
    for number in range(1, points + 1):
        check(tmp_path / str(number), database, when, (number,))


@pytest.mark.parametrize("when", CANCELS)
def test_two_kills_are_no_worse(tmp_path, database, when):
    chance = random.Random(20261122)
    for number in range(40):
        first = chance.randrange(1, 40)
        check(tmp_path / str(number), database, when, (first, first + chance.randrange(1, 30)))

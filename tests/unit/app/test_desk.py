"""What one caller may do: its own jobs by exact ids, and nothing that shows anything of another's."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podtune.app import planner
from podtune.app.desk import Desk
from podtune.core.access import Principal, Scope
from podtune.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PodtuneError,
)
from podtune.core.job import Job
from podtune.core.states import Outcome
from support import desks, homes

ADMIN = Principal(tenant=None, key_id="boss", name="boss", scopes=frozenset({Scope.ADMIN}))


@pytest.fixture
def source(office):
    return desks.uploaded(office.service)


@pytest.fixture
def mine(user):
    def make(name=None, **stated):
        path = stated.pop("source", user / "tickets.jsonl")
        return desks.asked(path, name, base_model__name=str(user / "model"), **stated)

    return make


@pytest.fixture
def waiting_office(office):
    """One that takes what is asked and never comes to prepare it."""
    office.submissions.preparing._closing.set()
    return office


def words(call, *given):
    """What a call is refused with, in all its words."""
    with pytest.raises(PodtuneError) as caught:
        call(*given)
    return type(caught.value), caught.value.to_json()


VERBS = (
    Desk.get, Desk.status, Desk.cancel, Desk.resume, Desk.events, Desk.logs, Desk.log, Desk.artifact, Desk.receipt,
)  # fmt: skip


def no_id(text, found):
    return json.loads(json.dumps(text).replace(found, "ID"))


@pytest.mark.parametrize("verb", VERBS)
def test_a_job_of_another_is_told_as_one_that_is_not_there(office, source, verb):
    theirs = office.desk(desks.tenant("y")).submit(desks.asked(source, "a"))
    desk = office.desk(desks.tenant("x"))
    kind, there = words(verb, desk, theirs.id)
    _, absent = words(verb, desk, "job-nothere2")
    assert kind is NotFoundError
    assert no_id(there, theirs.id) == no_id(absent, "job-nothere2")


@pytest.mark.parametrize("verb", VERBS)
def test_ids_are_exact(office, mine, verb):
    found = office.here.submit(mine("a"))
    for beginning in (found.id[:-1], found.id.upper(), "last", "", found.id + " ", "x" * 500):
        assert words(verb, office.here, beginning)[0] is NotFoundError


def test_the_list_holds_the_tenants_own_newest_first_in_pages(office, source):
    x, y = (office.desk(desks.tenant(name)) for name in "xy")
    ids = [x.submit(desks.asked(source, str(n))).id for n in range(5)]
    other = y.submit(desks.asked(source, "0", "openai")).id
    newest = ids[::-1]
    assert [one.id for one in x.list()] == newest
    assert [one.id for one in x.list(limit=2)] == newest[:2]
    assert [one.id for one in x.list(limit=2, after=newest[1])] == newest[2:4]
    assert [one.id for one in x.list(after=newest[-1])] == []
    assert words(lambda: x.list(after=other))[0] is NotFoundError
    assert [one.id for one in office.here.list()] == [other, *newest]
    assert [one.id for one in office.here.list(kind="openai")] == [other]
    assert [one.id for one in y.list(kind="training")] == []


def test_jobs_of_the_command_line_are_this_machines_and_admins(office, plan, source):
    job = office.service.submit(plan)
    for principal in (office.here.principal, ADMIN):
        desk = office.desk(principal)
        found = desk.get(job.id)
        assert (found.kind, found.name, found.job, found.tenant) == ("cli", None, job, None)
        assert [one.id for one in desk.list(kind="cli")] == [job.id]
        assert desk.status(job.id).phase == "queued"
    stranger = office.desk(desks.tenant("x"))
    assert stranger.list() == []
    assert words(stranger.get, job.id)[0] is NotFoundError
    newer = stranger.submit(desks.asked(source, "a"))
    assert [one.id for one in office.here.list(limit=1, after=newer.id)] == [job.id]
    assert office.here.cancel(job.id).job.desired == "cancelled"


@pytest.mark.parametrize(
    ("scope", "verbs"),
    [
        (Scope.READ, (Desk.get, Desk.status, Desk.events, Desk.logs, Desk.log, Desk.artifact, Desk.receipt)),
        (Scope.CANCEL, (Desk.cancel,)),
        (Scope.SUBMIT, (Desk.resume,)),
    ],
)  # fmt: skip
def test_without_the_scope_nothing_is_looked_up(office, scope, verbs):
    others = frozenset(Scope) - {scope, Scope.ADMIN}
    desk = office.desk(Principal(tenant="x", key_id="k", name="k", scopes=others))
    for verb in verbs:
        kind, told = words(verb, desk, "any")
        assert (kind, told["code"]) == (ForbiddenError, "scope_missing")
        assert scope.value in told["message"]


def test_submitting_planning_and_listing_need_their_scopes(office, source):
    nothing = office.desk(desks.tenant("x", Scope.CANCEL))
    asked = desks.asked(source)
    for call in (lambda: nothing.submit(asked), lambda: nothing.plan(asked.request), nothing.list):
        assert words(call)[0] is ForbiddenError


def test_what_is_prepared_has_a_status(waiting_office, mine):
    desk = waiting_office.here
    found = desk.submit(mine("a"), wait_s=0)
    assert (found.state, found.job, found.error) == ("preparing", None, None)
    status = desk.status(found.id)
    assert (status.status, status.progress, status.phase) == ("running", 0, "queued")
    assert (status.job_id, status.error_code, status.stage) == (found.id, None, "training")
    assert (
        list(desk.events(found.id)) == list(desk.logs(found.id)) == list(desk.log(found.id)) == []
    )
    for verb in (Desk.artifact, Desk.receipt):
        assert words(verb, desk, found.id)[1]["code"] == "no_artifact"
    assert words(desk.resume, found.id)[1]["code"] == "still_running"


def test_what_was_refused_has_a_status_that_says_why(office, mine, user):
    (user / "bad.jsonl").write_text('{"prompt": "x"}\n')
    _, told = words(office.here.submit, mine("a", source=user / "bad.jsonl"))
    (found,) = office.here.list()
    status = office.here.status(found.id)
    assert (status.status, status.progress) == ("failed", 0)
    assert status.error_code == told["code"]
    assert (status.error_message, status.advice) == (told["message"], told["hint"])
    assert words(office.here.resume, found.id)[1]["code"] == "never_began"
    assert words(office.here.cancel, found.id)[1]["code"] == "already_ended"


def test_what_is_cancelled_before_it_began_is_failed_and_says_so(waiting_office, mine):
    found = waiting_office.here.submit(mine("a"), wait_s=0)
    after = waiting_office.here.cancel(found.id)
    assert (after.state, after.error.code) == ("refused", "cancelled")
    status = waiting_office.here.status(found.id)
    assert (status.status, status.error_code) == ("failed", "cancelled")


def test_a_job_is_followed_to_its_end(office, mine):
    desk = office.here
    found = desk.submit(mine("a"))
    assert desk.status(found.id).phase == "queued"
    assert [entry.message for entry in desk.log(found.id)] == ["submitted"]
    homes.finish(office.service.settings, found.job)
    assert desk.status(found.id).status == "completed"
    assert desk.artifact(found.id).is_dir()
    assert desk.receipt(found.id).receipt.job == found.id
    assert len(list(desk.events(found.id))) == 1
    assert words(desk.cancel, found.id)[0] is ConflictError


def test_what_was_cancelled_goes_on_where_it_is_wished(office, mine):
    found = office.here.submit(mine("a"))
    office.here.cancel(found.id)
    homes.finish(office.service.settings, found.job, Outcome.CANCELLED)
    assert office.here.resume(found.id).job.attempt == 2


# -- nothing of another's --------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", None])
STEP = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from("xy"), NAMES),
    st.tuples(st.just("finish"), st.just("y"), st.integers(0, 9)),
    st.tuples(
        st.sampled_from(["get", "status", "cancel", "resume", "events", "logs", "log", "artifact", "receipt"]),
        st.just("x"),
        st.integers(0, 9),
    ),
    st.tuples(st.just("list"), st.just("x"), st.integers(0, 9)),
)  # fmt: skip
SECRET = "OFTHEOTHER"


def shown(value):
    """All that a caller sees of a value."""
    if isinstance(value, PodtuneError):
        return json.dumps(value.to_json(), default=str)
    if isinstance(value, Job):
        return value.model_dump_json()
    if isinstance(value, tuple | list):
        return " ".join(shown(one) for one in value)
    return str(value)


LAZY = ("events", "logs", "log")


class Two:
    """Two tenants at one office; `y` has the secret in every field that it can fill in."""

    def __init__(self, office, source, theirs, run):
        self.settings = office.service.settings
        self.source, self.theirs = source, theirs
        self.x, self.y = (office.desk(desks.tenant(f"{name}{run}")) for name in ("x", SECRET))
        self.ids = {"x": [], "y": []}

    def step(self, verb, who, given_):
        """What `x` sees of a step."""
        if verb == "finish":
            return self.finish(given_)
        if verb == "submit":
            return self.submit(who, given_)
        known = [*self.ids["y"], *self.ids["x"]] or ["none"]
        one = known[given_ % len(known)]
        try:
            if verb == "list":
                return shown(self.x.list(after=one if given_ else None))
            found = getattr(self.x, verb)(one)
            return shown(list(found) if verb in LAZY else found)
        except PodtuneError as error:
            return shown(error)

    def submit(self, who, name):
        if who == "x":
            made = self.x.submit(desks.asked(self.source, name))
        else:
            asked = desks.asked(self.theirs, name, deliver__name=SECRET)
            made = self.y.submit(asked._replace(note={"said": SECRET}))
        self.ids[who].append(made.id)
        return shown(made) if who == "x" else ""

    def finish(self, number):
        theirs = [job for one in self.ids["y"] if (job := self.y.get(one).job) is not None]
        going = [job for job in theirs if not job.is_finished]
        if going:
            homes.finish(self.settings, going[number % len(going)])
        return ""


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=4, max_size=14))
def test_no_sequence_of_calls_shows_anything_of_another_tenant(office, source, steps):
    office.run = getattr(office, "run", 0) + 1
    theirs = desks.uploaded(office.service, name=f"{SECRET}.jsonl")
    two = Two(office, source, theirs, office.run)
    for step in steps:
        assert SECRET not in two.step(*step), step
    assert {one.id for one in two.x.list()} == set(two.ids["x"])


@pytest.mark.parametrize("name", ["\0", "a\0b", "\ud800", "ä", "x" * 10_000, "\n", ""])
def test_what_can_be_no_id_is_not_there_on_any_database(shared_office, name):
    desk = shared_office.here
    for verb in (Desk.get, Desk.status, Desk.cancel, Desk.resume):
        assert words(verb, desk, name)[1]["code"] == "not_found"
    assert words(lambda: desk.list(after=name))[1]["code"] == "not_found"


def test_a_tenants_model_is_looked_for_as_everybody_would(office, source, monkeypatch):
    seen = []
    locate = planner.base_models.locate

    def watched(*given, **how):
        seen.append(how["as_stranger"])
        return locate(*given, **how)

    monkeypatch.setattr(planner.base_models, "locate", watched)
    asked = desks.asked(source, base_model__name="HuggingFaceTB/SmolLM2-135M-Instruct")
    theirs, own = office.desk(desks.tenant("x")), office.desk(ADMIN)
    for desk in (theirs, own):
        desk.plan(asked.request)
        desk.submit(asked)
    assert seen == [True, True, False, False]
    settings = office.service.settings.model_copy(update={"tenants_use_hub_token": True})
    assert not settings.for_tenant("x").finds_as_stranger
    assert office.service.settings.for_tenant("x").with_downloads(source.parent).finds_as_stranger


def test_a_job_of_another_home_is_known_and_its_files_are_elsewhere(office, mine):
    desk = office.here
    job = desk.submit(mine("a")).job
    office.service.store().add(job.model_copy(update={"id": "theirs", "owner": "another1"}))
    assert desk.status("theirs").phase == "queued"
    for verb in (desk.events, desk.newest_events, desk.logs, desk.artifact, desk.receipt):
        kind, told = words(verb, "theirs")
        assert (kind, told["code"]) == (ConflictError, "elsewhere")

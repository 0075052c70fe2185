"""What a caller's paid job may cost, and what a tenant may ask for."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.app.ceilings import Ceiling, capped, ceiling_of, refuse_reach, within_budget
from podtune.core.access import THIS_MACHINE, Principal, Scope
from podtune.core.errors import ForbiddenError, SpecError
from podtune.core.request import TrainingRequest
from podtune.core.spec import TrainingSpec, flatten
from support import desks, homes

DATA = {"data.source": "https://x.example/rows.jsonl", "base_model.name": "org/name"}


def request(**stated):
    return TrainingRequest(stated=DATA | {k.replace("__", "."): v for k, v in stated.items()})


def paid(**stated):
    return request(where__on="runpod", **stated)


def with_budget(usd):
    return Principal(tenant="x", key_id="k", scopes=desks.ALL, budget_usd=Decimal(usd))


@pytest.fixture
def free(tmp_path):
    return homes.settings(tmp_path)


@pytest.fixture
def limited(free):
    return free.model_copy(update={"max_usd_per_job": Decimal(10)})


def test_what_runs_here_needs_no_ceiling(free):
    assert ceiling_of(request(where__max_usd=5), free, THIS_MACHINE) is None


@pytest.mark.parametrize("place", ["runpod", "runpod-serverless"])
@pytest.mark.parametrize("principal", [THIS_MACHINE, desks.tenant("x")])
def test_what_is_rented_needs_one_of_the_operators(free, place, principal):
    for stated in ({}, {"where__max_usd": 1}):
        with pytest.raises(ForbiddenError) as caught:
            ceiling_of(request(where__on=place, **stated), free, principal)
        assert caught.value.code == "ceiling_needed"


@pytest.mark.parametrize(
    ("stated", "principal", "usd", "is_stated"),
    [
        (None, THIS_MACHINE, 10, False),
        (3, THIS_MACHINE, 3, True),
        (500, THIS_MACHINE, 10, True),
        (0, THIS_MACHINE, 0, True),
        (None, with_budget(4), 4, False),
        (None, with_budget(40), 10, False),
        (7, with_budget(4), 4, True),
    ],
)
def test_a_request_may_only_lower_it(limited, stated, principal, usd, is_stated):
    given_ = paid() if stated is None else paid(where__max_usd=stated)
    assert ceiling_of(given_, limited, principal) == Ceiling(Decimal(usd), is_stated)


def test_a_budget_alone_is_a_ceiling(free):
    assert ceiling_of(paid(), free, with_budget(4)) == Ceiling(Decimal(4), is_stated=False)


def test_a_section_in_one_piece_hides_no_rented_place(free):
    hidden = TrainingRequest(stated={**DATA, "where": {"on": "runpod"}})
    with pytest.raises((ForbiddenError, SpecError)):
        ceiling_of(hidden, free, THIS_MACHINE)


MONEY = st.decimals(0, 1000, places=6)


@given(usd=MONEY, is_stated=st.booleans(), budget=MONEY, taken=MONEY)
def test_nothing_passes_what_is_left(usd, is_stated, budget, taken):
    left = max(Decimal(0), budget - taken)
    if left == 0 or (is_stated and usd > left):
        with pytest.raises(ForbiddenError, match="has \\$"):
            within_budget(Ceiling(usd, is_stated), budget, taken)
        return
    allowed = within_budget(Ceiling(usd, is_stated), budget, taken)
    assert 0 <= allowed <= min(usd, left)
    assert allowed == usd or not is_stated


def test_a_ceiling_takes_the_place_of_what_was_stated():
    assert capped(paid(where__max_usd=9), Decimal("2.5")).stated["where.max_usd"] == 2.5
    assert capped(paid(), None) == paid()


TENANT = desks.tenant("x")


def test_a_tenant_may_state_how_it_is_trained(free):
    refuse_reach(
        paid(
            adapter__rank=8, training__epochs=2, data__columns__prompt="q", evaluate__samples=2, method="sft",
            deliver__name="n", deliver__callback_url="https://x.example/hook", where__gpu="H100",
        ),
        free,
        TENANT,
    )  # fmt: skip


KEPT = sorted(
    path
    for path in flatten(TrainingSpec.model_validate({"base_model": "a", "data": {"source": "a"}}))
    if path.startswith(("deliver.", "where.")) or path == "training.report_to"
)


@pytest.mark.parametrize("path", [*KEPT, "where", "deliver", "data", "made.up"])
def test_what_the_operators_keys_and_folders_open_is_not_a_tenants(free, path):
    open_ones = {
        "where.on", "where.gpu", "where.gpu_any_of", "where.gpu_avoid", "where.min_vram_gib", "where.count",
        "where.nodes", "where.cloud", "where.region", "where.disk_gb", "where.volume_gb", "where.max_usd",
        "where.max_hours", "where.deadline", "deliver.name", "deliver.callback_url",
    }  # fmt: skip
    given_ = TrainingRequest(stated={**DATA, path: "x"})
    refuse_reach(given_, free, THIS_MACHINE)
    if path in open_ones:
        refuse_reach(given_, free, TENANT)
        return
    with pytest.raises(ForbiddenError) as caught:
        refuse_reach(given_, free, TENANT)
    assert caught.value.code == "operator_only"
    assert path in caught.value.message


@pytest.fixture
def places(free, tmp_path):
    """Sources that there are, by what they are."""
    (free.home / "files").mkdir(parents=True)
    ours, outside = free.home / "files" / "rows.jsonl", tmp_path / "secret.jsonl"
    ours.write_text("{}")
    outside.write_text("{}")
    (free.home / "files" / "link.jsonl").symlink_to(outside)
    (free.home / "signing.key").write_text("x")
    return {
        "ours": str(ours),
        "outside": str(outside),
        "link": str(free.home / "files" / "link.jsonl"),
        "up": f"{free.home}/files/../signing.key",
        "folder": str(free.home / "files"),
        "pattern": f"{free.home}/files/*.jsonl",
        "absent": f"{free.home}/files/none.jsonl",
        "relative": "files/rows.jsonl",
        "home": "~/rows.jsonl",
        "s3": "s3://bucket/key",
        "hf": "hf://org/private",
        "file": "file:///etc/passwd",
        "nothing": "a\0b",
        "https": "https://x.example/a.jsonl?sig=1",
    }


@pytest.mark.parametrize("field", ["data.source", "data.validation_source"])
@pytest.mark.parametrize(
    ("place", "may"),
    [
        ("ours", True), ("https", True), ("outside", False), ("link", False), ("up", False), ("folder", False),
        ("pattern", False), ("absent", False), ("relative", False), ("home", False), ("s3", False), ("hf", False),
        ("file", False), ("nothing", False),
    ],
)  # fmt: skip
def test_a_tenants_data_comes_by_the_web_or_from_uploaded_files(free, places, field, place, may):
    given_ = TrainingRequest(stated={**DATA, field: places[place]})
    refuse_reach(given_, free, THIS_MACHINE)
    if may:
        refuse_reach(given_, free, TENANT)
        return
    with pytest.raises(ForbiddenError):
        refuse_reach(given_, free, TENANT)


@pytest.mark.parametrize("name", ["/etc", "../x", "~", ".", "a/b/c", "C:\\x", "", "a\0"])
def test_a_tenants_model_is_one_of_the_hub(free, name):
    for field in ("base_model.name", "base_model"):
        stated = {k: v for k, v in DATA.items() if k != "base_model.name"} | {field: name}
        with pytest.raises((SpecError, ForbiddenError)):
            refuse_reach(TrainingRequest(stated=stated), free, TENANT)


def test_a_folder_that_is_called_like_a_model_is_not_a_tenants(free, tmp_path, monkeypatch):
    (tmp_path / "org" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ForbiddenError):
        refuse_reach(request(), free, TENANT)
    with pytest.raises(ForbiddenError):
        refuse_reach(request(base_model__source="path"), free, TENANT)


def test_an_admin_is_the_operator(free):
    admin = Principal(tenant=None, key_id="k", scopes=frozenset({Scope.ADMIN}))
    refuse_reach(request(deliver__to="/srv/out"), free, admin)

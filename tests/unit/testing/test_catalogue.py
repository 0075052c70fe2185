import pytest

from podtune.testing.catalogue import matching_cuda
from podtune.testing.faults import FaultKind, FaultRule
from podtune.testing.gpus import CPU_ID, GPUS
from support.stand_in import Desk, order

STOCK = "/v2/catalog/gpus?include=AVAILABILITY&product=POD"


def row(answer, gpu="NVIDIA A40"):
    return next(gpu_type for gpu_type in answer.json()["gpus"] if gpu_type["id"] == gpu)


def test_prices_without_stock_unless_asked():
    told = row(Desk().ask("GET", "/v2/catalog/gpus"))
    assert told["price"] == {"secure": 0.4, "community": 0, "serverless": 1.22}
    assert told["maxCount"] == {"secure": 10, "community": 0}
    assert not {"availability", "dataCenters", "cudaVersions"} & set(told)


def test_stock_by_data_centre_and_cuda():
    told = row(Desk().ask("GET", STOCK))
    assert told["availability"] == "HIGH"
    assert {center["id"]: center["availability"] for center in told["dataCenters"]} == {
        "CA-MTL-1": "HIGH",
        "US-KS-2": "MEDIUM",
    }
    assert {"version": "12.8", "available": True} in told["cudaVersions"]
    gone = row(Desk().ask("GET", STOCK), "NVIDIA B200")
    assert gone["availability"] == "NONE"
    assert "dataCenters" not in gone
    assert "cudaVersions" not in row(Desk().ask("GET", STOCK), "AMD Instinct MI300X OAM")


def test_this_machine_can_be_rented():
    told = row(Desk().ask("GET", STOCK), CPU_ID)
    assert told["name"] == "CPU of this machine"
    assert told["price"]["secure"] == 0.01
    assert told["availability"] == "HIGH"
    assert told["memory"] >= 1
    assert Desk().create(gpu=CPU_ID)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("include=AVAILABILITY", 400),
        ("product=POD", 400),
        ("count=2", 400),
        ("include=AVAILABILITY&product=POD&cudaVersions=12.8&minCudaVersion=12.8", 400),
        ("include=AVAILABILITY&product=TOASTER", 422),
        ("include=AVAILABILITY&product=POD&count=0", 422),
        ("include=AVAILABILITY&product=POD&cloud=PRIVATE", 422),
        ("include=AVAILABILITY&product=POD&cudaVersions=12", 422),
        ("include=AVAILABILITY&product=POD&minCudaVersion=new", 422),
        ("include=AVAILABILITY&product=POD&minCudaVersion=12", 200),
    ],
)
def test_rules_of_the_query(query, status):
    assert Desk().ask("GET", f"/v2/catalog/gpus?{query}").status == status


@pytest.mark.parametrize(
    ("query", "availability"),
    [
        ("count=10", "HIGH"),
        ("count=11", "NONE"),
        ("cloud=COMMUNITY", "NONE"),
        ("countryCodes=US", "MEDIUM"),
        ("minCudaVersion=13.0", "HIGH"),
        ("minCudaVersion=13.1", "NONE"),
        ("cudaVersions=11.8,12.8", "HIGH"),
        ("cudaVersions=11.8", "NONE"),
    ],
)
def test_filters_narrow_the_stock(query, availability):
    path = f"/v2/catalog/gpus/NVIDIA A40?include=AVAILABILITY&product=POD&{query}"
    assert Desk().ask("GET", path).json()["availability"] == availability


def test_a_country_without_it_drops_a_type_from_the_list():
    answer = Desk().ask("GET", STOCK + "&countryCodes=RO").json()["gpus"]
    assert "NVIDIA A40" not in {gpu["id"] for gpu in answer}
    assert "NVIDIA L4" in {gpu["id"] for gpu in answer}


def test_versions_are_compared_as_numbers():
    a40 = GPUS[5]._replace(cuda=("12.2", "12.11"))
    assert matching_cuda(a40, (), "12.3") == ["12.11"]
    assert matching_cuda(a40, ("12.2",), "") == ["12.2"]


def test_a_pod_goes_where_most_is_free():
    desk = Desk()
    assert desk.pod(desk.create())["dataCenterId"] == "CA-MTL-1"
    assert desk.pod(desk.create(dataCenterIds=["US-KS-2"]))["dataCenterId"] == "US-KS-2"
    networked = desk.create(globalNetworking=True)
    assert desk.pod(networked)["dataCenterId"] == "US-KS-2"


def test_the_community_cloud_has_no_room_in_a_named_data_centre():
    desk = Desk()
    gpu = "NVIDIA GeForce RTX 4090"
    pinned = order(gpu=gpu, cloud="COMMUNITY", dataCenterIds=["US-KS-2"])
    assert desk.ask("POST", "/v2/pods", pinned).status == 400
    assert desk.pod(desk.create(gpu=gpu, cloud="COMMUNITY"))["cost"] == 0.34


def test_stock_can_be_changed():
    desk = Desk()
    desk.cloud.catalogue.set_stock("NVIDIA A40", {"US-KS-2": "NONE"})
    assert desk.ask("POST", "/v2/pods", order()).status == 400
    desk.cloud.catalogue.set_stock("NVIDIA A40", {"EU-RO-1": "LOW"})
    assert desk.pod(desk.create())["dataCenterId"] == "EU-RO-1"
    for wrong in (
        ("NVIDIA Z99", {}),
        ("NVIDIA A40", {"MARS": "LOW"}),
        ("NVIDIA A40", {"EU-RO-1": "SOME"}),
    ):
        with pytest.raises(ValueError, match="catalogue"):
            desk.cloud.catalogue.set_stock(*wrong)


def test_a_drought_is_seen_in_the_catalogue_unless_it_only_strikes_some_calls():
    always = Desk(faults=[FaultRule(kind=FaultKind.CAPACITY_DROUGHT, gpu="NVIDIA A*")])
    assert row(always.ask("GET", STOCK))["availability"] == "NONE"
    assert always.ask("POST", "/v2/pods", order()).status == 400
    once = Desk(faults=[FaultRule(kind=FaultKind.CAPACITY_DROUGHT, gpu="NVIDIA A*", nth=(1,))])
    assert row(once.ask("GET", STOCK))["availability"] == "HIGH"
    assert once.ask("POST", "/v2/pods", order()).status == 400
    assert once.ask("POST", "/v2/pods", order()).status == 201


def test_data_centres_and_their_filters():
    desk = Desk()
    centers = desk.ask("GET", "/v2/catalog/datacenters?include=GPU_AVAILABILITY").json()[
        "dataCenters"
    ]
    kansas = next(center for center in centers if center["id"] == "US-KS-2")
    assert {"id": "NVIDIA A40", "name": "A40", "availability": "MEDIUM"} in kansas[
        "gpuAvailability"
    ]
    for query, expected in (
        ("regions=EUROPE", {"EU-RO-1", "EUR-IS-1"}),
        ("networkVolumeTypes=STANDARD,HIGH_PERFORMANCE", {"US-KS-2"}),
        ("compliance=GDPR&globalNetwork=true", {"EU-RO-1"}),
    ):
        found = desk.ask("GET", f"/v2/catalog/datacenters?{query}").json()["dataCenters"]
        assert {center["id"] for center in found} == expected
    one = desk.ask("GET", "/v2/catalog/datacenters/US-KS-2?include=CPU_AVAILABILITY").json()
    assert [cpu["id"] for cpu in one["cpuAvailability"]] == ["cpu3c"]
    assert desk.ask("GET", "/v2/catalog/datacenters/MARS").status == 404
    assert desk.ask("GET", "/v2/catalog/gpus/none").status == 404
    flavours = desk.ask("GET", "/v2/catalog/cpus").json()["cpus"]
    assert {cpu["id"] for cpu in flavours} == {"cpu3c", "cpu5c"}
    assert all("availability" not in cpu for cpu in flavours)


def test_prices_as_text():
    told = row(Desk(prices_as_text=True).ask("GET", "/v2/catalog/gpus"))
    assert told["price"]["secure"] == "0.40"

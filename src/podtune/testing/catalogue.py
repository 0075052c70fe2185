"""What the stand-in cloud rents: who finds room, and the routes that tell prices and stock."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from podtune.testing import cpus
from podtune.testing.account import Account
from podtune.testing.gpus import CENTERS, GPUS, LEVELS, CenterRow, GpuRow, own_machine
from podtune.testing.http import Response, json_response, refuse
from podtune.testing.routes import Call, Route


class Wanted(NamedTuple):
    """What an order asks for."""

    gpu_id: str
    gpu_count: int
    cloud: str = "SECURE"
    data_centers: tuple[str, ...] = ()
    cuda: tuple[str, ...] = ()
    """Exactly one of these, when not empty."""
    min_cuda: str = ""
    global_network: bool = False


class Place(NamedTuple):
    """Where an order was put."""

    data_center: str
    cuda: str | None
    usd_per_hour: Decimal


class Catalogue:
    """Stock and prices, and the routes that tell them.

    Args:
        account: Whose random source and faults decide.
        rows: GPU types; the real ones and this machine when None.
    """

    def __init__(self, account: Account, rows: Sequence[GpuRow] | None = None) -> None:
        self._account = account
        self.rows = {row.id: row for row in (rows or (*GPUS, own_machine()))}
        self.cpus = {row.id: row for row in cpus.CPUS}

    def place(self, wanted: Wanted, pod_name: str) -> Place | None:
        """Find room for a pod; None where nothing is free.

        The data centre with the best stock wins, chance decides between equals.
        """
        row = self.rows[wanted.gpu_id]
        price = row.usd(wanted.cloud)
        versions = matching_cuda(row, wanted.cuda, wanted.min_cuda)
        centers = self._free_centers(row, wanted)
        fits = price is not None and 1 <= wanted.gpu_count <= row.max_count and centers
        wants_cuda = bool(wanted.cuda or wanted.min_cuda)
        if not fits or price is None or (wants_cuda and not versions):
            return None
        if wanted.cloud == "COMMUNITY" and wanted.data_centers:
            return None  # a data centre prevents what would succeed without (runpodctl#326)
        if self._account.faults.is_drought(row.id, pod_name, self._account.now):
            return None
        best = max(LEVELS.index(row.stock[center]) for center in centers)
        choice = [center for center in centers if LEVELS.index(row.stock[center]) == best]
        center = self._account.random.choice(choice)
        return Place(center, versions[-1] if versions else None, price * wanted.gpu_count)

    def set_stock(self, gpu_id: str, stock: Mapping[str, str]) -> None:
        """Change what is free of a GPU type, by data centre; those left out have none of it.

        Raises:
            ValueError: no such type, data centre or level.
        """
        known = {center.id for center in CENTERS}
        if (
            gpu_id not in self.rows
            or not set(stock) <= known
            or not set(stock.values()) <= {*LEVELS}
        ):
            raise ValueError(
                f"no GPU type, data centre or level of the catalogue: {gpu_id} {stock}"
            )
        self.rows[gpu_id] = self.rows[gpu_id]._replace(stock=dict(stock))

    def _free_centers(self, row: GpuRow, wanted: Wanted) -> list[str]:
        networked = {center.id for center in CENTERS if center.has_global_network}
        return [
            center
            for center, level in row.stock.items()
            if level != "NONE"
            and (not wanted.data_centers or center in wanted.data_centers)
            and (not wanted.global_network or center in networked)
        ]

    def routes(self) -> list[Route]:
        """The catalogue's routes."""
        return [
            Route("GET", "/v2/catalog/gpus", self._list_gpus, "list_gpus"),
            Route("GET", "/v2/catalog/gpus/{id}", self._get_gpu, "get_gpu"),
            Route("GET", "/v2/catalog/cpus", self._list_cpus, "list_cpus"),
            Route("GET", "/v2/catalog/datacenters", self._list_centers, "list_data_centers"),
            Route("GET", "/v2/catalog/datacenters/{id}", self._get_center, "get_data_center"),
        ]

    def _list_gpus(self, call: Call) -> Response:
        query = Query.of(call)
        rows = [self._gpu(row, query) for row in self.rows.values()]
        if query.countries:
            rows = [row for row in rows if "dataCenters" in row]
        return json_response({"gpus": rows})

    def _get_gpu(self, call: Call) -> Response:
        row = self.rows.get(call.params["id"])
        if row is None:
            raise refuse(404, "GPU type not found")
        return json_response(self._gpu(row, Query.of(call)))

    def _list_cpus(self, call: Call) -> Response:
        include, products = listed(call, "include"), listed(call, "product")
        if ("AVAILABILITY" in include) != bool(products):
            raise refuse(400, "product and include=AVAILABILITY go together")
        return json_response({"cpus": [cpus.told(row, products) for row in self.cpus.values()]})

    def _list_centers(self, call: Call) -> Response:
        filters = center_filters(call)
        include = listed(call, "include")
        rows = [row for row in CENTERS if all(fits(row) for fits in filters)]
        return json_response({"dataCenters": [self._center(row, include) for row in rows]})

    def _get_center(self, call: Call) -> Response:
        row = next((row for row in CENTERS if row.id == call.params["id"]), None)
        if row is None:
            raise refuse(404, "data center not found")
        return json_response(self._center(row, listed(call, "include")))

    def _gpu(self, row: GpuRow, query: "Query") -> dict[str, object]:
        price = {"secure": self._usd(row.secure), "community": self._usd(row.community)}
        if row.serverless:
            price["serverless"] = self._usd(row.serverless)
        told: dict[str, object] = {
            "id": row.id,
            "name": row.name,
            "pool": row.pool,
            "manufacturer": row.manufacturer,
            "memory": row.memory_gb,
            "secure": bool(row.secure),
            "community": bool(row.community),
            "price": price,
            "maxCount": {
                "secure": row.max_count if row.secure else 0,
                "community": row.max_count if row.community else 0,
            },
        }
        return told | self._availability(row, query) if query.products else told

    def _availability(self, row: GpuRow, query: "Query") -> dict[str, object]:
        names = {center.id: center for center in CENTERS}
        versions = matching_cuda(row, query.cuda, query.min_cuda)
        is_there = (
            row.usd(query.cloud) is not None
            and query.gpu_count <= row.max_count
            and not self._account.faults.shows_drought(row.id, self._account.now)
            and (bool(versions) or not (query.cuda or query.min_cuda))
            and (query.products != ("SERVERLESS",) or row.pool is not None)
        )
        centers = [
            {"id": center, "name": names[center].name, "availability": level}
            for center, level in row.stock.items()
            if is_there and (not query.countries or names[center].country in query.countries)
        ]
        best = max((LEVELS.index(str(center["availability"])) for center in centers), default=0)
        told: dict[str, object] = {"availability": LEVELS[best]}
        if centers:
            told["dataCenters"] = centers
        if row.cuda:
            listed_versions = versions if query.cuda or query.min_cuda else list(row.cuda)
            told["cudaVersions"] = [
                {"version": version, "available": best > 0} for version in listed_versions
            ]
        return told

    def _center(self, row: CenterRow, include: Sequence[str]) -> dict[str, object]:
        told: dict[str, object] = {
            "id": row.id,
            "name": row.name,
            "region": row.region,
            "globalNetwork": row.has_global_network,
            "networkVolumeTypes": list(row.volume_types),
            "compliance": list(row.compliance),
        }
        if "GPU_AVAILABILITY" in include:
            told["gpuAvailability"] = [
                {"id": gpu.id, "name": gpu.name, "availability": gpu.stock[row.id]}
                for gpu in self.rows.values()
                if row.id in gpu.stock
            ]
        if "CPU_AVAILABILITY" in include:
            told["cpuAvailability"] = [
                {"id": cpu.id, "name": cpu.name, "availability": cpu.stock[row.id]}
                for cpu in self.cpus.values()
                if row.id in cpu.stock
            ]
        return told

    def _usd(self, text: str) -> Decimal | str:
        price = Decimal(text or "0")
        return str(price) if self._account.options.prices_as_text else price


class Query(NamedTuple):
    """What a look into the GPU catalogue asks for."""

    products: tuple[str, ...]
    gpu_count: int
    cloud: str
    countries: tuple[str, ...]
    cuda: tuple[str, ...]
    min_cuda: str

    @classmethod
    def of(cls, call: Call) -> "Query":
        """The query of a request.

        Raises:
            Refused: 400, parameters that do not go together; 422, a malformed one.
        """
        include, products = listed(call, "include"), listed(call, "product")
        if "AVAILABILITY" in include and not products:
            raise refuse(400, "product is required with include=AVAILABILITY")
        dependent = ("product", "count", "cloud", "countryCodes", "cudaVersions", "minCudaVersion")
        for name in dependent:
            if call.request.value(name) and "AVAILABILITY" not in include:
                raise refuse(400, f"{name} is valid only with include=AVAILABILITY")
        cuda, least = listed(call, "cudaVersions"), call.request.value("minCudaVersion")
        if cuda and least:
            raise refuse(400, "cudaVersions and minCudaVersion are mutually exclusive")
        count = call.request.value("count", "1")
        cloud = call.request.value("cloud", "SECURE")
        is_known = set(products) <= {"POD", "CLUSTER", "SERVERLESS"}
        if not count.isdecimal() or int(count) < 1 or cloud not in ("SECURE", "COMMUNITY"):
            raise refuse(422, "count is a number from 1, cloud is SECURE or COMMUNITY")
        versions = (*cuda, least if "." in least or not least else f"{least}.0")
        if not is_known or not all(_is_version(text) for text in versions if text):
            raise refuse(422, "unknown product or malformed CUDA version")
        return cls(products, int(count), cloud, listed(call, "countryCodes"), cuda, least)


def center_filters(call: Call) -> list[Callable[[CenterRow], bool]]:
    """The filters of a look at the data centres; they combine with AND."""
    regions, types = set(listed(call, "regions")), set(listed(call, "networkVolumeTypes"))
    compliance, networked = set(listed(call, "compliance")), call.request.value("globalNetwork")
    return [
        lambda row: not regions or row.region in regions,
        lambda row: types <= set(row.volume_types),
        lambda row: compliance <= set(row.compliance),
        lambda row: not networked or row.has_global_network == (networked == "true"),
    ]


def listed(call: Call, name: str) -> tuple[str, ...]:
    """The values of a parameter that is a list separated by commas."""
    return tuple(part for part in call.request.value(name).split(",") if part)


def matching_cuda(row: GpuRow, exact: Sequence[str], least: str) -> list[str]:
    """The CUDA versions of a type's hosts that satisfy a wish, oldest first."""
    return [
        version
        for version in row.cuda
        if (not exact or version in exact) and (not least or _version(version) >= _version(least))
    ]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _is_version(text: str) -> bool:
    major, _, minor = text.partition(".")
    return major.isdecimal() and minor.isdecimal()

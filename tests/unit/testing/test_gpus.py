import json
from pathlib import Path

import pytest

from podtune.testing.gpus import CENTERS, CPU_ID, GPUS, LEVELS, own_machine

ENUMS = Path(__file__).resolve().parents[4] / "shared/reference/runpod-enums.json"


def test_rows_are_consistent():
    centers = {center.id for center in CENTERS}
    for row in GPUS:
        assert set(row.stock) <= centers
        assert set(row.stock.values()) <= set(LEVELS)
        assert row.usd("SECURE") > 0
        assert row.usd("COMMUNITY") is None or row.usd("COMMUNITY") > 0
    assert len({row.id for row in GPUS}) == len(GPUS)


def test_this_machine_is_a_row():
    row = own_machine()
    assert (row.id, str(row.usd("SECURE"))) == (CPU_ID, "0.01")
    assert row.usd("COMMUNITY") is None
    assert set(row.stock.values()) == {"HIGH"}


@pytest.mark.skipif(not ENUMS.is_file(), reason="the reference is not beside this checkout")
def test_ids_and_memory_are_those_of_the_documents():
    enums = json.loads(ENUMS.read_text(encoding="utf-8"))
    table = {row["id"]: row for row in enums["gpuTypesDocsTable"]}
    for row in GPUS:
        assert (row.name, row.memory_gb) == (table[row.id]["name"], table[row.id]["memoryGb"])
        assert row.pool is None or row.pool in enums["gpuPoolsDocs"]
    assert {center.id for center in CENTERS} <= set(enums["v1"]["dataCenterIds"])

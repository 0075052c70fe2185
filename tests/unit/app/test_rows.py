"""The planned rows, written out."""

import pytest

from podtune.app import rows
from podtune.core.errors import DatasetError, StateError
from podtune.storage.artifact_folder import sha256_file
from support import homes


def test_the_rows_are_the_planned_ones(tmp_path):
    made = homes.plan(tmp_path)
    target = tmp_path / "rows.jsonl"
    rows.write(made, homes.settings(tmp_path / "home"), target, tmp_path / "held.jsonl")
    assert sha256_file(target) == made.report.rows_sha256
    assert not (tmp_path / "held.jsonl").exists(), "no held-out file was planned"


def test_changed_data_is_refused(tmp_path):
    made = homes.plan(tmp_path)
    homes.data(tmp_path, count=5)
    with pytest.raises(DatasetError) as refused:
        rows.write(made, homes.settings(tmp_path / "home"), tmp_path / "r", tmp_path / "h")
    assert refused.value.code == "data_changed"


def test_data_that_is_gone_is_refused(tmp_path):
    made = homes.plan(tmp_path)
    homes.data(tmp_path).unlink()
    with pytest.raises(DatasetError) as refused:
        rows.write(made, homes.settings(tmp_path / "home"), tmp_path / "r", tmp_path / "h")
    assert refused.value.code == "data_changed"


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    made = homes.plan(tmp_path)
    with pytest.raises(StateError):
        rows.write(made, homes.settings(tmp_path / "home"), tmp_path / "no/r", tmp_path / "h")

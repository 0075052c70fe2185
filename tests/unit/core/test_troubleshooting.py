"""The table of what goes wrong: each row is an error that a test provokes."""

import pytest

from podtune.core.troubleshooting import TROUBLES

PROVOKED = [
    ("token_rejected", "tests/unit/storage/test_hub_account.py"),
    ("gated_model", "tests/unit/storage/test_hub.py"),
    ("model_not_found", "tests/unit/storage/test_base_models.py"),
    ("install_failed", "tests/worker/pod/test_attempt.py"),
    ("image_unfit", "tests/worker/test_preflight.py"),
    ("no_cuda", "tests/end_to_end/test_rented_job.py"),
    ("boot_timeout", "tests/unit/workflow/test_leaving.py"),
    ("crash_loop", "tests/unit/workflow/test_leaving.py"),
    ("over_budget", "tests/unit/workflow/test_leaving.py"),
    ("price_rose", "tests/unit/workflow/test_ordering.py"),
    ("no_capacity", "tests/contract/test_runpod_faults.py"),
    ("insufficient_balance", "tests/unit/providers/runpod/test_answers.py"),
    ("missing_key", "tests/unit/app/test_planner.py"),
    ("rejected_key", "tests/contract/test_runpod_faults.py"),
    ("volume_elsewhere", "tests/unit/providers/runpod/test_volumes.py"),
    ("worker_lost", "tests/worker/pod/test_receive.py"),
    ("timed_out", "tests/end_to_end/test_faults.py"),
    ("crash_loop", "tests/unit/providers/runpod/test_endpoints.py"),
    ("workers_max_0", "tests/unit/providers/runpod/test_endpoints.py"),
    ("model_not_found", "tests/worker/test_serverless_models.py"),
    ("out_of_memory", "tests/worker/test_failures.py"),
    ("", "tests/unit/storage/test_hub_downloads.py"),
]
"""Code, and the file whose tests provoke it. The last: bytes are told from the first on."""


def test_every_row_has_a_test_and_every_test_a_row():
    assert sorted(row.code for row in TROUBLES) == sorted(code for code, _ in PROVOKED)
    assert len({row.symptom for row in TROUBLES}) == len(TROUBLES)


@pytest.mark.parametrize(("code", "file"), PROVOKED)
def test_the_test_is_there_and_names_the_code(root, code, file):
    assert code in (root / file).read_text(encoding="utf-8")


def test_every_row_says_what_is_seen_why_and_what_to_do():
    for row in TROUBLES:
        assert all((row.symptom, row.cause, row.done, row.remedy)), row.code
        assert "|" not in " ".join(row), "cells of a table"


def test_nothing_is_made_public_to_get_around_a_refusal():
    (row,) = (row for row in TROUBLES if row.code == "token_rejected")
    assert "nothing is made public" in row.done

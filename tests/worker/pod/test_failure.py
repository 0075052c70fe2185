import errno

import pytest

import failure


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EACCES, "pod_failed")],
)
def test_the_systems_words(number, code):
    found = failure.of_system(OSError(number, "so it is"))
    assert found.code == code
    assert found.advice


@pytest.mark.parametrize(
    ("code", "words"),
    [(3, "exit code 3"), (-15, "signal 15"), (-9, "signal 9, often a lack of memory")],
)
def test_how_a_program_ended(code, words):
    assert failure.how(code) == words


def test_a_small_disk_names_both_sizes():
    found = failure.small_disk(2**30, 3 * 2**30)
    assert found.code == "disk_full"
    assert "1.0 GiB" in found.message
    assert "3.0" in found.message

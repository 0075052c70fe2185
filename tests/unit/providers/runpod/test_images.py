import pytest

import podtune
from podtune.providers.runpod import images


def test_auto_is_the_default_and_a_name_is_itself():
    assert images.resolve("auto") == images.DEFAULT
    assert images.resolve("me/mine:1") == "me/mine:1"


def test_the_table_agrees_with_the_tags():
    known = images.facts(images.DEFAULT)
    assert known is not None
    assert (known.cuda, known.torch, known.python) == ("12.8", "2.9.1", "3.12")
    assert images.OWN.endswith(podtune.__version__)
    assert images.facts(images.OWN) is not None


@pytest.mark.parametrize(
    ("image", "cuda"),
    [
        (images.DEFAULT, "12.8"),
        ("runpod/pytorch:1.0.9-cu1300-torch291-ubuntu2404", "13.0"),
        ("runpod/pytorch:1.0.9-cu1290-torch280-ubuntu2204", "12.9"),
        ("runpod/pytorch:2.1.0-py3.10-cuda11.8.0-devel-ubuntu22.04", None),
        ("me/mine:1", None),
    ],
)
def test_the_host_has_to_have_the_images_cuda(image, cuda):
    assert images.min_cuda(image) == cuda

"""Images a pod may start from, and what is in them: one table.

The tag of RunPod's own images says CUDA, torch and Ubuntu; the table adds Python. Sources: tags of
github.com/runpod/containers (release 1.0.7, 2026-07) and docs.runpod.io (2026-08-20), read 2026-11-22;
that each tag is still on the hub was not checked. What an image really holds is looked at on the pod
before anything is trained.
"""

import re
from typing import Final, NamedTuple

import podtune

DEFAULT: Final = "runpod/pytorch:1.0.3-cu1281-torch291-ubuntu2404"
"""Newest torch of RunPod's images, named in their documentation, so likely cached on hosts."""

OWN: Final = f"podtune/worker:{podtune.__version__}"
"""Our own image, with everything the worker needs installed."""


class ImageFacts(NamedTuple):
    """What is in an image."""

    image: str
    cuda: str
    """`major.minor`: the least CUDA version of a host that can start it."""
    torch: str
    python: str
    source: str


_TABLE: Final = (
    ImageFacts(DEFAULT, "12.8", "2.9.1", "3.12", "docs.runpod.io, 2026-08-20"),
    ImageFacts(
        "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404", "12.8", "2.8.0", "3.12",
        "docs.runpod.io, 2026-08-20",
    ),
    ImageFacts(
        "runpod/pytorch:1.0.7-cu1300-torch291-ubuntu2404", "13.0", "2.9.1", "3.12",
        "tag scheme of runpod/containers, 2026-07",
    ),
    ImageFacts(OWN, "12.8", "2.9.1", "3.12", "built from the default image"),
)  # fmt: skip

_TAG: Final = re.compile(
    r"runpod/pytorch:[0-9.]+-cu(?P<cuda>\d{3,4})-torch(?P<torch>\d{3})-ubuntu(?P<ubuntu>\d{4})"
)
_PYTHON_OF_UBUNTU: Final = {"2204": "3.11", "2404": "3.12"}
"""Default of RunPod's base image by Ubuntu release; worth a look on the pod, not a promise."""


def resolve(image: str) -> str:
    """An image's name; `auto` is the default one."""
    return DEFAULT if image == "auto" else image


def facts(image: str) -> ImageFacts | None:
    """What is in an image: from the table, or its tag; None for one we know nothing of.

    >>> facts("runpod/pytorch:1.0.5-cu1290-torch280-ubuntu2204").cuda
    '12.9'
    """
    known = next((row for row in _TABLE if row.image == image), None)
    if known:
        return known
    tag = _TAG.fullmatch(image)
    if tag is None:
        return None
    digits = tag["cuda"]
    return ImageFacts(
        image=image,
        cuda=f"{digits[:2]}.{digits[2]}",
        torch=".".join(tag["torch"]),
        python=_PYTHON_OF_UBUNTU.get(tag["ubuntu"], ""),
        source="its tag",
    )


def min_cuda(image: str) -> str | None:
    """Least CUDA version a host must have for an image; None where we do not know the image.

    An older host fails to start the container ("OCI runtime create failed").
    """
    known = facts(image)
    return known.cuda if known else None

"""The serverless worker's image: built on this machine by docker or buildah, and pushed by the user's login.

Takes a tag and perhaps a base; gives an image and what to call next. What is in the image says
`runpod-worker/Dockerfile`; what goes to the builder, `image_context`.
"""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

import podtune
from podtune.app import image_context, image_tools
from podtune.app.image_tools import BuildOrder, Tell, Tool
from podtune.core.errors import NotFoundError, SpecError
from podtune.providers.runpod import images
from podtune.storage import installed

ARGUMENTS: Final = {
    "GPU": "0 leaves out what needs the real base: its torch, and kernels compiled on a card",
    "RUN_AS": "worker instead of root, for an endpoint without a network volume",
    "SOURCE": "address of the source, for the image's label",
}
"""Build arguments of the Dockerfile that a user may set; the others are filled in here."""

_HOST: Final = r"(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::\d{1,5})?|[a-z0-9-]+:\d{1,5}"
_PART: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME: Final = rf"(?:(?:{_HOST})/)?{_PART}(?:/{_PART})*"
_VERSION: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_TAG: Final = re.compile(rf"(?P<name>{_NAME})(?::(?P<version>{_VERSION}))?")
_BASE: Final = re.compile(rf"{_NAME}(?::{_VERSION})?(?:@sha256:[0-9a-f]{{64}})?")
"""Names of images (opencontainers/distribution-spec, "Pulling manifests", 2024-07)."""

_MAX_NAME: Final = 255
_GIT_LIMIT_S: Final = 10.0


class ImageWish(BaseModel):
    """What image to build."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: str = images.OWN
    """`NAME:VERSION`; without a version, podtune's own."""
    base: str = images.DEFAULT
    """The image it starts from; `NAME@sha256:...` pins it to the byte."""
    push: bool = False
    """Whether it goes to its registry afterwards."""
    arguments: tuple[str, ...] = ()
    """`NAME=VALUE`, names of `ARGUMENTS`."""
    pip_config: Path | None = None
    """A pip configuration file for a private package index; it ends in no layer."""


class WorkerImage(BaseModel):
    """An image that was built, or would be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tag: str
    base: str
    tool: str
    """docker or buildah."""
    commands: tuple[tuple[str, ...], ...]
    """What is run, in this order; the context's folder is a temporary one."""
    context_files: int
    context_bytes: int
    context_sha256: str
    revision: str
    """The commit, or the context's sum where this is no checkout."""
    size_bytes: int | None = None
    """Of all layers, unpacked; None where nothing was built."""
    digest: str | None = None
    """What the registry calls it, once it is pushed."""

    @property
    def reference(self) -> str:
        """The name to deploy: by digest where it is known."""
        return f"{self.tag.rpartition(':')[0]}@{self.digest}" if self.digest else self.tag


def build(wish: ImageWish, tell: Tell, *, dry_run: bool = False) -> WorkerImage:
    """Build the worker's image, and push it where that is wished.

    Args:
        wish: What image.
        tell: Hears every line of the tool.
        dry_run: Write the context and say what would be run, and run nothing.

    Raises:
        SpecError: `bad_image_name`, `bad_build_argument`.
        NotFoundError: pip's configuration is not there.
        UnsupportedError: `no_image_builder`.
        ProviderError: `image_build_failed`, `image_push_failed`, `image_tool_failed`.
        CredentialsError: `registry_login`.
        StateError: the context cannot be written.
    """
    tag, base = checked_tag(wish.tag, push=wish.push), checked_base(wish.base)
    named = _arguments(wish.arguments)
    if wish.pip_config and not wish.pip_config.is_file():
        raise NotFoundError(
            f"there is no file {str(wish.pip_config)!r}",
            hint="--pip-config names a file such as pip.conf; `pip config debug` lists yours",
        )
    tool = image_tools.find()
    with tempfile.TemporaryDirectory(prefix="podtune-image-") as temporary:
        folder = Path(temporary) / "context"
        folder.mkdir()
        context = image_context.write(folder)
        revision = _revision(context.sha256)
        filled = {"VERSION": podtune.__version__, "REVISION": revision, **named}
        order = BuildOrder(
            tag, folder, (("BASE_IMAGE", base), *sorted(filled.items())), wish.pip_config
        )
        digest_file = Path(temporary) / "digest"
        steps = [tool.build_command(order)]
        steps += [tool.push_command(tag, digest_file)] if wish.push else []
        image = WorkerImage(
            tag=tag,
            base=base,
            tool=tool.name,
            commands=tuple(tuple(words) for words in steps),
            context_files=context.files,
            context_bytes=context.size,
            context_sha256=context.sha256,
            revision=revision,
        )
        return image if dry_run else _made(tool, image, digest_file, tell)


def _made(tool: Tool, image: WorkerImage, digest_file: Path, tell: Tell) -> WorkerImage:
    """The image after its commands were run."""
    build_command, *push_commands = image.commands
    image_tools.run(build_command, tell)
    built = image.model_copy(update={"size_bytes": tool.size(image.tag)})
    for command in push_commands:
        image_tools.run(command, tell)
        built = built.model_copy(update={"digest": tool.digest(image.tag, digest_file)})
    return built


def checked_tag(tag: str, *, push: bool) -> str:
    """A tag with its version.

    >>> checked_tag("someone/trainer:v1", push=True)
    'someone/trainer:v1'

    Args:
        tag: As it was given.
        push: Whether it is to be pushed, which the default name cannot be.

    Raises:
        SpecError: it is no image's name, says `latest`, or is nobody's to push.
    """
    found = _TAG.fullmatch(tag) if len(tag) <= _MAX_NAME else None
    if found is None:
        raise SpecError(
            f"{tag[:80]!r} is no name of an image",
            code="bad_image_name",
            hint="name it in small letters, such as --tag yourname/podtune-worker:v1",
        )
    if found["version"] == "latest":
        raise SpecError(
            "an image named latest is not fetched again by hosts that have an older one",
            code="bad_image_name",
            hint=f"give it a version: --tag {found['name']}:{podtune.__version__}",
        )
    if push and found["name"] == images.OWN.rpartition(":")[0]:
        raise SpecError(
            f"{tag!r} is nobody's name at a registry",
            code="bad_image_name",
            hint="name your own: --tag yourname/podtune-worker:v1 --push",
        )
    return tag if found["version"] else f"{tag}:{podtune.__version__}"


def checked_base(base: str) -> str:
    """The base's name; `auto` is the default one.

    Raises:
        SpecError: it is no image's name.
    """
    base = images.resolve(base)
    if len(base) > _MAX_NAME + 72 or not _BASE.fullmatch(base):
        raise SpecError(
            f"{base[:80]!r} is no name of an image",
            code="bad_image_name",
            hint=f"take the default ({images.DEFAULT}), or NAME:VERSION, or NAME@sha256:...",
        )
    return base


def _arguments(given: tuple[str, ...]) -> dict[str, str]:
    """Build arguments by name.

    Raises:
        SpecError: one that the Dockerfile does not know.
    """
    pairs = {name: value for name, _, value in (one.partition("=") for one in given)}
    for name, value in pairs.items():
        if name not in ARGUMENTS or not re.fullmatch(r"[\x21-\x7e]{1,300}", value):
            known = "; ".join(f"{one}: {what}" for one, what in ARGUMENTS.items())
            raise SpecError(
                f"--build-arg {name[:40]!r} is not known, or its value is no word",
                code="bad_build_argument",
                hint=f"known are {known}. Never a secret: anybody may read them in the image",
            )
    return pairs


def _revision(context_sha256: str) -> str:
    """The commit of this checkout, with `-changed` where files differ; else the context's sum."""
    git, root = shutil.which("git"), installed.package_folder().parent.parent
    if git is None or not (root / ".git").exists():
        return f"sha256:{context_sha256}"
    commit = _git(git, root, "rev-parse", "HEAD")
    if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        return f"sha256:{context_sha256}"
    parts = ("src/podtune", "runpod-worker", "requirements")
    changed = _git(git, root, "status", "--porcelain", "--", *parts)
    return f"{commit}-changed" if changed else commit


def _git(git: str, root: Path, *words: str) -> str:
    """What git says of a checkout; empty where it says nothing."""
    try:
        done = subprocess.run(
            [git, "-C", str(root), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()

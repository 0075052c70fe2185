"""docker and buildah: which of them works here, and the words of their commands.

Knows nothing of what is built. Both use the user's own login at a registry (`docker login`, `buildah
login`); no password is asked for, and none stands in a command.
"""

import json
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast

from podtune.core.errors import CredentialsError, PodtuneError, ProviderError, UnsupportedError
from podtune.core.redact import scrub

PLATFORM: Final = "linux/amd64"
"""RunPod's hosts have no other (docs.runpod.io, 2026-08-20)."""

Tell = Callable[[str], None]
"""Hears each line a tool writes; secrets are blotted out."""

_ANSWER_LIMIT_S: Final = 30.0
"""For a question to a tool; builds and pushes have no limit."""

_COPYING: Final = frozenset({"vfs"})
"""Ways of buildah to store images that copy everything for each layer: 1 GB eight times for this image."""

_TAIL: Final = 12
"""Lines of a tool that failed, kept for the error."""

_WORDS: Final = 1500
"""Characters of them."""

_LINE: Final = 2000
"""Characters of a line that are looked at; a tool's own lines are shorter."""

_REFUSED: Final = re.compile(
    r"denied|unauthorized|authentication required|no basic auth|not logged in", re.IGNORECASE
)
"""How tools say that a registry does not know the user: they have no code for it."""


class BuildOrder(NamedTuple):
    """One build."""

    tag: str
    folder: Path
    """The context, with its Dockerfile."""
    arguments: tuple[tuple[str, str], ...] = ()
    """Build arguments: name and value. They can be read in the image: no secret."""
    pip_config: Path | None = None
    """pip's configuration; there while the libraries are installed, and in no layer."""


class Tool(NamedTuple):
    """One of the two, found on this machine."""

    name: Literal["docker", "buildah"]
    program: str
    has_layers: bool = True
    """Whether layers are cheap to keep; without them a push sends everything again."""

    def build_command(self, order: BuildOrder) -> list[str]:
        """The command that builds an image; a user may run it by hand."""
        words = [self.program, "build", "--platform", PLATFORM]
        if self.name == "buildah":
            # OCI's own format knows no HEALTHCHECK
            words += ["--format", "docker", f"--layers={str(self.has_layers).lower()}"]
        else:
            words += ["--progress", "plain"]
        for name, value in order.arguments:
            words += ["--build-arg", f"{name}={value}"]
        if order.pip_config:
            words += ["--secret", f"id=pip,src={order.pip_config}"]
        return [*words, "--tag", order.tag, str(order.folder)]

    def push_command(self, tag: str, digest_file: Path) -> list[str]:
        """The command that pushes an image.

        Args:
            tag: The image.
            digest_file: Where buildah writes what the registry calls the image; docker keeps it itself.
        """
        if self.name == "buildah":
            return [self.program, "push", "--digestfile", str(digest_file), tag]
        return [self.program, "push", tag]

    def size(self, tag: str) -> int:
        """Bytes of an image's layers on this machine."""
        if self.name == "docker":
            said = ask([self.program, "image", "inspect", "--format", "{{.Size}}", tag])
            return int(said.strip())
        said = ask([self.program, "inspect", "--type", "image", "--format", "{{.Manifest}}", tag])
        layers = cast("list[dict[str, Any]]", json.loads(said)["layers"])
        return sum(int(layer["size"]) for layer in layers)

    def digest(self, tag: str, digest_file: Path) -> str | None:
        """What the registry calls the image that was pushed, `sha256:...`; None where it is not told."""
        if self.name == "buildah":
            said = digest_file.read_text(encoding="ascii") if digest_file.is_file() else ""
        else:
            name = tag.rpartition(":")[0]
            repositories = [
                self.program,
                "image",
                "inspect",
                "--format",
                "{{json .RepoDigests}}",
                tag,
            ]
            known = cast("list[str]", json.loads(ask(repositories)) or [])
            said = next((one for one in known if one.partition("@")[0].endswith(name)), "")
        found = re.search(r"sha256:[0-9a-f]{64}", said)
        return found[0] if found else None


def find() -> Tool:
    """Docker where its engine answers, else buildah.

    Raises:
        UnsupportedError: `no_image_builder`: neither works here.
    """
    docker, buildah = shutil.which("docker"), shutil.which("buildah")
    if docker and _answers(docker):
        return Tool("docker", docker)
    if buildah:
        driver = ask([buildah, "info", "--format", "{{.store.GraphDriverName}}"]).strip()
        return Tool("buildah", buildah, has_layers=driver not in _COPYING)
    if docker:
        raise UnsupportedError(
            "docker is installed, but its engine does not answer",
            code="no_image_builder",
            hint="start it (Docker Desktop, or: systemctl start docker), or install buildah: "
            "apt-get install buildah",
        )
    raise UnsupportedError(
        "neither docker nor buildah is installed",
        code="no_image_builder",
        hint="install buildah (apt-get install buildah) or Docker, then run this again",
    )


def _answers(docker: str) -> bool:
    """Whether an engine stands behind docker's command."""
    try:
        ask([docker, "version", "--format", "{{.Server.Version}}"])
    except ProviderError:
        return False
    return True


def ask(command: Sequence[str]) -> str:
    """What a tool answers to a short question.

    Raises:
        ProviderError: `image_tool_failed`.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(command, [str(error)]) from error
    if done.returncode:
        raise _failed(command, done.stderr.splitlines())
    return done.stdout


def run(command: Sequence[str], tell: Tell) -> None:
    """Run a build or a push to its end; the tool is ended when this is left early.

    Args:
        command: The tool's command; it gets nothing to read, so it cannot ask for a password.
        tell: Hears each line as it comes.

    Raises:
        CredentialsError: `registry_login`: the registry does not let this user in.
        ProviderError: `image_build_failed`, `image_push_failed`.
    """
    last: deque[str] = deque(maxlen=_TAIL)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                said = scrub(line[:_LINE].rstrip())
                if said:
                    last.append(said)
                    tell(said)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise _failed(command, list(last))


def _failed(command: Sequence[str], said: Sequence[str]) -> PodtuneError:
    """The error for a tool that failed, with the last it said."""
    tool, verb = Path(command[0]).name, command[1]
    words = scrub("\n".join(line.rstrip() for line in said[-_TAIL:] if line.strip()))[-_WORDS:]
    message = f"{tool} {verb} failed: {words or 'it said nothing'}"
    context = {"tool": tool, "said": words}
    again = "what it said last is above; once the cause is gone, run the same command again: "
    if verb == "push" and _REFUSED.search(words):
        return CredentialsError(
            f"the registry does not let this user push: {words.splitlines()[-1]}",
            code="registry_login",
            hint=f"{tool} login REGISTRY (Docker Hub: {tool} login docker.io), then run this again; "
            "the name in --tag must be yours",
            context=context,
        )
    if verb == "push":
        hint = f"{again}what the registry has is not sent twice"
        return ProviderError(message, code="image_push_failed", hint=hint, context=context)
    if verb == "build":
        hint = f"{again}layers that are done are kept"
        return ProviderError(message, code="image_build_failed", hint=hint, context=context)
    return ProviderError(
        message,
        code="image_tool_failed",
        hint=f"try it by hand: {tool} {verb}",
        context=context,
    )

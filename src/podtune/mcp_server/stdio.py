"""The server on stdin and stdout, for a client that starts it: one process, this machine's own user.

stdout belongs to the protocol; whatever else would be printed there goes to stderr.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import anyio

from podtune.app import wiring
from podtune.app.service import Service
from podtune.app.settings import Settings
from podtune.app.submissions import Submissions
from podtune.core.errors import NotFoundError
from podtune.mcp_server.house import House
from podtune.mcp_server.server import make_server


def serve(settings: Settings, folders: Sequence[Path]) -> None:
    """Serve until the client closes stdin. Jobs do not depend on it: they go on.

    Args:
        settings: Of the installation.
        folders: What may be spoken of where the client declares no roots; the working folder where none is named.

    Raises:
        NotFoundError: a folder is not there.
    """
    named = [folder.expanduser().absolute() for folder in folders] or [Path.cwd()]
    missing = next((folder for folder in named if not folder.is_dir()), None)
    if missing is not None:
        raise NotFoundError(
            f"no folder at {str(missing)!r}", code="folder_not_found", hint="name one that is there"
        )
    with contextlib.closing(Service(settings)) as service:
        submissions = Submissions(service)
        try:
            if wiring.has_job_store(settings):
                submissions.recover()
            anyio.run(make_server(House(submissions, named)).run_stdio_async)
        finally:
            submissions.close()

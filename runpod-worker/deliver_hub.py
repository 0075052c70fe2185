"""Bring an artifact from a rented machine into the job's private repository on the Hub.

    python deliver_hub.py --repository account/podtune-JOB --job JOB --attempt 1

Runs in the job's folder, `artifact/` below it. The token is HF_TOKEN, a fine-grained one that was
handed over through the machine's port. Exit code 0: everything is there, sums compared.
"""

import argparse
import sys
from pathlib import Path

from pydantic import JsonValue, TypeAdapter

from podtune.core.errors import ArtifactError, PodtuneError
from podtune.core.events import parse_line
from podtune.storage import hub_account, hub_store
from podtune.storage.places import StoreKey

FACTS = TypeAdapter(dict[str, JsonValue])


def main(arguments: list[str] | None = None) -> int:
    """Parse, upload, compare; what goes wrong is said on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", default="https://huggingface.co")
    parser.add_argument("--repository", required=True)
    parser.add_argument("--job", required=True)
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--folder", type=Path, default=Path("artifact"))
    given = parser.parse_args(arguments)
    try:
        if not given.folder.is_dir():
            raise ArtifactError(f"there is no folder {str(given.folder)!r}", code="no_artifact")
        account = hub_account.of_environment(given.endpoint)
        key = StoreKey(given.job, given.attempt)
        measured = facts(given.folder.parent / "events.jsonl", given.attempt)
        hub_store.put_result(account, key, given.repository, given.folder, measured)
    except PodtuneError as error:
        sys.stderr.write(f"{error.code}: {error.message}\n")
        return 1
    return 0


def facts(path: Path, attempt: int) -> dict[str, JsonValue]:
    """What the worker measured in an attempt, from its events; none without them."""
    found: dict[str, JsonValue] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for event in filter(None, map(parse_line, lines)):
        if event.attempt == attempt and event.facts:
            found.update(FACTS.validate_python(event.facts))
    return found


if __name__ == "__main__":
    sys.exit(main())

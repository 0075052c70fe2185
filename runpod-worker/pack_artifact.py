"""Pack an artifact folder into one `.tar.gz`, on a rented machine that writes it to an address.

    python pack_artifact.py ARTIFACT_FOLDER TARGET

Exit code 0: the archive is there. The same folder gives the same bytes.
"""

import argparse
import sys
from pathlib import Path

from podtune.core.errors import PodtuneError
from podtune.storage import archive


def main(arguments: list[str] | None = None) -> int:
    """Parse and pack; what goes wrong is said on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args(arguments)
    try:
        archive.pack(given.folder, given.target)
    except PodtuneError as error:
        sys.stderr.write(f"{error.code}: {error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Whether the gateway of this container is ready: exit code 0, or 1 and what stands against it.

    python healthy.py PORT

The image's health check; the standard library only.
"""

import json
import sys
import urllib.error
import urllib.request

PATIENCE_S = 8
BYTES = 64 * 1024


def wrong(port: int) -> str | None:
    """What stands against sending requests here; None where nothing does."""
    url = f"http://127.0.0.1:{port}/readyz"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=PATIENCE_S) as answer:
            found = json.loads(answer.read(BYTES))
    except urllib.error.HTTPError as error:
        said = error.read(BYTES).decode(errors="replace")
        return f"/readyz answers {error.code}: {said[:500]}"
    except (OSError, ValueError) as error:
        return f"no answer: {error}"
    return None if found.get("ready") is True else "not ready"


if __name__ == "__main__":
    told = wrong(int(sys.argv[1]))
    if told is not None:
        print(told)  # noqa: T201 - shown by `docker inspect`
        sys.exit(1)

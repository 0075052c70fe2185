"""A cloud, a Hub and a home for requests in words: what `podtune ask` needs of the world, all on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from podtune.app.settings import container_environment
from podtune.providers.runpod import images
from podtune.storage.bundle import lock_sha256
from podtune.testing.cloud import Cloud
from podtune.testing.options import CloudOptions
from podtune.testing.process_pods import ProcessPods
from podtune.testing.server import CloudServer
from support.home import Home
from support.hub_server import HubServer

MISTRAL = "mistralai/Mistral-7B-Instruct-v0.3"
"""What `Mistral` means today, by the table of releases; the stand-in Hub gives a tiny model of that name."""

QUICK = {
    "PODTUNE_PROOF_WINDOW_S": "1",
    "PODTUNE_SETTLE_S": "2",
    "PODTUNE_UPLOAD_RESERVE_S": "20",
    "PODTUNE_BOOT_LIMIT_S": "60",
    "OMP_NUM_THREADS": "1",
}


@contextmanager
def world(home: Home, folder: Path, tiny: Path) -> Iterator[CloudServer]:
    """The cloud whose account the home has; its stock image has every library, so nothing is installed."""
    with HubServer({MISTRAL: tiny}) as hub:
        installed = {images.DEFAULT: {"PODTUNE_LOCK_SHA256": lock_sha256()}}
        pods = ProcessPods(
            folder / "cloud", installed, {**container_environment(), "HF_ENDPOINT": hub.url}
        )
        options = CloudOptions(provisioning_s=0.2, pull_s=0.3, listing_lag_s=0.5)
        with CloudServer(Cloud(None, 0, pods, options)) as server:
            for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
                home.environment.pop(name, None)
            home.environment |= {
                **server.environment(), **QUICK, "HF_ENDPOINT": hub.url,
                "HF_HOME": str(folder / "hub"),
            }  # fmt: skip
            try:
                yield server
            finally:
                home.end_everything()

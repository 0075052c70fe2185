"""podtune: from a person's data to a LoRA adapter.

from podtune import Client

with Client() as client:
job = client.submit(client.plan("tickets.csv"))
print(client.wait(job.id).outcome)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from podtune.app.client import Client

__version__ = "0.1.0"
__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> object:
    """Load `Client` when it is asked for: `import podtune` alone stays instant."""
    if name == "Client":
        from podtune.app.client import Client

        return Client
    raise AttributeError(f"module 'podtune' has no attribute {name!r}")

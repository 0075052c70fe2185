"""What may be read under `podtune://`: the jobs, one job's status, its receipt. JSON, as the tools answer it."""

from typing import Final

from mcp.server.mcpserver import MCPServer

from podtune.mcp_server import faults
from podtune.mcp_server.house import House
from podtune.mcp_server.looking import jobs_answer

JSON: Final = "application/json"
LISTED: Final = 50
"""Jobs in the list."""


class Resources:
    """Of one server."""

    def __init__(self, house: House) -> None:
        """Nothing is read yet."""
        self._house = house

    def jobs(self) -> str:
        """The caller's newest jobs, each with its phase and outcome."""
        return jobs_answer(self._house.desk(), LISTED).model_dump_json()

    def job(self, id: str) -> str:
        """How one job stands: the status object of the application's contract."""
        return self._house.desk().status(id).model_dump_json()

    def receipt(self, id: str) -> str:
        """A completed job's signed receipt: what was trained, on what, at what cost, with the proof."""
        return self._house.desk().receipt(id).model_dump_json()


def register(server: MCPServer, house: House) -> None:
    """Put the resources on a server."""
    held = Resources(house)
    for uri, name, title, read in (
        ("podtune://jobs", "jobs", "Jobs", held.jobs),
        ("podtune://jobs/{id}", "job", "A job's status", held.job),
        ("podtune://jobs/{id}/receipt", "receipt", "A job's signed receipt", held.receipt),
    ):
        server.resource(uri, name=name, title=title, description=read.__doc__, mime_type=JSON)(
            faults.read(read)
        )

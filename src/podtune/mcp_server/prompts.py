"""The prompt `fine_tune`: the flow from a wish to a proved adapter, for a client's menu of prompts."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

FLOW = """\
Fine-tune a model with podtune: {request}

Go through these steps, with podtune's tools:
1. Where data is named, `check_data` it, and tell me what it is and what is wrong with it.
2. `plan` with my own words as `request`. Do not add to them, and do not choose for me: ask me every question that
   comes back, and plan again with my `answers`.
3. Show me the plan's summary, its price and its ceiling, and wait for my yes. Without it, stop here.
4. `submit` the token. Where it says `approval_needed`, tell me the command that it names; I run it myself.
5. `status` with `wait_s` 45 until `is_finished`; tell me when the phase changes.
6. `artifact`: tell me where the adapter is, what it cost, and that it was proved. If the job failed, read `logs` and
   tell me why, and what to do next.

Never change a price limit, make anything public, cancel a job or retry a paid one unless I say so.
"""


def fine_tune(
    request: Annotated[str, Field(description="What you want, in your own words.")],
) -> str:
    """Plan a fine-tuning, agree on its price, run it, and prove what came of it."""
    return FLOW.format(request=request)


def register(server: MCPServer) -> None:
    """Put the prompt on a server."""
    server.prompt(title="Fine-tune a model")(fine_tune)

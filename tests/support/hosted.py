"""The unmodified `openai` SDK, pointed at a gateway of a test. For tests only."""

from openai import DefaultHttpxClient, OpenAI


def sdk(url: str, token: str = "none", **more) -> OpenAI:
    """A client; close it, or use it as a context manager."""
    client = DefaultHttpxClient(trust_env=False)
    return OpenAI(base_url=f"{url}/v1", api_key=token, http_client=client, **more)

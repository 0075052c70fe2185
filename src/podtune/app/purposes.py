"""What `podtune doctor --for` can be asked about. Light: the command line shows it in its help."""

from enum import StrEnum
from typing import Final

REFERENCE_MODEL: Final = "Qwen/Qwen3-Next-80B-A3B-Instruct"
"""Specification B's base model of serverless workers."""


class Purpose(StrEnum):
    """What is to be done."""

    LOCAL = "local"
    """Train on this machine."""
    RUNPOD = "runpod"
    """Train on rented pods."""
    SERVERLESS = "runpod-serverless"
    """Deploy serverless workers: specification B's prerequisites."""
    SUPABASE = "supabase"
    """Deliver adapters to Supabase Storage."""

"""Who asks: the caller of a face that several people share, and what they may do."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field


class Scope(StrEnum):
    """What a key opens."""

    SUBMIT = "submit"
    """Plan, upload and submit; also resume. Nobody is asked again: an application's."""
    PLAN = "plan"
    """Upload, plan, and start what was planned by its token; nothing else begins anything: an agent's. Part of
    `submit`."""
    READ = "read"
    """See jobs, events, logs, files and artifacts."""
    CANCEL = "cancel"
    APPROVE = "approve"
    """Let dear plans start that other keys ask for: a person's, never an agent's."""
    ADMIN = "admin"
    """All of it, of every tenant."""


class Principal(BaseModel):
    """A caller whose key was checked, or who sits at this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str | None
    """Whose jobs are seen and made; None sees all: this machine's own user, and `admin`."""
    key_id: str | None = None
    """Of the key; None for this machine's own user."""
    name: str = Field(default="this machine", max_length=80)
    scopes: frozenset[Scope]
    budget_usd: Decimal | None = Field(default=None, ge=0)
    """Dollars that all jobs of the key may cost together; None: no limit of its own."""

    def may(self, scope: Scope) -> bool:
        """Whether a scope is held; `admin` holds all, and `submit` holds `plan`."""
        is_part = scope is Scope.PLAN and Scope.SUBMIT in self.scopes
        return is_part or scope in self.scopes or Scope.ADMIN in self.scopes


THIS_MACHINE: Final = Principal(tenant=None, scopes=frozenset(Scope))
"""Who calls a gateway that has no keys and listens to loopback only."""

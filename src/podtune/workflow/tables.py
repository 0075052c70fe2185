"""The tables of the job store. Times are integer microseconds UTC, money integer micro-dollars."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

SCHEMA_VERSION: Final = 2
"""`PRAGMA user_version` of a database this code can use."""

metadata: Final = MetaData()

jobs: Final = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("owner", String(16), nullable=False),
    Column("desired", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("plan", Text, nullable=False),
    Column("plan_digest", String(64), nullable=False),
    Column("instance_name", String(120)),
    Column("instance_id", String(120)),
    Column("intent_at", BigInteger),
    Column("started_at", BigInteger),
    Column("rung", Integer, nullable=False, server_default="0"),
    Column("first_intent_at", BigInteger),
    Column("deadline", BigInteger),
    Column("salvage_at", BigInteger),
    Column("left_at", BigInteger),
    Column("kept_until", BigInteger),
    Column("account", String(32)),
    Column("hindrance", Text),
    Column("outcome", String(16)),
    Column("error_code", String(60)),
    Column("error_message", Text),
    Column("advice", Text),
    Column("proof", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Index("jobs_by_phase", "phase"),
)

events: Final = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job", String(40), ForeignKey("jobs.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Index("events_by_job", "job", "id"),
)
"""What the workflow did, append only. The worker's own events stay in the job's folder."""

instances: Final = Table(
    "instances",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("job", String(40), ForeignKey("jobs.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("name", String(120), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("absent_at", BigInteger),
)
"""Every instance ever seen; `absent_at` is set once its absence is proved."""

intents: Final = Table(
    "intents",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(120), nullable=False),
    Column("job", String(40), ForeignKey("jobs.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("intent_at", BigInteger, nullable=False),
    Column("deadline", BigInteger),
    Column("micro_usd_per_hour", BigInteger, nullable=False),
    Column("gpu", String(120)),
    Column("region", String(60)),
    Column("instance_id", String(120)),
    Column("absent_at", BigInteger),
    Index("intents_by_job", "job"),
    Index("intents_by_name", "name"),
)
"""Every order of a rented machine, written before it is sent: our own meter of what is spent.

An order costs from `intent_at` to `absent_at` (now, while it is open); one that is closed without an
instance was refused or proved never to have been carried out, and costs nothing.
"""

leases: Final = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(120), nullable=False),
    Column("token", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("account", String(32)),
)
"""Who drives, and with which account. Writes of a driver carry its token; a stale token is refused."""

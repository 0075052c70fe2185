"""The tables of the job store. Times are integer microseconds UTC."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

SCHEMA_VERSION: Final = 1
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

leases: Final = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("holder", String(120), nullable=False),
    Column("token", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
)
"""Who drives. Writes of a driver carry its token; a stale token is refused."""

"""The tables of the job store. Times are integer microseconds UTC, money integer micro-dollars."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION: Final = 5
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
    Column("run", Integer, nullable=False, server_default="1"),
    Column("recoveries", Integer, nullable=False, server_default="0"),
    Column("recovering", String(60)),
    Column("warned_at", BigInteger),
    Column("requote", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("host", String(120)),
    Column("tenant", String(60)),
    Column("holder", String(200)),
    Column("token", Integer, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False, server_default="1"),
    Index("jobs_by_phase", "phase", "created_at"),
    Index("jobs_by_holder", "holder"),
)
"""`holder` drives the row and writes with `token`, which grows with every change of holder; `version`
grows with every write. `host` is where a job's worker is a process: nobody else can see it."""

plans: Final = Table(
    "plans",
    metadata,
    Column("job", String(40), ForeignKey("jobs.id"), primary_key=True),
    Column("plan", Text, nullable=False),
)
"""The plan of each job. It never changes, and its 80 kB would be read over in every look at the rows."""

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
    Column("began_at", BigInteger),
    Column("absent_at", BigInteger),
    Column("reserved_micro_usd", BigInteger),
    Column("billed_micro_usd", BigInteger),
    Column("settled_at", BigInteger),
    Index("intents_by_job", "job"),
    Index("intents_by_name", "name"),
)
"""Every order of a rented machine, written before it is sent: our own meter of what is spent.

An order costs from `intent_at` to `absent_at` (now, while it is open); one that is closed without an
instance was refused or proved never to have been carried out, and costs nothing. A job in a queue costs
from `began_at` on, once it is known when a worker took it.
"""

drivers: Final = Table(
    "drivers",
    metadata,
    Column("holder", String(200), primary_key=True),
    Column("owner", String(16), nullable=False),
    Column("host", String(120), nullable=False),
    Column("account", String(32)),
    Column("until", BigInteger, nullable=False),
)
"""Who drives, and until when they count as alive without a sign. A job whose holder is not alive is free."""

leases: Final = Table(
    "leases",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("token", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
)
"""What one process at a time does for all: the reaper's round over an account."""

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("job", String(40), nullable=False),
    Column("url", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_at", BigInteger),
    Column("delivered_at", BigInteger),
    Column("given_up_at", BigInteger),
    Column("last_error", Text),
    Column("holder", String(200)),
    Column("held_until", BigInteger),
    Index("outbox_by_next", "next_at"),
)
"""Messages to applications, written in the transaction that settles an outcome. `next_at` is null once a
message was delivered or given up. `job` is the id of a job, or of a submission that was refused and never became one."""

strays: Final = Table(
    "strays",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("account", String(32)),
    Column("job", String(40)),
    Column("micro_usd_per_hour", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("first_seen_at", BigInteger, nullable=False),
    Column("asked_at", BigInteger),
    Column("absent_at", BigInteger),
    Column("proof", Text),
)
"""Machines of this installation that no job wants: seen in the account, ended by the reaper, and proved
gone (`absent_at`). Kept for ever, like `instances`."""

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("tenant", String(60), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("scopes", String(80), nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("budget_micro_usd", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
)
"""Keys of the gateway. `sha256` is of the token's secret part, `scopes` are words with a space between them."""

submissions: Final = Table(
    "submissions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", String(16), nullable=False),
    Column("tenant", String(60), nullable=False),
    Column("key_id", String(20)),
    Column("kind", String(20), nullable=False),
    Column("name", String(200)),
    Column("digest", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("body", Text),
    Column("state", String(16), nullable=False),
    Column("error", Text),
    Column("ceiling_micro_usd", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("begun_at", BigInteger),
    Column("settled_at", BigInteger),
    Column("answered_at", BigInteger),
    Column("holder", String(200)),
    Column("held_until", BigInteger),
    Index("submissions_by_name", "tenant", "kind", "name", unique=True),
    Index("submissions_by_time", "tenant", "created_at"),
    Index("submissions_by_state", "state", "held_until"),
    Index("submissions_by_key", "key_id"),
)
"""What was asked of the gateway; `id` is the job's from the moment it is accepted. `tenant` is "" for this
machine's own user. `body` is what was asked while it is prepared: it may hold a signed address, and is gone once
the state is another. `owner` is the installation that prepares it and has its files; `holder` prepares it until
`held_until`. `name` is empty where nobody gave one, and once a refused one has given it up. `answered_at` is when
the caller was left with its id while it was prepared: from then on a refusal is told by a callback."""

files: Final = Table(
    "files",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(60), nullable=False),
    Column("filename", String(300), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("status", String(20), nullable=False),
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("deleted_at", BigInteger),
    Index("files_by_tenant", "tenant", "created_at"),
)
"""Files that callers uploaded; the bytes are in the home. `tenant` is "" for this machine's own user."""

plan_tickets: Final = Table(
    "plan_tickets",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", String(16), nullable=False),
    Column("tenant", String(60), nullable=False),
    Column("key_id", String(20)),
    Column("asked_by", String(80), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("data_digest", String(64), nullable=False),
    Column("spec_digest", String(64), nullable=False),
    Column("plan_digest", String(64), nullable=False),
    Column("ceiling_micro_usd", BigInteger),
    Column("body", Text),
    Column("plan", Text),
    Column("approval", String(16), nullable=False),
    Column("decided_at", BigInteger),
    Column("decided_by", String(160)),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("job", String(40)),
    Index("plan_tickets_by_approval", "approval", "expires_at"),
    Index("plan_tickets_by_end", "expires_at"),
)
"""Plans that a token was given out for; the token itself stands nowhere. `tenant` is "" for this machine's own user.
`body` is the request and `plan` the plan: both may hold a signed address, and are gone once the ticket is used,
refused or has ended. `job` is the id that came of it, set with `used_at` in the transaction that reserves it."""

"""Many drivers on one store: a holder for each job; plans, an outbox, strays; what an order reserved and was billed.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_JOBS = (
    ("run", sa.Integer, "1"),
    ("recoveries", sa.Integer, "0"),
    ("token", sa.Integer, "0"),
    ("version", sa.Integer, "1"),
    ("recovering", sa.String(60), None),
    ("warned_at", sa.BigInteger, None),
    ("requote", sa.Text, None),
    ("host", sa.String(120), None),
    ("holder", sa.String(200), None),
)
_INTENTS = ("reserved_micro_usd", "billed_micro_usd", "settled_at")


def upgrade() -> None:
    """Jobs that are under way keep their phase; the next driver takes them."""
    with op.batch_alter_table("jobs") as jobs:
        for name, kind, default in _JOBS:
            jobs.add_column(sa.Column(name, kind, nullable=default is None, server_default=default))
        jobs.drop_index("jobs_by_phase")
        jobs.create_index("jobs_by_phase", ["phase", "created_at"])
        jobs.create_index("jobs_by_holder", ["holder"])
    op.create_table(
        "plans",
        sa.Column("job", sa.String(40), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("plan", sa.Text, nullable=False),
    )
    op.execute("INSERT INTO plans (job, plan) SELECT id, plan FROM jobs")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("plan")
    with op.batch_alter_table("intents") as intents:
        for name in _INTENTS:
            intents.add_column(sa.Column(name, sa.BigInteger))
    op.drop_table("leases")
    op.create_table(
        "leases",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "drivers",
        sa.Column("holder", sa.String(200), primary_key=True),
        sa.Column("owner", sa.String(16), nullable=False),
        sa.Column("host", sa.String(120), nullable=False),
        sa.Column("account", sa.String(32)),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("job", sa.String(40), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("given_up_at", sa.BigInteger),
        sa.Column("last_error", sa.Text),
        sa.Column("holder", sa.String(200)),
        sa.Column("held_until", sa.BigInteger),
    )
    op.create_index("outbox_by_next", "outbox", ["next_at"])
    op.create_table(
        "strays",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("account", sa.String(32)),
        sa.Column("job", sa.String(40)),
        sa.Column("micro_usd_per_hour", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.BigInteger),
        sa.Column("absent_at", sa.BigInteger),
        sa.Column("proof", sa.Text),
    )


def downgrade() -> None:
    """Back to one driver a home."""
    for name in ("strays", "outbox", "drivers", "leases"):
        op.drop_table(name)
    op.create_table(
        "leases",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("holder", sa.String(120), nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("account", sa.String(32)),
    )
    with op.batch_alter_table("intents") as intents:
        for name in _INTENTS:
            intents.drop_column(name)
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("plan", sa.Text, nullable=False, server_default=""))
    op.execute("UPDATE jobs SET plan = (SELECT plans.plan FROM plans WHERE plans.job = jobs.id)")
    op.drop_table("plans")
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("plan", server_default=None)
        jobs.drop_index("jobs_by_holder")
        jobs.drop_index("jobs_by_phase")
        jobs.create_index("jobs_by_phase", ["phase"])
        for name, _, _ in _JOBS:
            jobs.drop_column(name)

"""Rented machines: limits and account of a job, and every order of a machine with its price.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIMES = ("first_intent_at", "deadline", "salvage_at", "left_at", "kept_until")


def upgrade() -> None:
    """Add what rented jobs need; local jobs leave it empty."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("rung", sa.Integer, nullable=False, server_default="0"))
        for name in _TIMES:
            jobs.add_column(sa.Column(name, sa.BigInteger))
        jobs.add_column(sa.Column("account", sa.String(32)))
        jobs.add_column(sa.Column("hindrance", sa.Text))
    with op.batch_alter_table("leases") as leases:
        leases.add_column(sa.Column("account", sa.String(32)))
    op.create_table(
        "intents",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("job", sa.String(40), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("intent_at", sa.BigInteger, nullable=False),
        sa.Column("deadline", sa.BigInteger),
        sa.Column("micro_usd_per_hour", sa.BigInteger, nullable=False),
        sa.Column("gpu", sa.String(120)),
        sa.Column("region", sa.String(60)),
        sa.Column("instance_id", sa.String(120)),
        sa.Column("absent_at", sa.BigInteger),
    )
    op.create_index("intents_by_job", "intents", ["job"])
    op.create_index("intents_by_name", "intents", ["name"])


def downgrade() -> None:
    """Drop what was added."""
    op.drop_table("intents")
    with op.batch_alter_table("leases") as leases:
        leases.drop_column("account")
    with op.batch_alter_table("jobs") as jobs:
        for name in ("rung", *_TIMES, "account", "hindrance"):
            jobs.drop_column(name)

"""Plans that a token was given out for, and whether a person agreed to them.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing that is there changes."""
    op.create_table(
        "plan_tickets",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("owner", sa.String(16), nullable=False),
        sa.Column("tenant", sa.String(60), nullable=False),
        sa.Column("key_id", sa.String(20)),
        sa.Column("asked_by", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("data_digest", sa.String(64), nullable=False),
        sa.Column("spec_digest", sa.String(64), nullable=False),
        sa.Column("plan_digest", sa.String(64), nullable=False),
        sa.Column("ceiling_micro_usd", sa.BigInteger),
        sa.Column("body", sa.Text),
        sa.Column("plan", sa.Text),
        sa.Column("approval", sa.String(16), nullable=False),
        sa.Column("decided_at", sa.BigInteger),
        sa.Column("decided_by", sa.String(160)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
        sa.Column("job", sa.String(40)),
    )
    op.create_index("plan_tickets_by_approval", "plan_tickets", ["approval", "expires_at"])
    op.create_index("plan_tickets_by_end", "plan_tickets", ["expires_at"])


def downgrade() -> None:
    """Drop what was added; tokens that were given out open nothing any more."""
    op.drop_table("plan_tickets")

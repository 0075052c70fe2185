"""The gateway: keys, submissions, uploaded files, and whose a job is.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NAMING = {"fk": "%(table_name)s_%(column_0_name)s_fkey"}
"""As PostgreSQL names what has no name, so that SQLite's has one too."""
_OUTBOX_JOB = "outbox_job_fkey"


def upgrade() -> None:
    """Jobs that are there are this machine's own user's."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("tenant", sa.String(60)))
    with op.batch_alter_table("intents") as intents:
        intents.add_column(sa.Column("began_at", sa.BigInteger))
    # What was refused before it became a job is told of too.
    with op.batch_alter_table("outbox", naming_convention=_NAMING) as outbox:
        outbox.drop_constraint(_OUTBOX_JOB, type_="foreignkey")
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(20), primary_key=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("tenant", sa.String(60), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(80), nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("budget_micro_usd", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("owner", sa.String(16), nullable=False),
        sa.Column("tenant", sa.String(60), nullable=False),
        sa.Column("key_id", sa.String(20)),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(200)),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("body", sa.Text),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("ceiling_micro_usd", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("begun_at", sa.BigInteger),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("holder", sa.String(200)),
        sa.Column("held_until", sa.BigInteger),
    )
    op.create_index("submissions_by_name", "submissions", ["tenant", "kind", "name"], unique=True)
    op.create_index("submissions_by_time", "submissions", ["tenant", "created_at"])
    op.create_index("submissions_by_state", "submissions", ["state", "held_until"])
    op.create_index("submissions_by_key", "submissions", ["key_id"])
    op.create_table(
        "files",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(60), nullable=False),
        sa.Column("filename", sa.String(300), nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("deleted_at", sa.BigInteger),
    )
    op.create_index("files_by_tenant", "files", ["tenant", "created_at"])


def downgrade() -> None:
    """Drop what was added."""
    for name in ("files", "submissions", "api_keys"):
        op.drop_table(name)
    op.execute("DELETE FROM outbox WHERE job NOT IN (SELECT id FROM jobs)")
    with op.batch_alter_table("outbox") as outbox:
        outbox.create_foreign_key(_OUTBOX_JOB, "jobs", ["job"], ["id"])
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("tenant")

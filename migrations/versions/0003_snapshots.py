"""Dashboards rendered ahead: their snapshots, encrypted with the tenant's key, and when they are made; a tenant's logo.

The columns are added without a constraint: SQLite then need not make the tables anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.protection import protect

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.String(32)
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TABLE = "dashboard_snapshots"


def upgrade() -> None:
    """Add them; nothing was rendered ahead yet."""
    op.create_table(
        TABLE,
        sa.Column("tenant_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("dashboard_id", ID, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("attributes_key", sa.Text, nullable=False),
        sa.Column("rights_key", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=True),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("not_before", MOMENT, nullable=True),
        sa.Column("attempt", sa.Text, nullable=True),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("leased_until", MOMENT, nullable=True),
        sa.Column("cells_done", sa.BigInteger, nullable=False),
        sa.Column("cells", sa.BigInteger, nullable=False),
        sa.Column("sealed_by", sa.Text, nullable=True),
        sa.Column("content_encrypted", sa.Text, nullable=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("made_at", MOMENT, nullable=True),
        sa.Column("failed_at", MOMENT, nullable=True),
        sa.Column("failure", sa.Text, nullable=True),
        sa.Column("cell", sa.BigInteger, nullable=True),
        sa.Column("trace_encrypted", sa.Text, nullable=True),
        sa.CheckConstraint("state IN ('idle', 'queued', 'running')", name=f"ck_{TABLE}_state"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "dashboard_id"],
            ["dashboards.tenant_id", "dashboards.id"],
            name=f"fk_{TABLE}_tenant_id_dashboard_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], name=f"fk_{TABLE}_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=f"pk_{TABLE}"),
        # The usual name would be longer than PostgreSQL takes.
        sa.UniqueConstraint("tenant_id", "dashboard_id", "version", "rights_key", name=f"uq_{TABLE}_rights"),
    )
    op.create_index(f"ix_{TABLE}_tenant_id_state", TABLE, ["tenant_id", "state"])
    protect(TABLE)
    op.add_column("dashboards", sa.Column("refresh_json", DOCUMENT, nullable=True))
    op.add_column("tenants", sa.Column("logo", sa.LargeBinary(), nullable=True))
    op.add_column("tenants", sa.Column("logo_type", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop them: pages are made for each reader again, and pages have no logo."""
    op.drop_column("tenants", "logo_type")
    op.drop_column("tenants", "logo")
    op.drop_column("dashboards", "refresh_json")
    op.drop_index(f"ix_{TABLE}_tenant_id_state", TABLE)
    op.drop_table(TABLE)

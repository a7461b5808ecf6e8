"""Who their company's sign-in says a person is: remembered with the person, and one person's alone in a tenant.

An index and no constraint: SQLite adds it without making the table anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEX = "ix_users_tenant_id_company_issuer_company_subject"


def upgrade() -> None:
    """Add the two columns; nobody has come that way yet."""
    op.add_column("users", sa.Column("company_issuer", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("company_subject", sa.Text(), nullable=True))
    op.create_index(INDEX, "users", ["tenant_id", "company_issuer", "company_subject"], unique=True)


def downgrade() -> None:
    """Forget it: people sign in by their address again."""
    op.drop_index(INDEX, "users")
    op.drop_column("users", "company_subject")
    op.drop_column("users", "company_issuer")

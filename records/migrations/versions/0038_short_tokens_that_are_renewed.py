"""Sign-ins have short tokens, and others that renew them: digests of the newest two"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

COLUMNS: tuple[tuple[str, Any], ...] = (
    ("renewal_no", sa.Integer()),
    ("renewal_digest", sa.String(64)),
    ("renewal_before", sa.String(64)),
    ("renewal_salt", sa.LargeBinary()),
    ("renewed_at", sa.Double()),
    ("renewed_by", sa.String(64)),
)


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("login", sa.Column(name, kind))


def downgrade() -> None:
    for name, _ in reversed(COLUMNS):
        op.drop_column("login", name)

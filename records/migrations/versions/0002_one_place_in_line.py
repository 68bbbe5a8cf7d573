"""No two sessions of one provider's queue stand at the same place in line"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _renumber_if_shared(op.get_bind())
    op.create_index("one_place_in_line", "session", ["provider_id", "seq"], unique=True)


def downgrade() -> None:
    op.drop_index("one_place_in_line", table_name="session")


def _renumber_if_shared(conn: sa.Connection) -> None:
    """Two presses at one moment could get the same place; the earlier press keeps the lead."""
    session = sa.table(
        "session",
        sa.column("id"),
        sa.column("provider_id"),
        sa.column("seq"),
        sa.column("pressed_at"),
    )
    places = conn.execute(
        sa.select(session.c.id, session.c.provider_id, session.c.seq).order_by(
            session.c.seq, session.c.pressed_at, session.c.id
        )
    ).all()
    if len({(row.provider_id, row.seq) for row in places}) == len(places):
        return
    for place, row in enumerate(places, start=1):
        conn.execute(sa.update(session).where(session.c.id == row.id).values(seq=place))

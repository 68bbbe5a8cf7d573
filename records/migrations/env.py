"""Alembic's entry: runs migrations on the URL that `records.engine` passes in.

All of them in one transaction, on SQLite too: a start that is cut off leaves the old schema, never
half of the new one. Of two servers that start together, one waits for the other.
"""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import Connection, Engine, create_engine, event, func, pool, select

from records.schema import MIGRATION_LOCK, metadata


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # else the driver decides where a transaction begins
    connection.execute("PRAGMA journal_mode=WAL")


def _begin(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(engine: Engine) -> None:
    with engine.begin() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        context.configure(
            connection=conn,
            target_metadata=metadata,
            render_as_batch=True,
            transactional_ddl=True,
        )
        with context.begin_transaction():
            context.run_migrations()


def run() -> None:
    url = context.config.attributes["url"]
    engine = create_engine(url, poolclass=pool.NullPool)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    try:
        _migrate(engine)
    finally:
        engine.dispose()


run()

"""The migrations make exactly the schema that the code states, with whatever is stored already."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Table, create_engine, insert, inspect, select, text
from sqlalchemy.engine import Inspector
from sqlalchemy.exc import DBAPIError

from records import engine as records_engine
from records import schema
from records.engine import current, downgrade, head, upgrade
from records.schema_audit import audit_checkpoint
from tests.records.cast import NOW

Make = Callable[[], str]


def _engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def _plain(value: object) -> str:
    """Constraint text without what each database adds to it."""
    return re.sub(r"[\s()\"]|::\w+(\[\])?", "", str(value)).lower()


def _index(found: Any) -> tuple[object, ...]:
    options = found.get("dialect_options", {})
    where = options.get("sqlite_where", options.get("postgresql_where"))
    return found["name"], tuple(found["column_names"]), bool(found["unique"]), _plain(where)


def _table(look: Inspector, name: str) -> dict[str, object]:
    return {
        "columns": {
            c["name"]: (str(c["type"]), c["nullable"], _plain(c["default"]))
            for c in look.get_columns(name)
        },
        "key": look.get_pk_constraint(name)["constrained_columns"],
        "references": sorted(
            (str(f["name"]), f["constrained_columns"], f["referred_table"])
            for f in look.get_foreign_keys(name)
        ),
        "checks": sorted(
            (str(c["name"]), _plain(c["sqltext"])) for c in look.get_check_constraints(name)
        ),
        "uniques": sorted(
            (str(u["name"]), u["column_names"]) for u in look.get_unique_constraints(name)
        ),
        "indexes": sorted(_index(i) for i in look.get_indexes(name)),
    }


def _shape(url: str) -> dict[str, dict[str, object]]:
    engine = _engine(url)
    try:
        look = inspect(engine)
        return {
            name: _table(look, name) for name in look.get_table_names() if name != "alembic_version"
        }
    finally:
        engine.dispose()


def _newest() -> str:
    """The number of the newest migration, which its file's name begins with."""
    folder = Path(records_engine.__file__).parent / "migrations" / "versions"
    return max(file.name[:4] for file in folder.glob("[0-9]*.py"))


def _rows(url: str) -> list[Any]:
    """Sessions as the first schema knew them; later migrations add columns."""
    one = schema.session.c
    statement = select(one.id, one.seq, one.state, one.pressed_at, one.press_key).order_by(one.id)
    engine = _engine(url)
    try:
        with engine.connect() as conn:
            return [tuple(row) for row in conn.execute(statement)]
    finally:
        engine.dispose()


def _store_two_at_one_place(url: str) -> None:
    engine = _engine(url)
    with engine.begin() as conn:
        for table, values in (
            (schema.agency, {"county": "P", "state": "SD", "regional_line": "1"}),
            (schema.provider, {"bridge_line": "2"}),
            (schema.program, {}),
        ):
            more = {} if table is schema.program else {"timezone": "UTC"}
            tiles = {"intake_tiles": "[]"} if table is schema.agency else {}
            conn.execute(insert(table).values(id="one", name="N", **values, **more, **tiles))
        for number in (1, 2):
            conn.execute(
                insert(schema.tablet).values(id=f"tab_{number}", agency_id="one", label="U")
            )
            conn.execute(
                insert(schema.session).values(
                    id=f"ses_{number}",
                    code="111111",
                    press_key=f"key{number}",
                    agency_id="one",
                    provider_id="one",
                    program_id="one",
                    tablet_id=f"tab_{number}",
                    state="waiting",
                    seq=7,
                    pressed_at=NOW - number,
                )
            )
    engine.dispose()


def test_the_migrated_schema_is_the_stated_one(new_url: Make) -> None:
    migrated, stated = new_url(), new_url()
    upgrade(migrated)
    engine = _engine(stated)
    schema.metadata.create_all(engine)
    engine.dispose()
    assert _shape(migrated) == _shape(stated)
    assert len(_shape(migrated)) == len(schema.metadata.tables)


def test_migrating_twice_changes_nothing_and_says_where_it_is(new_url: Make) -> None:
    url = new_url()
    assert current(url) is None
    upgrade(url)
    before = _shape(url)
    upgrade(url)
    assert _shape(url) == before
    assert current(url) == head() == _newest()


def test_going_up_and_down_keeps_what_is_stored(new_url: Make) -> None:
    url = new_url()
    upgrade(url, "0001")
    first = _shape(url)
    _store_two_at_one_place(url)
    upgrade(url)
    kept = _rows(url)
    assert [row[0] for row in kept] == ["ses_1", "ses_2"]
    downgrade(url, "0001")
    assert _shape(url) == first
    assert _rows(url) == kept
    upgrade(url)
    assert _rows(url) == kept
    downgrade(url, "base")
    assert _shape(url) == {}


def test_two_that_stood_at_one_place_stand_in_the_order_of_their_presses(new_url: Make) -> None:
    url = new_url()
    upgrade(url, "0001")
    _store_two_at_one_place(url)
    upgrade(url)
    engine = _engine(url)
    with engine.connect() as conn:
        order = conn.execute(select(schema.session.c.id).order_by(schema.session.c.seq)).scalars()
        assert list(order) == ["ses_2", "ses_1"]
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(
    new_url: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    for name in ("env.py", "versions/0001_the_first_schema.py"):
        (folder / name).write_text((records_engine.MIGRATIONS / name).read_text())
    (folder / "versions/0002_broken.py").write_text(
        'from alembic import op\nrevision = "0002"\ndown_revision = "0001"\n'
        'def upgrade():\n    op.execute("CREATE TABLE half (id INTEGER)")\n'
        '    op.execute("this is not SQL")\n'
    )
    monkeypatch.setattr(records_engine, "MIGRATIONS", folder)
    url = new_url()
    with pytest.raises(Exception, match="syntax error"):
        upgrade(url)
    assert _shape(url) == {}
    assert current(url) is None


def test_only_the_two_databases_are_taken() -> None:
    with pytest.raises(ValueError, match="sqlite or postgresql"):
        upgrade("mysql://somewhere/else")


def test_the_record_is_durable_as_sqlite_was_told(new_url: Make, backend: str) -> None:
    if backend != "sqlite":
        pytest.skip("settings of SQLite")
    url = new_url()
    upgrade(url)
    engine = create_engine(url)
    with engine.connect() as conn:
        assert conn.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    engine.dispose()


@pytest.mark.parametrize("table", [schema.audit, audit_checkpoint], ids=lambda table: table.name)
def test_the_database_itself_lets_the_audit_trail_only_grow(
    new_url: Make, backend: str, table: Table
) -> None:
    url = new_url()
    upgrade(url)
    entry = {"no": 1, "at": NOW, "actor_kind": "system", "action": "a.b", "object_kind": "log",
             "outcome": "allowed", "previous": "0", "digest": "1", "signature": "s"}  # fmt: skip
    row = {name: value for name, value in entry.items() if name in table.c}
    engine = _engine(url)
    with engine.begin() as conn:
        conn.execute(insert(table).values(row))
    emptied = ["TRUNCATE"] if backend == "postgresql" else []  # SQLite knows none
    for change in ("UPDATE {} SET no = 2", "DELETE FROM {}", *(f"{one} {{}}" for one in emptied)):
        with pytest.raises(DBAPIError, match="only grows"), engine.begin() as conn:
            conn.execute(text(change.format(table.name)))
    with engine.begin() as conn:
        assert conn.execute(select(table.c.no)).scalars().all() == [1]
    engine.dispose()

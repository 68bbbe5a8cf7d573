"""Result rows by their columns' names, whatever the order that they come in."""

from __future__ import annotations

import pytest
from sqlalchemy import Row, create_engine, text

from records.rows import values_of


def row(statement: str) -> Row[tuple[int, ...]]:
    with create_engine("sqlite://").connect() as conn:
        return conn.execute(text(statement)).one()


def test_values_come_in_the_order_that_is_asked_for() -> None:
    assert values_of(row("select 1 as one, 2 as two"), ("two", "one")) == [2, 1]
    assert values_of(row("select 2 as two, 1 as one"), ("two", "one")) == [2, 1]


@pytest.mark.parametrize("statement", ["select 1 as one", "select 1 as one, 2 as two, 3 as three"])
def test_a_row_with_fewer_or_other_columns_is_refused(statement: str) -> None:
    with pytest.raises(ValueError, match=r"two|three"):
        values_of(row(statement), ("one", "two"))

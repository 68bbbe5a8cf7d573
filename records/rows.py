"""Result rows of a whole table as what they are, quickly: a long line has a thousand of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Row


def values_of(row: Row[Any], names: tuple[str, ...]) -> list[Any]:
    """The row's values by these columns' names, in their order. Raises ValueError when the row has
    others, or fewer.

    Going through a row by its names takes most of the time of making something of it; the order is
    therefore worked out once for each kind of result.
    """
    return list(_picker(tuple(row._fields), names)(row))


@lru_cache(maxsize=64)
def _picker(given: tuple[str, ...], names: tuple[str, ...]) -> Callable[[Sequence[Any]], Any]:
    if sorted(given) != sorted(names):
        strange = sorted(set(given) ^ set(names))
        raise ValueError(f"not the columns that were asked for: {', '.join(strange)}")
    return itemgetter(*(given.index(name) for name in names))

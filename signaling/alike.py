"""Rows that many pages show alike, encoded once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, overload

import msgspec

T_co = TypeVar("T_co", covariant=True)

_encoder = msgspec.json.Encoder()


class Alike(Sequence[T_co]):
    """A list that remembers each row's JSON; what is left out of it is not encoded again."""

    __slots__ = ("_raw", "_rows", "_texts")

    def __init__(self, rows: Iterable[T_co], texts: Sequence[bytes] | None = None) -> None:
        self._rows = tuple(rows)
        self._texts = tuple(texts or (_encoder.encode(row) for row in self._rows))
        self._raw: msgspec.Raw | None = None

    @overload
    def __getitem__(self, at: int) -> T_co: ...
    @overload
    def __getitem__(self, at: slice) -> Alike[T_co]: ...
    def __getitem__(self, at: int | slice) -> T_co | Alike[T_co]:
        if isinstance(at, slice):
            return Alike(self._rows[at], self._texts[at])
        return self._rows[at]

    def __len__(self) -> int:
        return len(self._rows)

    def without(self, at: int) -> Alike[T_co]:
        """All rows but that one."""
        rows, texts = self._rows, self._texts
        return Alike(rows[:at] + rows[at + 1 :], texts[:at] + texts[at + 1 :])

    @property
    def raw(self) -> msgspec.Raw:
        """The JSON of the whole list."""
        if self._raw is None:
            self._raw = msgspec.Raw(b"[" + b",".join(self._texts) + b"]")
        return self._raw


def encoded(value: Any) -> msgspec.Raw:
    """For an encoder that meets such a list. Raises NotImplementedError for anything else."""
    if isinstance(value, Alike):
        return value.raw
    raise NotImplementedError(f"{type(value).__name__} cannot be sent")

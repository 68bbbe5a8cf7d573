"""A wrapper for what must never be shown: secrets, and what people said."""

from __future__ import annotations

from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")


class Sensitive(Generic[T]):
    """A value that never shows itself in logs, errors or JSON. Reading takes `.reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value itself; every use of this is a place to look at in a review."""
        return self._value

    def __repr__(self) -> str:
        return "REDACTED"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "REDACTED"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sensitive) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Sensitive, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sensitive value is not written anywhere")

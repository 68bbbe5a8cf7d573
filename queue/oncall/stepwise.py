"""Long work in steps: whoever drives it may do something else between two of them. Pure."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]


def at_once(steps: Steps[T]) -> T:
    """All the steps, one after another; what they give in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            given: T = done.value
            return given

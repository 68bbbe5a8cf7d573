"""Naloxone as the officer tapped it, and the answers of the overdose form that it becomes. Pure.

A dose's time stands in the form as the clock at the scene showed it, as everybody who reads it
thinks of it; the tablet gets the moment back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

MOST: Final = 8
EARLIEST_SECONDS: Final = 12 * 3600.0  # before it was told; a dose is never in the future


@dataclass(frozen=True, slots=True)
class Dose:
    """`at`: None where nobody knows, as of a dose that was given before the officer came."""

    at: float | None
    product: str = "unknown"
    by: str = "unknown"


def answers_of(
    doses: Sequence[Dose], response: str | None, zone: ZoneInfo, now: float
) -> dict[str, object]:
    """The whole form. Without a dose nothing is said of naloxone: "not given" is for nobody to
    conclude from a card that was not used."""
    said: dict[str, object] = {}
    if doses:
        said |= {"naloxone": "yes", "doses": len(doses)}
    for no, dose in enumerate(doses[:MOST], start=1):
        if dose.at is not None:
            at = min(max(dose.at, now - EARLIEST_SECONDS), now)
            said[f"dose-{no}-at"] = datetime.fromtimestamp(at, zone).strftime("%H:%M:%S")
        said |= {f"dose-{no}-product": dose.product, f"dose-{no}-by": dose.by}
    if response is not None:
        said["response"] = response
    return said


def doses_of(answers: Mapping[str, object], zone: ZoneInfo, told_at: float) -> list[Dose]:
    """What was tapped, from the form as it was told at `told_at`."""
    found = []
    for no in range(1, MOST + 1):
        product, by = answers.get(f"dose-{no}-product"), answers.get(f"dose-{no}-by")
        if product is None or by is None:
            break
        clock = answers.get(f"dose-{no}-at")
        at = _moment(str(clock), zone, told_at) if clock is not None else None
        found.append(Dose(at, str(product), str(by)))
    return found


def _moment(clock: str, zone: ZoneInfo, told_at: float) -> float:
    """The last time, up to when it was told, that the clock there showed this."""
    told = datetime.fromtimestamp(told_at + 1, zone)
    hour, minute, second = (int(part) for part in clock.split(":"))
    that = told.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return (that if that <= told else that - timedelta(days=1)).timestamp()

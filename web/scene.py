"""The live table of people at the scene: as the page shows it, and as its script asks for it."""

from __future__ import annotations

import msgspec
from aiohttp import web

from auth import scene
from auth.scene import Glances
from web import present
from web.keys import actor_of, now_of, services_of

GLANCES = web.AppKey("glances", Glances)


class Row(msgspec.Struct, frozen=True):
    """One line of the table: codes, names of units and clinicians, times. Nothing clinical."""

    id: str
    code: str
    unit: str
    agency: str
    county: str
    state: str
    step: str | None
    clinician: str | None
    again: bool
    pressed: str  # UTC, for <time datetime>
    clock: str  # time of day where the agency is
    seconds: float  # since the press


class Table(msgspec.Struct, frozen=True):
    rows: list[Row]
    more: int


async def table(request: web.Request) -> Table:
    """Who waits or is in a call now. Raises Forbidden, AuditFailed."""
    now = now_of(request)
    found = await scene.read(services_of(request).db, actor_of(request), request.app[GLANCES], now)
    rows = [
        Row(
            id=one.id,
            code=present.spoken(one.code),
            unit=one.unit,
            agency=one.agency,
            county=one.county,
            state=one.state,
            step=one.step,
            clinician=one.clinician,
            again=one.again,
            pressed=present.iso(one.pressed_at),
            clock=present.clock(one.pressed_at, one.timezone),
            seconds=max(0.0, now - one.pressed_at),
        )
        for one in found.people
    ]
    return Table(rows, found.more)

"""For probes and dashboards: is the process there, is it ready, and its numbers."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from records import sessions
from records.errors import RecordAway
from records.schema import OPEN_STATES
from signaling import metrics
from signaling.settings import is_loopback
from web import disk
from web.answers import NO_STORE
from web.errors import PageNotFound
from web.keys import services_of, settings_of
from web.services import Services

log = logging.getLogger(__name__)

DATABASE_SECONDS = 2.0


async def alive(_request: web.Request) -> web.Response:
    """GET /healthz: the process answers. Says nothing of its parts, so that nobody restarts it."""
    return web.json_response({"ok": True}, headers=NO_STORE)


async def ready(request: web.Request) -> web.Response:
    """GET /readyz: 200 when sessions can be opened; 503 while starting, draining or broken."""
    services = services_of(request)
    parts = {
        "database": await _database(services),
        "desk": services.desk.ready,
        "disk": not disk.is_too_full(settings_of(request)),
    }
    good = all(parts.values())
    return web.json_response(
        {"ok": good, "parts": parts}, status=200 if good else 503, headers=NO_STORE
    )


async def show_metrics(request: web.Request) -> web.Response:
    """GET /metrics: for this machine only, once the server listens on a public address.

    A proxy must not publish it: what came through one is refused there as well. With an admin
    network it stands there and nowhere else.
    """
    settings = settings_of(request)
    near = request.remote is not None and is_loopback(request.remote)
    exposed = settings.public and settings.admin_listen is None
    if exposed and (not near or "X-Forwarded-For" in request.headers):
        raise PageNotFound
    services = services_of(request)
    async with services.db.read() as conn:
        states = await sessions.open_by_state(conn)
    metrics.DISK_FREE.set(disk.free_bytes(settings))
    counted = {state: states.get(state, 0) for state in OPEN_STATES}
    live = metrics.Live(lambda: counted, lambda: bridge_totals(services))
    return web.Response(
        body=metrics.render(live), headers={**NO_STORE, "Content-Type": metrics.CONTENT_TYPE}
    )


def bridge_totals(services: Services) -> dict[str, float]:
    """The bridge's totals since its start, by name."""
    totals = services.desk.bridge.totals()
    counted = {
        "calls": totals.calls,
        "legs": totals.legs,
        "packets_in": totals.packets_in,
        "packets_out": totals.packets_out,
        **{f"dropped_{reason}": count for reason, count in totals.dropped.items()},
    }
    return {name: float(value) for name, value in counted.items()}


async def _database(services: Services) -> bool:
    try:
        async with asyncio.timeout(DATABASE_SECONDS), services.db.read() as conn:
            await conn.execute(text("SELECT 1"))
    except (SQLAlchemyError, RecordAway, OSError, RuntimeError, TimeoutError) as error:
        log.warning("readyz.database error=%s", type(error).__name__)
        return False
    return True

"""The tablets' page: which are ready and why not, a set-up code as QR, the end of a set-up."""

from __future__ import annotations

from collections import Counter

import segno
from aiohttp import web

from auth import manage
from auth.errors import NoSuchRecord
from auth.manage import TabletRecord
from auth.policy import Action
from web import answers, present, readiness
from web.keys import ASKED, ASSETS, actor_of, now_of, services_of, settings_of
from web.manager import nav
from web.routes import may_anywhere

ZONE = "UTC"


async def listing(request: web.Request) -> web.Response:
    """GET /manager/tablets."""
    services, actor = services_of(request), actor_of(request)
    now = now_of(request)
    listed = await manage.list_tablets(services.db, actor, now)
    picture = await services.desk.screens.picture()
    shown = readiness.listed(listed, picture.tablets_online, request.app[ASSETS].build, now)
    ended = next((one for one in listed if one.id == request.query.get("ended")), None)
    return answers.page(
        request,
        "manager_tablets",
        nav=nav(request, "tablets"),
        tablets=shown,
        counted=Counter(one.word for one in shown),
        ended=ended.label if ended is not None and ended.revoked_at is not None else None,
        may_manage=may_anywhere(actor, Action.TABLET_MANAGE),
        present=present,
        zone=ZONE,
        texts=request[ASKED].texts,
    )


async def code(request: web.Request) -> web.Response:
    """POST /manager/tablets/{id}/code: a fresh code, shown once, on paper or screen nowhere else.

    It stands in the address's fragment, which browsers send to nobody, and as letters to type.
    """
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    tablet = await _one(request)
    fresh = await manage.make_code(services.db, actor, tablet.id, now)
    address = f"{_origin(request)}/enrol"
    picture = segno.make_qr(f"{address}#code={fresh}", error="m")
    return answers.page(
        request,
        "manager_code",
        nav=nav(request, "tablets"),
        unit=tablet.label,
        code=fresh,
        address=address,
        qr=picture.svg_data_uri(scale=8, border=4, dark="#000", light="#fff"),
    )


async def revoke(request: web.Request) -> web.StreamResponse:
    """POST /manager/tablets/{id}/revoke: the tablet is out at once, and so is its open page."""
    services = services_of(request)
    tablet_id = request.match_info["id"]
    await manage.revoke_tablet(services.db, actor_of(request), tablet_id, now_of(request))
    await services.desk.dismiss_actor(tablet_id, "revoked")
    return answers.moved(f"/manager/tablets?ended={tablet_id}")


async def _one(request: web.Request) -> TabletRecord:
    listed = await manage.list_tablets(services_of(request).db, actor_of(request), now_of(request))
    for tablet in listed:
        if tablet.id == request.match_info["id"]:
            return tablet
    raise NoSuchRecord


def _origin(request: web.Request) -> str:
    """Where the tablet will find us: the manager's own way, which the guard has just checked."""
    return request.headers.get("Origin") or settings_of(request).origins[0]

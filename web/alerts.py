"""How somebody is alerted when no console is open: their own page, the link in a page, and who can
be reached.
"""

from __future__ import annotations

import math

import msgspec
from aiohttp import web

from auth import alerts
from oncall.errors import BadSteps
from oncall.escalation import ladder_for
from oncall.steps import Act, Ladder
from records import escalations
from records.contacts import NewWay
from records.escalations import StepRow
from signaling import ladders, paging
from signaling.errors import BadWay
from web import answers, present
from web.api import body_of
from web.errors import BadRequest
from web.keys import ASSETS, actor_of, now_of, services_of
from web.manager import nav
from web.routes import fields, origin_allowed, whole_body

ZONE = "UTC"
LONGEST_LABEL = 60
SPARE_ROWS = 3  # empty rows of the steps' form


class PushBody(msgspec.Struct, forbid_unknown_fields=True):
    subscription: dict[str, object]
    label: str = ""


class AnswerBody(msgspec.Struct, forbid_unknown_fields=True):
    token: str
    state: paging.Answer


# --- one's own ways -------------------------------------------------------------------------------


async def mine(request: web.Request) -> web.Response:
    """GET /alerts: how I am alerted."""
    return await _mine(request)


async def add(request: web.Request) -> web.StreamResponse:
    """POST /alerts/ways: a number, an e-mail address, or a chat service's address."""
    kind, to = await fields(request, "kind", "to")
    services = services_of(request)
    gateways = services.desk.pager.post.gateways
    if gateways is None:
        raise BadRequest
    try:
        new = await gateways.way(kind, to)
    except BadWay:
        return await _mine(request, wrong=kind if kind in {"email", "chat"} else "number")
    await alerts.add(services.db, services.vault, actor_of(request), new, now_of(request))
    return answers.moved("/alerts")


async def add_push(request: web.Request) -> web.Response:
    """POST /api/v1/alerts/push {subscription, label}: this browser, also when it is closed."""
    body = await body_of(request, PushBody)
    services = services_of(request)
    push = services.desk.pager.post.push
    if push is None:
        raise BadWay
    new = push.way(body.subscription)
    label = " ".join(body.label.split())[:LONGEST_LABEL]
    labelled = NewWay(new.kind, new.subject, {**new.details, "label": label})
    way = await alerts.add(
        services.db, services.vault, actor_of(request), labelled, now_of(request)
    )
    return answers.answer({"id": way.id})


async def remove(request: web.Request) -> web.StreamResponse:
    """POST /alerts/ways/{id}/remove."""
    await alerts.remove(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )
    return answers.moved("/alerts")


async def move_up(request: web.Request) -> web.StreamResponse:
    """POST /alerts/ways/{id}/up: tried one place earlier."""
    await alerts.move_up(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )
    return answers.moved("/alerts")


async def test(request: web.Request) -> web.StreamResponse:
    """POST /alerts/ways/{id}/test: a real page goes there now."""
    actor, contact_id = actor_of(request), request.match_info["id"]
    alerts.may_test(actor)
    await paging.test(services_of(request).desk, actor.id, actor.provider_id, contact_id)
    return answers.moved("/alerts#ways")


async def tests(request: web.Request) -> web.Response:
    """GET /api/v1/alerts/tests: how far the newest test of each of my ways has come."""
    services = services_of(request)
    own, _ = await alerts.own_ways(services.db, services.vault, actor_of(request), now_of(request))
    return answers.answer({"tests": {one.way.id: _test_state(one) for one in own}})


async def _mine(request: web.Request, wrong: str | None = None) -> web.Response:
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    own, ended = await alerts.own_ways(services.db, services.vault, actor, now)
    post = services.desk.pager.post
    return answers.page(
        request,
        "alerts",
        status=200 if wrong is None else 422,
        strings=("alert.push.", "alert.test."),
        boot={
            "vapid": post.push.vapid.public if post.push is not None else "",
            "testing": any(_test_state(one) in {"queued", "sent"} for one in own),
        },
        nav=nav(request, "alerts"),
        own=[(one, _test_state(one)) for one in own],
        ended=ended,
        kinds=post.gateways.kinds if post.gateways is not None else (),
        wrong=wrong,
        present=present,
        zone=ZONE,
    )


def _test_state(one: alerts.OwnWay) -> str:
    return one.test.state if one.test is not None else "never"


# --- the link in a page ---------------------------------------------------------------------------


async def door(request: web.Request) -> web.Response:
    """GET /alert: where a page's link leads. What it is about stands in the address's fragment."""
    return answers.page(request, "alert", strings=("alert.door.",))


async def answer(request: web.Request) -> web.Response:
    """POST /api/v1/alert {token, state}: delivered, opened or "I'm coming", by the link's holder.

    No sign-in and no form token: the link's secret is the only right here, and the only one given.
    """
    if not origin_allowed(request):
        raise BadRequest
    await whole_body(request)
    body = await body_of(request, AnswerBody)
    there = await paging.answer(services_of(request).desk, body.token, body.state)
    return answers.answer(
        {"purpose": there.purpose, "state": there.state, "by": there.by, "about": there.about}
    )


async def service_worker(request: web.Request) -> web.StreamResponse:
    """GET /service-worker.js: at a fixed address, so that it may speak for the whole site."""
    return request.app[ASSETS].plain("js/service_worker.js", {"Service-Worker-Allowed": "/"})


async def manifest(request: web.Request) -> web.StreamResponse:
    """GET /manifest.webmanifest: a console can be put on the home screen (iOS alerts only such)."""
    assets = request.app[ASSETS]
    return web.json_response(
        {
            "name": "CrisisBridge",
            "short_name": "CrisisBridge",
            "start_url": "/console",
            "scope": "/",
            "display": "standalone",
            "icons": [
                {"src": assets.url(f"icons/app-{size}.png"), "sizes": f"{size}x{size}",
                 "type": "image/png"}
                for size in (192, 512)
            ],
        },
        content_type="application/manifest+json",
        headers={"Cache-Control": "no-cache"},
    )  # fmt: skip


# --- who can be reached, and the steps ------------------------------------------------------------


async def reach(request: web.Request) -> web.Response:
    """GET /manager/reach: who can be reached, by how many ways; and the escalation steps."""
    return await _reach(request)


async def set_steps(request: web.Request) -> web.StreamResponse:
    """POST /manager/reach/{id}/steps: a provider's own steps, or none to go back to the default."""
    services, provider_id = services_of(request), request.match_info["id"]
    rows = await _typed_steps(request)
    try:
        if rows:
            rows = ladders.rows_of(ladders.of(rows))
    except BadSteps as error:
        return await _reach(request, wrong=error.field)
    await alerts.set_steps(services.db, actor_of(request), provider_id, rows, now_of(request))
    services.desk.line.wake()
    return answers.moved("/manager/reach")


async def _reach(request: web.Request, wrong: str | None = None) -> web.Response:
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    people, providers = await alerts.reach(services.db, actor, now)
    async with services.db.read() as conn:
        own = ladders.of_rows(await escalations.steps(conn))
    steps = {p: ladder_for(p, own, services.desk.rules) for p in providers}
    return answers.page(
        request,
        "manager_reach",
        status=200 if wrong is None else 422,
        nav=nav(request, "reach"),
        people=[(one, _days(one.verified_at, now)) for one in people],
        providers=[(p, name, _rows(steps[p]), p in own) for p, name in providers.items()],
        acts=[str(act) for act in Act],
        wrong=wrong,
    )


async def _typed_steps(request: web.Request) -> list[StepRow]:
    """The rows of the form that are filled in. Raises BadRequest for what no form of ours sends."""
    form = await request.post()
    if form.get("default") == "1":
        return []
    columns = [form.getall(name, []) for name in ("after", "act", "tier", "every", "until")]
    if len({len(column) for column in columns}) != 1:
        raise BadRequest
    rows = []
    for after, act, tier, every, until in zip(*columns, strict=True):
        if after != "":
            number = _number(tier) if act == Act.PAGE else None
            repeat = _number(every) if act != Act.PARTNER else None
            tier_no = int(number) if number is not None and math.isfinite(number) else None
            rows.append(StepRow(_number(after) or 0.0, str(act), tier_no, repeat, str(until)))
    if not rows:
        raise BadRequest
    return rows


def _number(typed: object) -> float | None:
    if typed == "":
        return None
    try:
        return float(str(typed)[:20])
    except ValueError:
        raise BadRequest from None


def _rows(ladder: Ladder) -> list[StepRow | None]:
    return [*ladders.rows_of(ladder), *[None] * SPARE_ROWS]


def _days(at: float | None, now: float) -> int | None:
    return None if at is None else max(0, int((now - at) // 86400))

"""The web application: pages, JSON API, static files and the WebSocket."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from auth.policy import Action
from auth.scene import Glances
from signaling.polling import Polling
from signaling.socket import socket_handler
from signaling.sso_client import SsoClient
from web import (
    account,
    alerts,
    api,
    api_v1,
    audit,
    care_gaps,
    consents,
    exports,
    followups,
    gate,
    grants,
    guests,
    headers,
    health,
    i18n,
    integrations,
    interchange,
    jwks,
    keeping,
    live,
    log,
    manager,
    matching,
    misses,
    notes,
    odmap,
    openapi,
    openings,
    passkeys,
    patterns,
    people,
    persons,
    planner,
    reports,
    resources,
    roster_routes,
    shift_passkeys,
    sign_in,
    sso,
    tablets,
    takeaway,
)
from web.assets import Assets
from web.gate import Crowd
from web.identity import for_socket, keep_renewed
from web.keys import (
    ASKED,
    ASSETS,
    CROWD,
    EVERYBODYS,
    INSIDE,
    ISSUERS,
    LIMITS,
    OPENAPI,
    RENDERER,
    SERVICES,
    TEXTS,
    TYPESETTER,
)
from web.limits import Limits
from web.middleware import language, outermost
from web.render import Renderer
from web.routes import Handler, Route, Shape, Who, add, origin_allowed
from web.scene import GLANCES
from web.services import Services
from web.typeset import Typesetter

_REPORTS = (Action.REPORT_READ,)
_TAKE = (Action.TAKEAWAY_MAKE,)
_FOLLOW = (Action.FOLLOWUP_WORK,)
_OWN = (Action.ALERT_OWN,)
_FORM = (Action.RECORD_WRITE_CLINICAL,)
_DOORS = ("/sign-in", "/api/v1/passkeys/sign-in", "/static/")
LARGEST_BODY = 64 * 1024  # bytes; the largest form is far below a tenth of this


def routes(services: Services, assets: Assets, polling: Polling) -> list[Route]:
    """Every address of this server."""
    table = [
        Route("GET", "/", sign_in.landing, Who.ANYBODY),
        Route("GET", "/sign-in", sign_in.form, Who.ANYBODY),
        Route("POST", "/sign-in", sign_in.submit, Who.ANYBODY, limit="sign-in"),
        Route("POST", "/sign-out", sign_in.leave, Who.ABSENT),
        *account.routes(),
        *passkeys.routes(),
        *sso.routes(),
        *people.routes(),
        *openings.routes(),
        Route("GET", "/enrol", sign_in.enrol_form, Who.ANYBODY),
        Route("POST", "/enrol", sign_in.enrol_submit, Who.ANYBODY, limit="enrol"),
        Route(
            "POST",
            "/api/v1/enrol",
            api.enrol,
            Who.ANYBODY,
            limit="enrol",
            shape=Shape(body=api.EnrolBody),
        ),
        Route("GET", "/tablet", live.tablet, Who.TABLET, (Action.SESSION_OPEN,)),
        Route("GET", "/tablet/offline", live.offline, Who.TABLET, (Action.SESSION_OPEN,)),
        Route(
            "POST",
            "/api/v1/shift",
            api.start_shift,
            Who.TABLET,
            (Action.SHIFT_CHANGE,),
            "shift",
            shape=Shape(body=api.ShiftBody),
        ),
        Route(
            "POST",
            "/api/v1/shift/end",
            api.end_shift,
            Who.TABLET,
            (Action.SHIFT_CHANGE,),
            "shift",
            shape=Shape(body=api.EndBody),
        ),
        *shift_passkeys.routes(),
        Route(
            "GET",
            "/api/v1/tablet/challenge",
            api.challenge,
            Who.TABLET,
            (Action.SHIFT_CHANGE,),
            "proof",
        ),
        Route(
            "POST",
            "/api/v1/tablet/key",
            api.renew_key,
            Who.TABLET,
            (Action.SHIFT_CHANGE,),
            "shift",
            unproven=True,
            shape=Shape(body=api.KeyBody),
        ),
        Route("GET", "/console", live.console, Who.PERSON, (Action.SESSION_ANSWER,)),
        Route("GET", "/plan", takeaway.page, Who.ANYBODY),
        Route(
            "POST",
            "/api/v1/plan",
            takeaway.read,
            Who.ANYBODY,
            limit="feed",
            shape=Shape(body=takeaway.PlanBody),
        ),
        Route(
            "POST",
            "/api/v1/plan.pdf",
            takeaway.pdf,
            Who.ANYBODY,
            limit="way",
            shape=Shape(body=takeaway.PlanBody),
        ),
        Route(
            "POST",
            "/api/v1/takeaways",
            takeaway.make,
            Who.PERSON,
            _TAKE,
            "way",
            shape=Shape(body=takeaway.MakeBody),
        ),
        Route("POST", "/takeaways/{id}", takeaway.make_by_form, Who.PERSON, _TAKE),
        Route("POST", "/takeaways/{id}/revoke", takeaway.revoke, Who.PERSON, _TAKE),
        Route("GET", "/followups", followups.board, Who.PERSON, (Action.FOLLOWUP_READ,)),
        Route("GET", "/followups/{id}", followups.one, Who.PERSON, (Action.FOLLOWUP_READ,)),
        Route("POST", "/followups/{id}/attempts", followups.attempt, Who.PERSON, _FOLLOW),
        Route("POST", "/followups/{id}/close", followups.close, Who.PERSON, _FOLLOW),
        Route("POST", "/followups/{id}/reopen", followups.reopen, Who.PERSON, _FOLLOW),
        Route("POST", "/followups/{id}/move", followups.move, Who.PERSON, _FOLLOW),
        Route(
            "POST",
            "/followups/{id}/assign",
            followups.assign,
            Who.PERSON,
            (Action.FOLLOWUP_ASSIGN,),
        ),
        Route("GET", "/notes", notes.mine, Who.PERSON, (Action.RECORD_SIGN,)),
        Route("GET", "/api/v1/notes/waiting", notes.waiting, Who.PERSON, (Action.RECORD_SIGN,)),
        Route("POST", "/notes/{id}/sign", notes.sign, Who.PERSON, (Action.RECORD_SIGN,)),
        Route("POST", "/notes/{id}/addenda", notes.add, Who.PERSON, (Action.RECORD_ADD,)),
        Route("GET", "/api/v1/forms/{code}/{version}", live.form, Who.PERSON, _FORM),
        Route("GET", "/alerts", alerts.mine, Who.PERSON, _OWN),
        Route("POST", "/alerts/ways", alerts.add, Who.PERSON, _OWN, "way"),
        Route("POST", "/alerts/ways/{id}/remove", alerts.remove, Who.PERSON, _OWN),
        Route("POST", "/alerts/ways/{id}/up", alerts.move_up, Who.PERSON, _OWN),
        Route("POST", "/alerts/ways/{id}/test", alerts.test, Who.PERSON, _OWN, "way"),
        Route(
            "POST",
            "/api/v1/alerts/push",
            alerts.add_push,
            Who.PERSON,
            _OWN,
            "way",
            shape=Shape(body=alerts.PushBody),
        ),
        Route("GET", "/api/v1/alerts/tests", alerts.tests, Who.PERSON, _OWN),
        Route("GET", "/alert", alerts.door, Who.ANYBODY),
        Route(
            "POST",
            "/api/v1/alert",
            alerts.answer,
            Who.ANYBODY,
            limit="alert",
            machine=True,
            shape=Shape(body=alerts.AnswerBody),
        ),
        Route("GET", "/join", guests.door, Who.ANYBODY),
        Route(
            "POST",
            "/api/v1/join",
            guests.enter,
            Who.ANYBODY,
            limit="enrol",
            shape=Shape(body=guests.JoinBody),
        ),
        Route("GET", "/guest", guests.call, Who.GUEST, (Action.SESSION_VISIT,)),
        _machine("GET", "/service-worker.js", alerts.service_worker, "file"),
        _machine("GET", "/manifest.webmanifest", alerts.manifest, "file"),
        Route("GET", "/manager/reports", reports.show, Who.PERSON, _REPORTS, "feed"),
        Route("GET", "/manager/reports.csv", reports.table, Who.PERSON, _REPORTS, "feed"),
        Route("GET", "/manager/reports.pdf", reports.pdf, Who.PERSON, _REPORTS, "feed"),
        Route("GET", "/manager/planner", planner.show, Who.PERSON, (Action.PLAN_READ,)),
        Route("GET", "/manager/reach", alerts.reach, Who.PERSON, (Action.REACH_READ,)),
        Route(
            "POST",
            "/manager/reach/{id}/steps",
            alerts.set_steps,
            Who.PERSON,
            (Action.ESCALATION_SET,),
        ),
        *matching.routes(),
        *misses.routes(),
        *audit.routes(),
        *care_gaps.routes(),
        *grants.routes(),
        *resources.routes(),
        *persons.routes(),
        *consents.routes(),
        *keeping.routes(),
        *interchange.routes(),
        *odmap.routes(),
        *api_v1.routes(),
        *integrations.routes(),
        *exports.routes(),
        *log.routes(),
        Route(
            "GET", "/manager/sessions/{id}", manager.session_page, Who.PERSON, (Action.RECORD_READ,)
        ),
        Route("GET", "/manager/tablets", tablets.listing, Who.PERSON, (Action.TABLET_READ,)),
        Route(
            "POST", "/manager/tablets/{id}/code", tablets.code, Who.PERSON, (Action.TABLET_MANAGE,)
        ),
        Route(
            "POST",
            "/manager/tablets/{id}/revoke",
            tablets.revoke,
            Who.PERSON,
            (Action.TABLET_MANAGE,),
        ),
        *roster_routes.routes(),
        Route("GET", "/api/v1/board", api.board, Who.PERSON, (Action.BOARD_READ,)),
        _machine("GET", "/ws", _socket(services), "socket"),
        _machine("POST", "/poll", polling.handler, "poll"),
        _machine("GET", "/.well-known/jwks.json", jwks.show, "probe"),
        _machine("GET", "/healthz", health.alive, "probe", numbers=True),
        _machine("GET", "/readyz", health.ready, "probe", numbers=True),
        _machine("GET", "/metrics", health.show_metrics, "probe", numbers=True),
        _machine("GET", "/static/{build}/{name:.+}", assets.serve, "file"),
    ]
    if services.settings.demo:
        table.append(Route("GET", "/-/patterns", patterns.show, Who.ANYBODY))
    return table


def sides(table: list[Route], *, inside: bool) -> list[Route]:
    """The part of the table for one side, once there is an admin network: the doors are on both."""
    return [one for one in table if one.inside is inside or (inside and _is_door(one))]


def _is_door(route: Route) -> bool:
    """Where people sign in, prove who they are and leave; and what those pages are made of."""
    of_oneself = route.who in {Who.NEWCOMER, Who.ABSENT}
    return of_oneself or route.path == "/" or route.path.startswith(_DOORS)


def inside_of(services: Services) -> Services:
    """The same services, as the admin network's address sees them."""
    return replace(services, settings=services.settings.inside)


def create_app(services: Services, *, inside: bool = False) -> web.Application:
    """The application; it neither starts nor stops the services.

    With an admin network there are two, each with its part of the addresses; `inside`: its own.
    """
    everybodys = services.settings.origins[0]
    services = inside_of(services) if inside else services
    settings = services.settings
    app = web.Application(middlewares=[outermost, language], client_max_size=LARGEST_BODY)
    assets = Assets()
    app[SERVICES] = services
    app[ASSETS] = assets
    app[RENDERER] = Renderer(assets)
    app[TEXTS] = i18n.load()
    app[INSIDE] = inside
    app[EVERYBODYS] = everybodys
    app[LIMITS] = Limits()
    app[CROWD] = Crowd(settings.max_connections, settings.max_connections_per_address)
    app[TYPESETTER] = Typesetter()
    app[GLANCES] = Glances()
    app[ISSUERS] = {one.id: SsoClient(one) for one in settings.single_sign_on}
    polling = polling_of(services)
    table = routes(services, assets, polling)
    app[OPENAPI] = openapi.written(table).encode()
    add(app, table if settings.admin_listen is None else sides(table, inside=inside))

    async def end_polling(_app: web.Application) -> None:
        await polling.close()

    async def end_asking(_app: web.Application) -> None:
        for client in app[ISSUERS].values():
            await client.close()

    app.on_shutdown.append(end_polling)
    app.on_cleanup.append(end_asking)
    fixed = headers.of(settings)

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(fixed)
        response.headers.setdefault("Cache-Control", "no-store")
        if ASKED in request:
            response.headers["X-Request-Id"] = request[ASKED].id
            keep_renewed(request, response)
            request[ASKED].begun = True

    app.on_response_prepare.append(prepare)
    return app


def polling_of(services: Services) -> Polling:
    """The way to talk for pages whose network lets no WebSocket through."""
    return Polling(services.desk, for_socket, origin_allowed)


def _machine(
    method: str, path: str, handler: Handler, limit: str, *, numbers: bool = False
) -> Route:
    return Route(method, path, handler, Who.ANYBODY, limit=limit, machine=True, numbers=numbers)


def _socket(services: Services) -> Handler:
    talk = socket_handler(services.desk, for_socket, origin_allowed)

    async def handler(request: web.Request) -> web.StreamResponse:
        passed = gate.of(request)
        if passed is not None:
            passed.talks()
        return await talk(request)

    return handler

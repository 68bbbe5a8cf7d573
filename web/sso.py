"""Signing in by a directory: the way there, the way back, and a calm page for each way to fail."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from auth import logins, sso, sso_flow, steps
from auth.errors import (
    AuthError,
    BadSignOn,
    CrossSite,
    NotSignedIn,
    ProofNeeded,
    SecondFactorNeeded,
    SignOnAway,
    SignOnRefused,
)
from auth.logins import SignedIn
from auth.policy import Action
from auth.sso_flow import Flow, Purpose
from auth.sso_rules import Issuer
from signaling.sso_client import SsoClient
from web import answers
from web.errors import PageNotFound
from web.identity import absent_of, clear_cookie, read_cookie, set_cookie
from web.keys import ASKED, ISSUERS, actor_of, now_of, services_of, settings_of
from web.routes import Route, Who
from web.sign_in import after, home, keep, let_in, with_next

log = logging.getLogger(__name__)

BASE = "/sign-in/with/{issuer}"
LONGEST_CODE = 4_096
SAID_NO = frozenset(
    {
        "access_denied",
        "login_required",
        "consent_required",
        "interaction_required",
        "account_selection_required",
    }
)
SAID_AWAY = frozenset({"server_error", "temporarily_unavailable"})
# what a page is shown for; the rest of an error's code after "sign-on-" stands in its address
TROUBLES = {
    "sign-on-bad": 401,
    "sign-on-away": 503,
    "sign-on-clock": 401,
    "sign-on-stale": 401,
    "sign-on-used": 401,
    "sign-on-refused": 401,
    "sign-on-no-group": 403,
    "sign-on-groups-conflict": 403,
    "sign-on-groups-unknown": 403,
    "sign-on-incomplete": 403,
    "sign-on-email-taken": 409,
    "sign-on-other-person": 403,
    "sign-on-not-anew": 401,
    "locked": 423,
    "in-a-call": 409,
}
AGAIN = frozenset({"sign-on-stale", "sign-on-used", "sign-on-away", "sign-on-refused"})
OTHER_ACCOUNT = frozenset({"sign-on-no-group", "sign-on-other-person", "sign-on-email-taken"})


def routes() -> list[Route]:
    """The addresses."""
    own, limit, anybody = (Action.SIGN_IN_OWN,), "sign-in", Who.ANYBODY
    return [
        Route("GET", BASE, begin, anybody, limit=limit),
        Route("GET", f"{BASE}/back", back, anybody, limit=limit),
        Route("GET", f"{BASE}/left", left, anybody),
        Route("GET", f"{BASE}/trouble/{{why}}", trouble, anybody),
        Route("GET", "/prove/with/{issuer}", begin_proof, Who.ABSENT, own, limit),
        Route("GET", "/account/with/{issuer}", begin_connecting, Who.PERSON, own, limit),
    ]


# --- the way there --------------------------------------------------------------------------------


async def begin(request: web.Request) -> web.StreamResponse:
    """GET /sign-in/with/{issuer}?next=…: on to the directory; `again=1`: it asks in any case.

    A link, not a form: a form's answer must not lead to another site (CSP, form-action).
    """
    back = request.query.get("next", "")
    if request.headers.get("Sec-Fetch-Site") == "cross-site":  # somebody else's page pressed it
        return answers.moved(with_next("/sign-in", back))
    again = request.query.get("again") == "1"
    return await _sent(request, "sign_in", "", back, anew=again)


async def begin_proof(request: web.Request) -> web.StreamResponse:
    """GET /prove/with/{issuer}?why=…&next=…: the directory asks anew who it is."""
    purpose: Purpose = "change" if request.query.get("why") == "change" else "prove"
    login_id = actor_of(request).login_id or ""
    return await _sent(request, purpose, login_id, request.query.get("next", ""), anew=True)


async def begin_connecting(request: web.Request) -> web.StreamResponse:
    """GET /account/with/{issuer}: from now on one signs in there. From our own page only."""
    actor, services = actor_of(request), services_of(request)
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise CrossSite
    async with services.db.read() as conn:
        if not await logins.is_fresh(conn, actor, now_of(request)):
            raise ProofNeeded
    return await _sent(request, "connect", actor.login_id or "", "", anew=True)


async def _sent(
    request: web.Request, purpose: Purpose, login_id: str, back: str, *, anew: bool
) -> web.StreamResponse:
    client, tokens = _client(request), services_of(request).tokens
    back = back if answers.is_local(back) else ""
    flow = sso_flow.begin(tokens, client.issuer, purpose, login_id, back, now_of(request))
    max_age = int(settings_of(request).login_hours * 3600)
    try:
        address = await client.address(
            tokens, flow, _redirect_uri(request, client), max_age, anew=anew
        )
    except AuthError as error:
        await sso.refused(services_of(request).db, client.issuer, now_of(request))
        return _failed(client.issuer, error)
    response = answers.moved(address)
    set_cookie(request, response, "cb_flow", flow.cookie, sso_flow.SECONDS + 60)
    return response


# --- the way back ---------------------------------------------------------------------------------


async def back(request: web.Request) -> web.StreamResponse:
    """GET /sign-in/with/{issuer}/back?state=…&code=…: the directory's answer."""
    client = _client(request)
    issuer = client.issuer
    try:
        flow, claims = await _checked(request, client)
    except AuthError as error:
        await sso.refused(services_of(request).db, issuer, now_of(request))
        response = _failed(issuer, error)
    else:
        try:
            response = await _ENDS[flow.purpose](request, issuer, flow, claims)
        except AuthError as error:  # on record already, with whom it was about
            response = _failed(issuer, error)
    clear_cookie(request, response, "cb_flow")
    return response


async def _checked(request: web.Request, client: SsoClient) -> tuple[Flow, sso.Claims]:
    """Everything that an answer must pass, the cheapest first; then whom it names."""
    services, now, query = services_of(request), now_of(request), request.query
    flow = sso_flow.returned(
        services.tokens, client.issuer, read_cookie(request, "cb_flow"), query.get("state", ""), now
    )
    await services.db.write(lambda conn: sso_flow.spend(conn, flow, now))
    described = await client.described()
    says = query.get("iss")
    if (says is None and described.names_itself) or (says not in {None, client.issuer.url}):
        raise BadSignOn  # an answer of another directory (RFC 9207)
    if "error" in query:
        raise _said(query["error"])
    code = query.get("code", "")
    if not 0 < len(code) <= LONGEST_CODE:
        raise BadSignOn
    where = _redirect_uri(request, client)
    return flow, await client.claims(services.tokens, flow, code, where, now)


def _said(error: str) -> AuthError:
    if error in SAID_NO:
        return SignOnRefused()
    return SignOnAway() if error in SAID_AWAY else BadSignOn()


async def _signed_in(
    request: web.Request, issuer: Issuer, flow: Flow, claims: sso.Claims
) -> web.StreamResponse:
    services, now = services_of(request), now_of(request)
    work = sso.sign_in(services.db, services.tokens, issuer, claims, now, _terms(request))
    return await _let_in(request, work, flow)


async def _proven(
    request: web.Request, issuer: Issuer, flow: Flow, claims: sso.Claims
) -> web.StreamResponse:
    services, now = services_of(request), now_of(request)
    actor = await absent_of(request)
    if actor.login_id != flow.login_id:
        raise NotSignedIn
    work = sso.prove(
        services.db, services.tokens, issuer, claims, actor, flow.begun_at, now, _terms(request),
        whole=flow.purpose == "change",
    )  # fmt: skip
    return await _let_in(request, work, flow, login_id=actor.login_id)


async def _connected(
    request: web.Request, issuer: Issuer, flow: Flow, claims: sso.Claims
) -> web.StreamResponse:
    services, actor = services_of(request), await absent_of(request)
    if actor.login_id != flow.login_id:
        raise NotSignedIn
    await sso.connect(services.db, issuer, claims, actor, now_of(request))
    return answers.moved("/account?done=connected")


_End = Callable[[web.Request, Issuer, Flow, sso.Claims], Awaitable[web.StreamResponse]]
_ENDS: dict[Purpose, _End] = {
    "sign_in": _signed_in,
    "prove": _proven,
    "change": _proven,
    "connect": _connected,
}


async def _let_in(
    request: web.Request, work: Awaitable[SignedIn], flow: Flow, login_id: str | None = None
) -> web.StreamResponse:
    """On with a sign-in: a fresh one, or `login_id`, which goes on."""
    try:
        signed = await work
    except SecondFactorNeeded as more:
        response = answers.moved(with_next("/sign-in/second", flow.back))
        set_cookie(request, response, "cb_step", more.token, int(steps.SECONDS))
        return response
    if signed.actor.login_id == login_id:
        response = answers.moved(flow.back or home(signed.actor))
        keep(request, response, signed)
        return response
    response = answers.moved(after(request, signed, flow.back))
    await let_in(request, response, signed)
    return response


# --- the pages ------------------------------------------------------------------------------------


async def trouble(request: web.Request) -> web.Response:
    """GET /sign-in/with/{issuer}/trouble/{why}: what went wrong, and what to do."""
    issuer, why = _client(request).issuer, request.match_info["why"]
    code = why if why in TROUBLES else f"sign-on-{why}"
    if code not in TROUBLES:
        raise PageNotFound
    texts = request[ASKED].texts
    request[ASKED].fresh_holder = False  # no form here; one in another tab stays good
    return answers.page(
        request,
        "sign_on_trouble",
        status=TROUBLES[code],
        message=texts.t(f"common.error.{code.replace('-', '_')}"),
        advice=texts.t(f"sign_on.todo.{code.replace('-', '_')}", name=issuer.name),
        issuer=issuer,
        again=code in AGAIN,
        other_account=code in OTHER_ACCOUNT,
    )


async def left(request: web.Request) -> web.Response:
    """GET /sign-in/with/{issuer}/left: signed out here; the way to sign out there, too."""
    client = _client(request)
    request[ASKED].fresh_holder = False
    try:
        way = await client.way_out(f"{_origin(request)}/sign-in")
    except AuthError:
        way = None
    return answers.page(request, "sign_on_left", issuer=client.issuer, way=way)


# --- inside ---------------------------------------------------------------------------------------


def _failed(issuer: Issuer, error: AuthError) -> web.StreamResponse:
    """In the log without anybody, and to a page of its own: an address that can be loaded again
    without asking anything of the directory."""
    log.warning("sso.failed issuer=%s code=%s", issuer.id, error.code)
    if error.code not in TROUBLES:
        raise error
    return answers.moved(f"/sign-in/with/{issuer.id}/trouble/{error.code.removeprefix('sign-on-')}")


def _client(request: web.Request) -> SsoClient:
    found = request.app[ISSUERS].get(request.match_info["issuer"])
    if found is None:
        raise PageNotFound
    return found


def _terms(request: web.Request) -> sso.Terms:
    settings = settings_of(request)
    return sso.Terms(settings.login_hours, settings.second_factor_roles)


def _redirect_uri(request: web.Request, client: SsoClient) -> str:
    return f"{_origin(request)}/sign-in/with/{client.issuer.id}/back"


def _origin(request: web.Request) -> str:
    """Which of our own addresses was opened: the cookies of this trip belong to it."""
    origins = settings_of(request).origins
    here = (one for one in origins if urlsplit(one).netloc == request.host)
    return next(here, origins[0])

"""The doors: landing, sign-in and sign-out of people, and the set-up of a tablet."""

from __future__ import annotations

from aiohttp import web

from auth import logins, signin, tablets
from auth.actors import Actor
from auth.errors import AuthError, Forbidden, SecondFactorNeeded
from auth.logins import SignedIn
from auth.policy import Action
from auth.tablets import TABLET_DAYS
from web import answers
from web.identity import (
    clear_cookie,
    login_seconds,
    person_of,
    read_cookie,
    set_cookie,
    tablet_of,
)
from web.keys import (
    ASKED,
    INSIDE,
    ISSUERS,
    actor_of,
    issuers_of,
    now_of,
    services_of,
    settings_of,
)
from web.manager import nav
from web.routes import fields, may_anywhere


async def landing(request: web.Request) -> web.Response:
    """GET /: which of the three doors is yours; on the admin network, an administrator's pages."""
    if not request.app[INSIDE]:
        return answers.page(request, "landing")
    request[ASKED].actor = await person_of(request)
    pages = nav(request, "")
    if not pages:
        raise Forbidden
    return answers.moved(pages[0].address)


async def form(request: web.Request) -> web.Response:
    """GET /sign-in."""
    return _form(request, request.query.get("next", ""))


async def submit(request: web.Request) -> web.StreamResponse:
    """POST /sign-in: to the page that was asked for, or to the role's own."""
    email, password, back = await fields(request, "email", "password", "next")
    services, settings = services_of(request), settings_of(request)
    try:
        signed = await signin.sign_in(
            services.db,
            services.tokens,
            email,
            password,
            now_of(request),
            hours=settings.login_hours,
            needed_by=settings.second_factor_roles,
        )
    except SecondFactorNeeded as more:
        response = answers.moved(with_next("/sign-in/second", back))
        set_cookie(request, response, "cb_step", more.token, int(signin.STEP_SECONDS))
        return response
    except AuthError as error:
        problem = answers.words(request, error, error.code)
        return _form(request, back, problem=problem, status=error.status)
    response = answers.moved(after(request, signed, back))
    await let_in(request, response, signed)
    return response


async def let_in(request: web.Request, response: web.StreamResponse, signed: SignedIn) -> None:
    """Give the browser its fresh sign-in; the one that it had before must not live on unseen."""
    await _end_the_one_before(request)
    keep(request, response, signed)
    clear_cookie(request, response, "cb_step")


def keep(request: web.Request, response: web.StreamResponse, signed: SignedIn) -> None:
    """Put a sign-in's tokens into the browser."""
    renewed, seconds = request[ASKED].renewed, login_seconds(settings_of(request))
    renewal = signed.renewal or (renewed.renewal if renewed is not None else None)
    set_cookie(request, response, "cb_login", signed.token, seconds)
    if renewal is not None:
        set_cookie(request, response, "cb_renewal", renewal, seconds)


def after(request: web.Request, signed: SignedIn, back: str) -> str:
    """Where a sign-in leads: to the page that was asked for, the role's own, or the set-up."""
    if signed.partial:
        return with_next("/account", back)
    own = "/" if request.app[INSIDE] else home(signed.actor)
    return back if answers.is_local(back) else own


def with_next(path: str, back: str) -> str:
    """This path, which leads on to `back` when that is one of ours."""
    return f"{path}?next={back}" if answers.is_local(back) else path


async def leave(request: web.Request) -> web.StreamResponse:
    """POST /sign-out: the sign-in ends, and so do its open pages."""
    actor, services = actor_of(request), services_of(request)
    await signin.sign_out(services.db, actor, now_of(request))
    await services.desk.dismiss_actor(actor.id, "signed_out")
    there = actor.issuer_id in request.app[ISSUERS]
    response = answers.moved(f"/sign-in/with/{actor.issuer_id}/left" if there else "/sign-in")
    clear_cookie(request, response, "cb_login")
    clear_cookie(request, response, "cb_renewal")
    return response


async def enrol_form(request: web.Request) -> web.Response:
    """GET /enrol: a code typed, or scanned and in the address's fragment (never sent to us)."""
    return await _enrol_form(request)


async def enrol_submit(request: web.Request) -> web.StreamResponse:
    """POST /enrol: the typed form, without a script."""
    (code,) = await fields(request, "code")
    try:
        response = answers.moved("/tablet")
        await bind(request, response, code)
    except AuthError as error:
        problem = answers.words(request, error, error.code)
        return await _enrol_form(request, problem=problem, status=error.status)
    return response


async def bind(
    request: web.Request, response: web.StreamResponse, code: str, key: str | None = None
) -> Actor:
    """Make the asking device the tablet of this code. Raises BadCode, BadKey, KeyRequired."""
    services = services_of(request)
    enrolled = await tablets.enrol(
        services.db,
        services.tokens,
        code,
        now_of(request),
        key=key,
        key_required=settings_of(request).tablet_key_by_code,
    )
    # the device that had this tablet's place before is out, whatever page it shows
    await services.desk.dismiss_actor(enrolled.actor.id, "replaced")
    set_cookie(request, response, "cb_tablet", enrolled.token, int(TABLET_DAYS * 86400))
    return enrolled.actor


def home(actor: Actor) -> str:
    """The page where this person's work is."""
    if actor.roles & {"clinician"}:
        return "/console"
    if may_anywhere(actor, Action.LOG_READ):
        return "/manager"
    if may_anywhere(actor, Action.TABLET_READ):
        return "/manager/tablets"
    return "/"


def _form(
    request: web.Request, back: str, *, problem: str | None = None, status: int = 200
) -> web.Response:
    expired = request.method == "GET" and request.query.get("why") == "expired"
    notice = request[ASKED].texts.t("common.sign_in.expired") if expired else None
    return answers.page(
        request,
        "sign_in",
        status=status,
        strings=("common.sign_in.",),
        problem=problem,
        notice=notice,
        next=back if answers.is_local(back) else "",
        issuers=list(issuers_of(request).values()),
        demo=settings_of(request).demo and not settings_of(request).second_factor_roles,
    )


async def _enrol_form(
    request: web.Request, *, problem: str | None = None, status: int = 200
) -> web.Response:
    ended = request.method == "GET" and request.query.get("why") == "ended"
    notice = request[ASKED].texts.t("common.enrol.ended") if ended else None
    return answers.page(
        request,
        "enrol",
        status=status,
        strings=("common.enrol.", "common.network"),
        problem=problem,
        notice=notice,
        enrolled=await _enrolled(request),
    )


async def _enrolled(request: web.Request) -> bool:
    try:
        await tablet_of(request)
    except AuthError:
        return False
    return True


async def _end_the_one_before(request: web.Request) -> None:
    """A browser holds one sign-in: the one that is replaced must not live on unseen."""
    token = read_cookie(request, "cb_login")
    if token is None:
        return
    services, now = services_of(request), now_of(request)
    async with services.db.read() as conn:
        try:
            before = await signin.actor_for_login(
                conn, services.tokens, token, now, allow=("partial", "covered", "expired", "stale")
            )
        except AuthError:
            return
    await logins.replace(services.db, before, now)

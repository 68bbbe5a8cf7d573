"""My sign-in: one's own passkeys, app and recovery codes, and proving again who one is."""

from __future__ import annotations

from collections.abc import Awaitable

import msgspec
import segno
from aiohttp import web

from auth import factors, logins, own_logins, passkeys, proofs, signin, totp
from auth.errors import AuthError, LastFactor, NotSignedIn
from auth.logins import SignedIn
from auth.policy import Action
from web import answers, present
from web.api import body_of
from web.errors import BadRequest
from web.identity import read_cookie
from web.keys import ASKED, actor_of, issuers_of, now_of, services_of, settings_of
from web.manager import Nav, nav
from web.routes import Route, Shape, Who, fields
from web.sign_in import after, home, keep, let_in, with_next

ADDRESS = "/account"
ZONE = "UTC"
LONGEST_CODE = 40
DONE = frozenset({"added", "removed", "renamed", "app", "connected", "password", "ended"})
WHY = frozenset({"change", "covered", "expired"})


def routes() -> list[Route]:
    """The addresses."""
    own = (Action.SIGN_IN_OWN,)
    new, away = Who.NEWCOMER, Who.ABSENT
    return [
        Route("GET", "/sign-in/second", second, Who.ANYBODY),
        Route("POST", "/sign-in/second", check_second, Who.ANYBODY, limit="sign-in"),
        Route("GET", ADDRESS, show, new, own),
        Route("POST", f"{ADDRESS}/app", begin_app, new, own),
        Route("POST", f"{ADDRESS}/app/confirm", confirm_app, new, own, "sign-in"),
        Route("POST", f"{ADDRESS}/app/remove", remove_app, new, own),
        Route("POST", f"{ADDRESS}/recovery", recovery, new, own, "way"),
        Route("POST", f"{ADDRESS}/password", change_password, Who.PERSON, own, "sign-in"),
        Route("POST", f"{ADDRESS}/logins/{{id}}/end", end_login, Who.PERSON, own),
        Route("POST", f"{ADDRESS}/passkeys/{{id}}/remove", remove_passkey, new, own),
        Route("POST", f"{ADDRESS}/passkeys/{{id}}/rename", rename_passkey, new, own),
        Route("GET", "/prove", prove_form, away, own),
        Route("POST", "/prove", prove, away, own, "sign-in"),
        Route(
            "POST",
            "/api/v1/prove",
            prove_here,
            away,
            own,
            "sign-in",
            shape=Shape(body=ProofBody),
        ),
        Route("POST", "/api/v1/cover", cover, Who.PERSON, own),
        Route("POST", "/api/v1/here", here, Who.PERSON, own),
    ]


# --- the step after the password ------------------------------------------------------------------


async def second(request: web.Request) -> web.StreamResponse:
    """GET /sign-in/second: a code of the app, a recovery code, or a passkey."""
    try:
        return await _second(request, request.query.get("next", ""))
    except NotSignedIn:
        return answers.moved(with_next("/sign-in", request.query.get("next", "")))


async def check_second(request: web.Request) -> web.StreamResponse:
    """POST /sign-in/second {code, next}."""
    code, back = await fields(request, "code", "next")
    services, settings = services_of(request), settings_of(request)
    try:
        signed = await signin.second_step(
            services.db,
            services.vault,
            services.tokens,
            read_cookie(request, "cb_step"),
            code[:LONGEST_CODE],
            now_of(request),
            hours=settings.login_hours,
        )
    except NotSignedIn:
        return answers.moved(with_next("/sign-in", back))
    except AuthError as error:
        return await _second(request, back, error)
    response = answers.moved(after(request, signed, back))
    await let_in(request, response, signed)
    return response


async def _second(request: web.Request, back: str, error: AuthError | None = None) -> web.Response:
    services = services_of(request)
    step = await signin.stepping(
        services.db, services.tokens, read_cookie(request, "cb_step"), now_of(request)
    )
    return answers.page(
        request,
        "sign_in_second",
        status=200 if error is None else error.status,
        strings=("common.passkey.",),
        problem=None if error is None else answers.words(request, error, error.code),
        has=step.has,
        next=back if answers.is_local(back) else "",
    )


# --- one's own ways -------------------------------------------------------------------------------


async def show(request: web.Request) -> web.Response:
    """GET /account: my ways to sign in, and where I am signed in."""
    return await _show(request)


async def change_password(request: web.Request) -> web.StreamResponse:
    """POST /account/password {old, new}."""
    old, new = await fields(request, "old", "new")
    services, actor = services_of(request), actor_of(request)
    try:
        await own_logins.change_password(services.db, actor, old, new, now_of(request))
    except AuthError as error:
        if error.code not in {"bad-credentials", "weak-password", "locked"}:
            raise
        return await _show(request, error)
    return answers.moved(f"{ADDRESS}?done=password")


async def end_login(request: web.Request) -> web.StreamResponse:
    """POST /account/logins/{id}/end: signed out there; its open pages close by themselves."""
    services, actor = services_of(request), actor_of(request)
    await own_logins.end(services.db, actor, request.match_info["id"][:40], now_of(request))
    return answers.moved(f"{ADDRESS}?done=ended")


async def _show(
    request: web.Request, error: AuthError | None = None, *, kept: LastFactor | None = None
) -> web.Response:
    """`error`: of another password; `kept`: what was to be removed stays."""
    services, actor = services_of(request), actor_of(request)
    own = await factors.own(services.db, actor, now_of(request))
    async with services.db.read() as conn:
        mine = await own_logins.listed(conn, actor, now_of(request))
    done, back = request.query.get("done"), request.query.get("next", "")
    missing, known = _needed(request) and not own.any, issuers_of(request)
    return answers.page(
        request,
        "account",
        status=failed.status if (failed := error or kept) else 200,
        strings=("common.passkey.",),
        kept=None if kept is None else answers.words(request, kept, kept.code),
        mine=mine,
        problem=None if error is None else _problem(request, error),
        nav=_nav(request, own),
        own=own,
        needed=_needed(request),
        missing=missing,
        done=done if done in DONE else None,
        next=back if answers.is_local(back) else home(actor),
        most=passkeys.MOST,
        issuers=list(known.values()),
        issuer=known.get(own.issuer_id or ""),
        present=present,
        zone=ZONE,
    )


async def begin_app(request: web.Request) -> web.Response:
    """POST /account/app: a fresh secret, shown as a picture and as letters."""
    services = services_of(request)
    await factors.begin_app(services.db, services.vault, actor_of(request), now_of(request))
    return await _app(request)


async def confirm_app(request: web.Request) -> web.StreamResponse:
    """POST /account/app/confirm {code}: the first code; from now on one is asked for."""
    (code,) = await fields(request, "code")
    services = services_of(request)
    try:
        await factors.confirm_app(
            services.db, services.vault, actor_of(request), code[:LONGEST_CODE], now_of(request)
        )
    except AuthError as error:
        if error.code != "bad-second-factor":
            raise
        return await _app(request, error)
    response = answers.moved(f"{ADDRESS}?done=app")
    await completed(request, response)
    return response


async def _app(request: web.Request, error: AuthError | None = None) -> web.Response:
    services, actor = services_of(request), actor_of(request)
    secret = await factors.unconfirmed_app(services.db, services.vault, actor)
    own = await factors.own(services.db, actor, now_of(request))
    picture = segno.make_qr(totp.address(secret, own.email), error="m")
    return answers.page(
        request,
        "account_app",
        status=200 if error is None else error.status,
        nav=_nav(request, own),
        problem=None if error is None else answers.words(request, error, error.code),
        qr=picture.svg_data_uri(scale=6, border=4, dark="#000", light="#fff"),
        secret=totp.spelled(secret),
    )


async def remove_app(request: web.Request) -> web.StreamResponse:
    """POST /account/app/remove."""
    return await _removed(
        request,
        factors.remove_app(
            services_of(request).db, actor_of(request), now_of(request), needed=_needed(request)
        ),
    )


async def remove_passkey(request: web.Request) -> web.StreamResponse:
    """POST /account/passkeys/{id}/remove."""
    return await _removed(
        request,
        passkeys.remove(
            services_of(request).db,
            actor_of(request),
            request.match_info["id"],
            now_of(request),
            needed=_needed(request),
        ),
    )


async def rename_passkey(request: web.Request) -> web.StreamResponse:
    """POST /account/passkeys/{id}/rename {name}."""
    (name,) = await fields(request, "name")
    await passkeys.rename(
        services_of(request).db,
        actor_of(request),
        request.match_info["id"],
        name[:200],
        now_of(request),
    )
    return answers.moved(f"{ADDRESS}?done=renamed")


async def recovery(request: web.Request) -> web.Response:
    """POST /account/recovery: ten fresh codes, shown this once."""
    fresh = await factors.make_recovery_codes(
        services_of(request).db, actor_of(request), now_of(request)
    )
    return answers.page(
        request, "account_codes", nav=nav(request, "account"), codes=fresh, next=ADDRESS
    )


async def completed(request: web.Request, response: web.StreamResponse) -> None:
    """Somebody who lacked a second factor has one now: a whole sign-in in place of the partial."""
    services, actor = services_of(request), actor_of(request)
    signed = await services.db.write(
        lambda conn: logins.complete(
            conn,
            services.tokens,
            actor,
            now_of(request),
            settings_of(request).login_hours,
        )
    )
    if signed is not None:
        keep(request, response, signed)


# --- proving again --------------------------------------------------------------------------------


class ProofBody(msgspec.Struct, forbid_unknown_fields=True):
    password: str
    code: str = ""


async def prove_form(request: web.Request) -> web.Response:
    """GET /prove: the page is covered, or a change needs it."""
    return await _prove_form(request, request.query.get("next", ""), request.query.get("why", ""))


async def prove(request: web.Request) -> web.StreamResponse:
    """POST /prove {password, code, next, why}."""
    password, code, back, why = await fields(request, "password", "code", "next", "why")
    try:
        signed = await _proven(request, password, code, whole=why == "change")
    except AuthError as error:
        return await _prove_form(request, back, why, error)
    response = answers.moved(back if answers.is_local(back) else home(signed.actor))
    keep(request, response, signed)
    return response


async def prove_here(request: web.Request) -> web.Response:
    """POST /api/v1/prove {password, code}: from the cover of a page that stays as it is."""
    body = await body_of(request, ProofBody)
    signed = await _proven(request, body.password, body.code, whole=False)
    services_of(request).desk.screens.touch_console(signed.actor.id)
    response = answers.answer({"left": signed.expires_at - now_of(request)})
    keep(request, response, signed)
    return response


async def cover(request: web.Request) -> web.Response:
    """POST /api/v1/cover: nobody is here."""
    services, actor = services_of(request), actor_of(request)
    done = await logins.cover(services.db, actor, now_of(request))
    services.desk.screens.touch_console(actor.id)
    return answers.answer({"covered": done})


async def here(request: web.Request) -> web.Response:
    """POST /api/v1/here: somebody is here; the guard has noted it."""
    return answers.answer({})


async def _proven(request: web.Request, password: str, code: str, *, whole: bool) -> SignedIn:
    if len(code) > LONGEST_CODE:
        raise BadRequest
    services = services_of(request)
    return await proofs.by_password(
        services.db,
        services.vault,
        services.tokens,
        actor_of(request),
        (password, code),
        now_of(request),
        hours=settings_of(request).login_hours,
        whole=whole,
    )


async def _prove_form(
    request: web.Request, back: str, why: str, error: AuthError | None = None
) -> web.Response:
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    expired = actor.expires_at is not None and now >= actor.expires_at
    async with services.db.read() as conn:
        ways = await proofs.ways(conn, actor, expired=expired)
    has = ways.has
    known = "expired" if expired else why if why in WHY else "covered"
    return answers.page(
        request,
        "prove",
        status=200 if error is None else error.status,
        strings=("common.passkey.",),
        problem=None if error is None else answers.words(request, error, error.code),
        has=has,
        issuer=issuers_of(request).get(actor.issuer_id or ""),
        ways=ways,
        whole=known != "covered" and has.any,
        why=known,
        next=back if answers.is_local(back) else "",
    )


# --- inside ---------------------------------------------------------------------------------------


async def _removed(request: web.Request, work: Awaitable[None]) -> web.StreamResponse:
    try:
        await work
    except LastFactor as error:  # the page says how to add another one
        return await _show(request, kept=error)
    return answers.moved(f"{ADDRESS}?done=removed")


def _nav(request: web.Request, own: factors.Own) -> list[Nav]:
    """The pages that are open: none yet to somebody who has to set up a second factor first."""
    return nav(request, "account") if own.any or not _needed(request) else []


def _problem(request: web.Request, error: AuthError) -> str:
    if error.code == "bad-credentials":
        return request[ASKED].texts.t("account.password.wrong")
    return answers.words(request, error, error.code)


def _needed(request: web.Request) -> bool:
    return bool(actor_of(request).roles & settings_of(request).second_factor_roles)

"""People: who has an account, added by an invitation, given roles, let in again, shut out."""

from __future__ import annotations

from collections.abc import Awaitable

import segno
from aiohttp import web

from auth import manage, people, sso_overview
from auth.errors import AuthError, BadPerson, NoSuchRecord, WeakPassword, WeakPin
from auth.people import NewPerson, PersonEntry
from auth.policy import Action
from web import answers, present
from web.errors import BadRequest
from web.keys import actor_of, everybodys_origin, issuers_of, now_of, services_of
from web.manager import nav
from web.routes import Route, Who, fields

ADDRESS = "/manager/people"
ZONE = "UTC"
DONE = frozenset({"roles", "closed", "opened", "released", "reset"})
WHO_WORKS = frozenset({"roles", "closed", "opened"})  # with it, who is on call may be another
LONGEST_SECRET = 1024


def routes() -> list[Route]:
    """The addresses."""
    needs, person = (Action.PERSON_MANAGE,), Who.PERSON
    return [
        Route("GET", ADDRESS, show, person, needs),
        Route("POST", ADDRESS, add, person, needs),
        Route("GET", f"{ADDRESS}/{{id}}", one, person, needs),
        Route("POST", f"{ADDRESS}/{{id}}/invite", invite, person, needs),
        Route("POST", f"{ADDRESS}/{{id}}/roles", set_roles, person, needs),
        Route("POST", f"{ADDRESS}/{{id}}/release", release, person, needs),
        Route("POST", f"{ADDRESS}/{{id}}/reset", reset, person, needs),
        Route("POST", f"{ADDRESS}/{{id}}/close", close, person, needs),
        Route("POST", f"{ADDRESS}/{{id}}/open", reopen, person, needs),
        Route("GET", "/welcome", welcome, Who.ANYBODY),
        Route("POST", "/welcome", choose, Who.ANYBODY, limit="enrol"),
        Route("POST", "/welcome/choose", chosen, Who.ANYBODY, limit="enrol"),
    ]


async def show(request: web.Request) -> web.Response:
    """GET /manager/people."""
    return await _list(request)


async def add(request: web.Request) -> web.StreamResponse:
    """POST /manager/people {name, short_name, email, role…}: the invitation is shown this once."""
    name, short_name, email = await fields(request, "name", "short_name", "email")
    new = NewPerson(name, short_name, email, await _roles(request))
    typed = {"name": name, "short_name": short_name, "email": email}
    try:
        _, token = await people.add(
            services_of(request).db, actor_of(request), new, now_of(request)
        )
    except BadPerson as bad:
        return await _list(request, wrong=bad.field, typed=typed, roles=new.roles)
    return _invitation(request, name, token)


async def one(request: web.Request) -> web.Response:
    """GET /manager/people/{id}."""
    return await _page(request)


async def invite(request: web.Request) -> web.Response:
    """POST /manager/people/{id}/invite: a fresh link, for a lost password or a lost link."""
    entry = await _entry(request)
    token = await people.invite(
        services_of(request).db, actor_of(request), entry.id, now_of(request)
    )
    return _invitation(request, entry.name, token)


async def set_roles(request: web.Request) -> web.StreamResponse:
    """POST /manager/people/{id}/roles {role…}."""
    entry, roles = await _entry(request), await _roles(request)
    services, actor, now = services_of(request), actor_of(request), now_of(request)

    async def work() -> None:
        if await people.set_roles(services.db, actor, entry.id, roles, now):
            await services.desk.dismiss_actor(entry.id, "revoked")
        else:
            await services.desk.roles_changed(entry.id)

    return await _done(request, work(), "roles")


async def release(request: web.Request) -> web.StreamResponse:
    """POST /manager/people/{id}/release: the lock after wrong tries is opened."""
    services, who = services_of(request), request.match_info["id"]
    work = manage.release_lock(services.db, actor_of(request), who, now_of(request))
    return await _done(request, work, "released")


async def reset(request: web.Request) -> web.StreamResponse:
    """POST /manager/people/{id}/reset: passkeys, app and recovery codes are set up anew."""
    services, who = services_of(request), request.match_info["id"]
    work = people.reset_factors(services.db, actor_of(request), who, now_of(request))
    return await _done(request, work, "reset", out=True)


async def close(request: web.Request) -> web.StreamResponse:
    """POST /manager/people/{id}/close: out at once, and so are their open pages."""
    services, who = services_of(request), request.match_info["id"]
    work = people.close(services.db, actor_of(request), who, now_of(request))
    return await _done(request, work, "closed", out=True)


async def reopen(request: web.Request) -> web.StreamResponse:
    """POST /manager/people/{id}/open."""
    services, who = services_of(request), request.match_info["id"]
    work = people.reopen(services.db, actor_of(request), who, now_of(request))
    return await _done(request, work, "opened")


# --- whom an invitation is for --------------------------------------------------------------------


async def welcome(request: web.Request) -> web.Response:
    """GET /welcome: where an invitation's link leads; its secret is in the address's fragment."""
    return answers.page(request, "welcome", problem=None, who=None, token="")


async def choose(request: web.Request) -> web.Response:
    """POST /welcome {token}: what is to be chosen; nothing is used up yet."""
    (token,) = await fields(request, "token")
    return await _welcome(request, token)


async def chosen(request: web.Request) -> web.StreamResponse:
    """POST /welcome/choose {token, password, pin}: the invitation is used up."""
    token, password, pin = await fields(request, "token", "password", "pin")
    if max(len(password), len(pin), len(token)) > LONGEST_SECRET:
        raise BadRequest
    try:
        who = await people.accept(services_of(request).db, token, password, pin, now_of(request))
    except (WeakPassword, WeakPin) as weak:
        return await _welcome(request, token, weak)
    except AuthError as error:
        return _no_welcome(request, error)
    return answers.page(request, "welcome", problem=None, who=who, token="")


async def _welcome(request: web.Request, token: str, weak: AuthError | None = None) -> web.Response:
    try:
        who = await people.invited(services_of(request).db, token, now_of(request))
    except AuthError as error:
        return _no_welcome(request, error)
    return answers.page(
        request,
        "welcome",
        status=200 if weak is None else weak.status,
        problem=None if weak is None else answers.words(request, weak, weak.code),
        who=who,
        token=token,
    )


def _no_welcome(request: web.Request, error: AuthError) -> web.Response:
    return answers.page(
        request,
        "welcome",
        status=error.status,
        problem=answers.words(request, error, error.code),
        who=None,
        token="",
    )


# --- inside ---------------------------------------------------------------------------------------


async def _list(
    request: web.Request,
    *,
    wrong: str | None = None,
    typed: dict[str, str] | None = None,
    roles: frozenset[str] = frozenset(),
) -> web.Response:
    actor = actor_of(request)
    db, issuers = services_of(request).db, issuers_of(request)
    entries = await people.listed(db, actor, now_of(request))
    return answers.page(
        request,
        "manager_people",
        status=422 if wrong else 200,
        nav=nav(request, "people"),
        entries=[entry for entry in entries if entry.active],
        closed=[entry for entry in entries if not entry.active],
        grantable=people.grantable(actor),
        wrong=wrong,
        typed=typed or {"name": "", "short_name": "", "email": ""},
        roles=roles,
        issuers=issuers,
        directories=await sso_overview.overviews(db, actor, issuers.values()),
        present=present,
        zone=ZONE,
    )


async def _page(request: web.Request, refused: AuthError | None = None) -> web.Response:
    entry, actor = await _entry(request), actor_of(request)
    done = request.query.get("done")
    return answers.page(
        request,
        "manager_person",
        status=200 if refused is None else refused.status,
        nav=nav(request, "people"),
        one=entry,
        own=entry.id == actor.id,
        grantable=people.grantable(actor),
        refused=None if refused is None else answers.words(request, refused, refused.code),
        done=done if done in DONE and refused is None else None,
        issuers=issuers_of(request),
        present=present,
        zone=ZONE,
    )


async def _done(
    request: web.Request, work: Awaitable[None], done: str, *, out: bool = False
) -> web.StreamResponse:
    """Do it; with `out` the person's open pages end, too. A refusal is shown on their page."""
    person_id = request.match_info["id"]
    try:
        await work
    except NoSuchRecord:
        raise
    except AuthError as error:
        if error.status not in {409, 422}:
            raise
        return await _page(request, error)
    if out:
        await services_of(request).desk.dismiss_actor(person_id, "revoked")
    if done in WHO_WORKS:
        services_of(request).desk.roster_changed()
    return answers.moved(f"{ADDRESS}/{person_id}?done={done}")


async def _entry(request: web.Request) -> PersonEntry:
    entries = await people.listed(services_of(request).db, actor_of(request), now_of(request))
    for entry in entries:
        if entry.id == request.match_info["id"]:
            return entry
    raise NoSuchRecord


async def _roles(request: web.Request) -> frozenset[str]:
    return frozenset(str(value) for value in (await request.post()).getall("role", []))


def _invitation(request: web.Request, name: str, token: str) -> web.Response:
    link = f"{everybodys_origin(request)}/welcome#{token}"
    picture = segno.make_qr(link, error="m")
    return answers.page(
        request,
        "manager_invitation",
        nav=nav(request, "people"),
        person=name,
        link=link,
        qr=picture.svg_data_uri(scale=6, border=4, dark="#000", light="#fff"),
    )

"""Programs of others: tokens by which they read, and addresses that are told of events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from aiohttp import web

from auth import api_tokens, webhooks
from auth.actors import Actor
from auth.api_tokens import LONGEST_DAYS, Wanted
from auth.errors import BadField
from auth.policy import TOKEN_SCOPES, Action
from records import directory
from records.engine import Database
from records.errors import BadInput
from records.webhooks import EVENTS, NAMES
from signaling.errors import BadAddress
from signaling.notices import TRIES
from signaling.webhook_address import checked
from web import answers, present
from web.keys import actor_of, now_of, services_of, settings_of
from web.manager import agencies_of, nav
from web.routes import Route, Who

_Change = Callable[[Database, Actor, str, float], Awaitable[None]]
ADDRESS = "/manager/integrations"
WEBHOOKS = f"{ADDRESS}/webhooks"
DONE = frozenset({"revoked", "removed", "paused", "resumed", "test", "retry"})
USUAL_DAYS = 90  # of a new token, unless another day is chosen
BADGES = {
    "active": "badge--ok",
    "paused": "badge--wait",
    "queued": "badge--wait",
    "sent": "badge--ok",
    "failed": "badge--alert",
    "dropped": "badge--quiet",
}


def routes() -> list[Route]:
    """The pages' addresses."""
    needs, makes = (Action.INTEGRATION_MANAGE,), (Action.INTEGRATION_MAKE,)
    person = Who.PERSON
    one = f"{WEBHOOKS}/{{id}}"
    return [
        Route("GET", ADDRESS, show, person, needs),
        Route("POST", f"{ADDRESS}/tokens", make_token, person, makes, "way"),
        Route("POST", f"{ADDRESS}/tokens/{{id}}/revoke", revoke_token, person, needs),
        Route("POST", WEBHOOKS, add_webhook, person, makes, "way"),
        Route("GET", one, show_webhook, person, needs),
        Route("POST", f"{one}/pause", pause, person, needs),
        Route("POST", f"{one}/resume", resume, person, makes),
        Route("POST", f"{one}/test", test, person, needs, "way"),
        Route("POST", f"{one}/retry", retry, person, needs, "way"),
        Route("POST", f"{one}/remove", remove, person, needs),
    ]


async def show(request: web.Request) -> web.Response:
    """GET /manager/integrations: tokens and addresses of this program."""
    return await _page(request)


async def make_token(request: web.Request) -> web.Response:
    """POST /manager/integrations/tokens: a token, shown this once."""
    form = await request.post()
    typed = {name: str(form.get(name, "")) for name in ("name", "agency", "provider", "expires")}
    scopes = tuple(scope for scope in TOKEN_SCOPES if form.get(f"scope:{scope}") == "1")
    wanted = Wanted(
        typed["name"], scopes, typed["agency"] or None, typed["provider"] or None, typed["expires"]
    )
    services = services_of(request)
    try:
        made = await api_tokens.make(
            services.db, services.vault, actor_of(request), wanted, now_of(request)
        )
    except BadField as error:
        return await _page(request, wrong=error.field, typed=typed, ticked=scopes)
    except BadInput:
        return await _page(request, wrong="full", typed=typed, ticked=scopes)
    return _secret(request, "token", made.secret)


async def revoke_token(request: web.Request) -> web.StreamResponse:
    """POST /manager/integrations/tokens/{id}/revoke."""
    await api_tokens.revoke(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )
    return answers.moved(f"{ADDRESS}?done=revoked")


async def add_webhook(request: web.Request) -> web.Response:
    """POST /manager/integrations/webhooks: an address, with its secret shown this once."""
    form = await request.post()
    typed = {name: str(form.get(name, "")) for name in ("webhook_name", "url")}
    events = tuple(event for event in EVENTS if form.get(f"event:{event}") == "1")
    services = services_of(request)
    try:
        place = checked(typed["url"], services.desk.courier.reach)
        made = await webhooks.add(
            services.db, services.vault, actor_of(request), typed["webhook_name"], place, events,
            now_of(request),
        )  # fmt: skip
    except BadAddress:
        return await _page(request, wrong="url", typed=typed, ticked=events)
    except BadField as error:
        return await _page(request, wrong=error.field, typed=typed, ticked=events)
    except BadInput:
        return await _page(request, wrong="webhook_full", typed=typed, ticked=events)
    return _secret(request, "webhook", made.secret)


async def show_webhook(request: web.Request) -> web.Response:
    """GET /manager/integrations/webhooks/{id}: an address and its newest notices."""
    one = await webhooks.read_one(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )
    return answers.page(
        request,
        "manager_webhook",
        nav=nav(request, "integrations"),
        one=one,
        row=one.row,
        may_add=webhooks.may_add(actor_of(request)),
        names=NAMES,
        tries=TRIES,
        badges=BADGES,
        zone=await _zone(request),
        done=_done(request),
        present=present,
    )


async def pause(request: web.Request) -> web.StreamResponse:
    """POST …/pause: tell it nothing for a while."""
    return await _changed(request, webhooks.pause, "paused")


async def resume(request: web.Request) -> web.StreamResponse:
    """POST …/resume: go on."""
    return await _changed(request, webhooks.resume, "resumed")


async def test(request: web.Request) -> web.StreamResponse:
    """POST …/test: a notice about nothing."""
    return await _changed(request, webhooks.test, "test")


async def retry(request: web.Request) -> web.StreamResponse:
    """POST …/retry: try again what has failed."""
    return await _changed(request, webhooks.retry, "retry")


async def remove(request: web.Request) -> web.StreamResponse:
    """POST …/remove: forget address and secret."""
    await webhooks.remove(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )
    return answers.moved(f"{ADDRESS}?done=removed")


# --- inside ---------------------------------------------------------------------------------------


async def _page(
    request: web.Request,
    *,
    wrong: str | None = None,
    typed: Mapping[str, str] | None = None,
    ticked: tuple[str, ...] = (),
) -> web.Response:
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    agencies = [one for one in await agencies_of(request) if one.program_id == actor.program_id]
    today = datetime.fromtimestamp(now, UTC)
    return answers.page(
        request,
        "manager_integrations",
        status=200 if wrong is None else 422,
        nav=nav(request, "integrations"),
        tokens=await api_tokens.listed(services.db, actor, now),
        webhooks=await webhooks.listed(services.db, actor),
        scopes=api_tokens.grantable(actor),
        may_add=webhooks.may_add(actor),
        events=tuple(EVENTS),
        agencies=agencies,
        providers=await _providers(request, [one.provider_id for one in agencies]),
        first=f"{today:%Y-%m-%d}",
        usual=f"{today + timedelta(days=USUAL_DAYS):%Y-%m-%d}",
        last=f"{today + timedelta(days=LONGEST_DAYS):%Y-%m-%d}",
        wrong=wrong,
        typed=typed or {},
        ticked=ticked,
        badges=BADGES,
        zone=await _zone(request),
        done=_done(request),
        present=present,
    )


def _secret(request: web.Request, kind: str, secret: str) -> web.Response:
    return answers.page(
        request,
        "manager_integrations_secret",
        nav=nav(request, "integrations"),
        kind=kind,
        secret=secret,
        origin=settings_of(request).origins[0],
        back=ADDRESS,
    )


async def _changed(request: web.Request, change: _Change, done: str) -> web.StreamResponse:
    services, webhook_id = services_of(request), request.match_info["id"]
    await change(services.db, actor_of(request), webhook_id, now_of(request))
    services.desk.courier.wake()
    return answers.moved(f"{WEBHOOKS}/{webhook_id}?done={done}")


async def _providers(request: web.Request, provider_ids: list[str | None]) -> list[tuple[str, str]]:
    """The program's providers, id and name, by name."""
    async with services_of(request).db.read() as conn:
        known = (await directory.read(conn)).providers
    found = {one: known[one].name for one in provider_ids if one in known and one is not None}
    return sorted(found.items(), key=lambda one: (one[1], one[0]))


async def _zone(request: web.Request) -> str:
    agencies = await agencies_of(request)
    return agencies[0].timezone if agencies else "UTC"


def _done(request: web.Request) -> str | None:
    done = request.query.get("done")
    return done if done in DONE else None

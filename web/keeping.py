"""How long sessions are kept: the rules, what they would delete now, and legal holds."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from auth import keeping
from auth.keeping import Owner
from auth.policy import Action
from records.errors import RecordError
from records.retention_rules import PROPOSED, BadRule, Rule, checked
from web import answers, present
from web.errors import BadRequest
from web.keys import actor_of, now_of, services_of
from web.manager import nav, session_answer
from web.routes import Route, Who, fields

ADDRESS = "/manager/keeping"
NUMBERS = ("adult_years", "juvenile_years", "test_days")
_LONGEST = 5  # digits


def routes() -> list[Route]:
    """The addresses."""
    rule, hold, person = (Action.RETENTION_SET,), (Action.HOLD_SET,), Who.PERSON
    return [
        Route("GET", ADDRESS, show, person, rule),
        Route("POST", ADDRESS, save, person, rule),
        Route("POST", "/holds/{id}", set_hold, person, hold),
        Route("POST", "/holds/{id}/lift", lift, person, hold),
    ]


async def show(request: web.Request) -> web.Response:
    """GET /manager/keeping: the rules, and what is due; with a rule in the query, what it would be.

    Nothing is changed by looking.
    """
    owner_id = request.query.get("owner")
    if owner_id is None:
        return await _page(request, await _owners(request), {})
    owners = await _owners(request)
    typed = {name: request.query.get(name, "") for name in (*NUMBERS, "keep_numbers")}
    if owner_id not in {one.id for one in owners}:
        raise BadRequest
    try:
        rule = checked(_rule(typed))
    except BadRule as bad:
        return await _page(request, owners, typed, owner_id, wrong=bad.field)
    return await _page(request, owners, typed, owner_id, proposed={owner_id: rule})


async def save(request: web.Request) -> web.StreamResponse:
    """POST /manager/keeping: keep a rule."""
    owner_id, rev, *numbers = await fields(request, "owner", "rev", *NUMBERS)
    form = await request.post()
    typed = dict(zip(NUMBERS, numbers, strict=True))
    typed["keep_numbers"] = str(form.get("keep_numbers", ""))
    if not rev.isascii() or not rev.isdecimal() or len(rev) > _LONGEST:
        raise BadRequest
    try:
        rule = checked(_rule(typed))
        await keeping.save(
            services_of(request).db, actor_of(request), owner_id, int(rev), rule, now_of(request)
        )
    except BadRule as bad:
        return await _page(request, await _owners(request), typed, owner_id, wrong=bad.field)
    except RecordError as error:
        return await _page(request, await _owners(request), typed, owner_id, refused=error)
    return answers.moved(f"{ADDRESS}?done=1")


async def set_hold(request: web.Request) -> web.StreamResponse:
    """POST /holds/{id} {reason}: this session is not deleted while the hold lasts."""
    session_id = request.match_info["id"]
    (reason,) = await fields(request, "reason")
    services = services_of(request)
    try:
        await keeping.hold(
            services.db, services.vault, actor_of(request), session_id, reason, now_of(request)
        )
    except RecordError as error:
        return await session_answer(request, session_id, refused=error)
    return answers.moved(f"/manager/sessions/{session_id}#keeping")


async def lift(request: web.Request) -> web.StreamResponse:
    """POST /holds/{id}/lift {hold}: the reason is gone."""
    session_id = request.match_info["id"]
    (hold,) = await fields(request, "hold")
    try:
        await keeping.lift(
            services_of(request).db, actor_of(request), session_id, hold, now_of(request)
        )
    except RecordError as error:
        return await session_answer(request, session_id, refused=error)
    return answers.moved(f"/manager/sessions/{session_id}#keeping")


async def _owners(request: web.Request) -> list[Owner]:
    return await keeping.owners(services_of(request).db, actor_of(request), now_of(request))


async def _page(
    request: web.Request,
    owners: list[Owner],
    typed: Mapping[str, str],
    owner_id: str | None = None,
    *,
    proposed: dict[str, Rule] | None = None,
    wrong: str | None = None,
    refused: RecordError | None = None,
) -> web.Response:
    services = services_of(request)
    found = await keeping.preview(
        services.db, services.vault, actor_of(request), now_of(request), proposed
    )
    status = 422 if wrong else refused.status if refused is not None else 200
    return answers.page(
        request,
        "manager_keeping",
        status=status,
        nav=nav(request, "keeping"),
        owners=owners,
        typed=typed,
        owner_id=owner_id,
        usual=PROPOSED,
        found=found,
        tried=proposed is not None,
        wrong=wrong,
        refused=None if refused is None else answers.words(request, refused, refused.code),
        done=request.query.get("done") == "1" and not status >= 400,
        present=present,
    )


def _rule(typed: Mapping[str, str]) -> Rule:
    """The rule that was typed. Raises BadRule with the field that is no number."""
    numbers = {}
    for name in NUMBERS:
        text = typed[name].strip()
        if not text.isascii() or not text.isdecimal() or len(text) > _LONGEST:
            raise BadRule(name)
        numbers[name] = int(text)
    return Rule(**numbers, keep_numbers=typed["keep_numbers"] == "1")

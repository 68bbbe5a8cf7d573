"""The directory of help near by: kept by the program's manager, picked from by clinicians."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from auth import resources
from auth.policy import Action
from records.errors import RecordError
from records.resource_entries import (
    COLUMNS,
    LARGEST,
    BadEntry,
    Entry,
    Problem,
    entry,
    places_text,
    read,
    write,
)
from records.resources import ResourceRow, compared
from records.vocabulary import RESOURCE_KINDS, RESOURCE_PROTECTED, STATES
from signaling import card_resources
from web import answers, present
from web.errors import BadRequest, PageNotFound
from web.keys import actor_of, now_of, services_of
from web.manager import nav
from web.routes import Route, Who, fields

ADDRESS = "/manager/resources"
DONE = frozenset({"saved", "removed", "checked", "imported"})
MOST_PROBLEMS = 30


def routes() -> list[Route]:
    """The pages' addresses."""
    needs, person = (Action.RESOURCE_SET,), Who.PERSON
    return [
        Route("GET", ADDRESS, show, person, needs),
        Route("GET", f"{ADDRESS}/new", edit, person, needs),
        Route("POST", f"{ADDRESS}/new", save, person, needs),
        Route("GET", f"{ADDRESS}.csv", download, person, needs),
        Route("POST", f"{ADDRESS}/import", preview, person, needs, largest=LARGEST + 10_000),
        Route("POST", f"{ADDRESS}/import/apply", apply, person, needs, largest=3 * LARGEST),
        Route("GET", f"{ADDRESS}/{{id}}", edit, person, needs),
        Route("POST", f"{ADDRESS}/{{id}}", save, person, needs),
        Route("POST", f"{ADDRESS}/{{id}}/remove", remove, person, needs),
        Route("POST", f"{ADDRESS}/{{id}}/checked", checked, person, needs),
        Route(
            "GET", "/api/v1/sessions/{id}/resources", near, person, (Action.RESOURCE_PICK,)
        ),
    ]  # fmt: skip


async def show(request: web.Request) -> web.Response:
    """GET /manager/resources?state&county&kind: the directory, of one place or all of it."""
    return await _list(request)


async def edit(request: web.Request) -> web.Response:
    """GET /manager/resources/new and /{id}: the form of one entry."""
    row = await _row(request)
    typed = {} if row is None else _typed(row.entry)
    return _form(request, typed, row.rev if row else 0)


async def save(request: web.Request) -> web.StreamResponse:
    """POST /manager/resources/new and /{id}: keep what was typed, or say what is wrong with it."""
    *texts, rev = await fields(request, *COLUMNS, "rev")
    typed = dict(zip(COLUMNS, texts, strict=True))
    try:
        one = entry(typed)
        await resources.save(
            services_of(request).db, actor_of(request), request.match_info.get("id"),
            _number(rev), one, now_of(request),
        )  # fmt: skip
    except BadEntry as bad:
        return _form(request, typed, _number(rev), wrong=bad.field)
    except RecordError as error:
        return _form(request, typed, _number(rev), refused=error)
    return answers.moved(f"{ADDRESS}?done=saved")


async def remove(request: web.Request) -> web.StreamResponse:
    """POST /manager/resources/{id}/remove."""
    (rev,) = await fields(request, "rev")
    await resources.remove(
        services_of(request).db, actor_of(request), request.match_info["id"], _number(rev),
        now_of(request),
    )  # fmt: skip
    return answers.moved(f"{ADDRESS}?done=removed")


async def checked(request: web.Request) -> web.StreamResponse:
    """POST /manager/resources/{id}/checked: it is right today."""
    (rev,) = await fields(request, "rev")
    await resources.checked(
        services_of(request).db, actor_of(request), request.match_info["id"], _number(rev),
        now_of(request),
    )  # fmt: skip
    return answers.moved(f"{ADDRESS}?done=checked")


async def download(request: web.Request) -> web.Response:
    """GET /manager/resources.csv: all of it, as the import reads it."""
    rows = await resources.listed(services_of(request).db, actor_of(request))
    return web.Response(
        text=write(row.entry for row in rows),
        content_type="text/csv",
        charset="utf-8",
        headers={
            **answers.NO_STORE, "Content-Disposition": 'attachment; filename="resources.csv"'
        },
    )  # fmt: skip


async def preview(request: web.Request) -> web.Response:
    """POST /manager/resources/import: what a file would change; nothing is changed yet."""
    file = (await request.post()).get("file")
    if not isinstance(file, web.FileField):
        raise BadRequest
    content = file.file.read(LARGEST + 1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return await _list(request, problems=[Problem(1, "encoding")])
    if len(content) > LARGEST:
        return await _list(request, problems=[Problem(1, "size")])
    entries, problems = read(text)
    if problems or not entries:
        return await _list(request, problems=problems or [Problem(1, "empty")])
    rows = await resources.listed(services_of(request).db, actor_of(request))
    return answers.page(
        request,
        "manager_resources_import",
        nav=nav(request, "resources"),
        changes=compared(rows, entries),
        text=text,
    )


async def apply(request: web.Request) -> web.StreamResponse:
    """POST /manager/resources/import/apply: the file that was shown becomes the directory."""
    (text,) = await fields(request, "text")
    entries, problems = read(text)
    if problems or not entries:
        return await _list(request, problems=problems or [Problem(1, "empty")])
    await resources.replace_all(
        services_of(request).db, actor_of(request), entries, now_of(request)
    )
    return answers.moved(f"{ADDRESS}?done=imported")


async def near(request: web.Request) -> web.Response:
    """GET /api/v1/sessions/{id}/resources: what serves the session's place, for its clinician."""
    rows = await resources.near(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )
    now = now_of(request)
    return answers.answer(
        {
            "resources": [
                card_resources.shown(row)
                | {"stale": row.stale(now), "protected": row.entry.kind in RESOURCE_PROTECTED}
                for row in rows
            ]
        }
    )


# --- inside ---------------------------------------------------------------------------------------


async def _list(request: web.Request, problems: Sequence[Problem] = ()) -> web.Response:
    rows = await resources.listed(services_of(request).db, actor_of(request))
    asked = {name: request.query.get(name, "") for name in ("state", "county", "kind")}
    county = asked["county"].strip().casefold()
    found = [
        row
        for row in rows
        if (not asked["kind"] or row.entry.kind == asked["kind"])
        and any(
            (not asked["state"] or state == asked["state"])
            and (not county or there == "" or there.casefold() == county)
            for there, state in row.entry.places
        )
    ]
    done = request.query.get("done")
    return answers.page(
        request,
        "manager_resources",
        status=422 if problems else 200,
        nav=nav(request, "resources"),
        rows=found,
        total=len(rows),
        stale=sum(row.stale(now_of(request)) for row in rows),
        now=now_of(request),
        asked=asked,
        kinds=RESOURCE_KINDS,
        states=STATES,
        problems=list(problems)[:MOST_PROBLEMS],
        more=max(0, len(problems) - MOST_PROBLEMS),
        done=done if done in DONE else None,
        present=present,
    )


async def _row(request: web.Request) -> ResourceRow | None:
    """The entry that the address names; None for a new one."""
    wanted = request.match_info.get("id")
    if wanted is None:
        return None
    rows = await resources.listed(services_of(request).db, actor_of(request))
    row = next((one for one in rows if one.id == wanted), None)
    if row is None:
        raise PageNotFound
    return row


def _form(
    request: web.Request,
    typed: dict[str, str],
    rev: int,
    wrong: str | None = None,
    refused: RecordError | None = None,
) -> web.Response:
    return answers.page(
        request,
        "manager_resource",
        status=422 if wrong else refused.status if refused else 200,
        nav=nav(request, "resources"),
        id=request.match_info.get("id"),
        typed=typed,
        rev=rev,
        kinds=RESOURCE_KINDS,
        wrong=wrong,
        refused=None if refused is None else answers.words(request, refused, refused.code),
    )


def _typed(one: Entry) -> dict[str, str]:
    return {
        name: places_text(one.places) if name == "places" else getattr(one, name)
        for name in COLUMNS
    }


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise BadRequest
    return int(text)

"""The session log: the four numbers, who is at a scene, sessions by filter, search and view."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from auth import access, log_search, misses, views
from auth.policy import Action
from records import directory, tablet_reports
from records.errors import RecordError
from records.log_filters import FLAGS_TO_FIND, Found
from records.near_misses import MOST_COUNTED
from records.saved_views import ViewRow
from records.vocabulary import DISPOSITIONS
from web import answers, present
from web.board import numbers
from web.errors import BadRequest
from web.keys import ASKED, actor_of, now_of, services_of
from web.log_form import (
    FIELDS,
    MISSES,
    MORE,
    SPANS,
    STATES,
    Choices,
    choices_of,
    county_code,
    found_code,
    kept,
    parse,
    sane,
)
from web.manager import nav
from web.routes import Route, Who, fields, may_anywhere
from web.scene import table

ADDRESS = "/manager"
VIEWS = "/manager/views"
PAGE_ROWS = 50
TEXTS = (
    "manager.board", "manager.log.open", "manager.log.no_clinician", "scene.", "common.state.",
    "common.step.",
)  # fmt: skip
DONE = frozenset({"saved", "changed", "removed", "first"})


def routes() -> list[Route]:
    """The pages' addresses."""
    person, keep = Who.PERSON, (Action.VIEW_KEEP,)
    return [
        Route("GET", ADDRESS, show, person, (Action.LOG_READ,)),
        Route("POST", "/manager/search", search, person, (Action.LOG_READ,)),
        Route("GET", VIEWS, show_views, person, keep),
        Route("POST", VIEWS, add_view, person, keep),
        Route("POST", f"{VIEWS}/first", first_view, person, keep),
        Route("POST", f"{VIEWS}/{{id}}", change_view, person, keep),
        Route("POST", f"{VIEWS}/{{id}}/remove", remove_view, person, keep),
    ]


async def show(request: web.Request) -> web.StreamResponse:
    """GET /manager?<filter>&view&after: the numbers, and the log newest first.

    `view` alone opens a view; nothing at all opens the one that this person begins with.
    """
    choices = await choices_of(request)
    opened = await _opened(request, choices)
    if opened is not None:
        return answers.moved(opened)
    return await _show(request, choices)


async def _opened(request: web.Request, choices: Choices) -> str | None:
    """Where a view leads: the log with its filter, as far as it is this reader's."""
    db, actor, query = services_of(request).db, actor_of(request), request.query
    if kept(query) or not may_anywhere(actor, Action.VIEW_KEEP):
        return None
    view: ViewRow | None = None
    if query.get("view") and "after" not in query:
        view = await views.one(db, actor, query["view"])
    elif not query:
        _, view = await views.listed(db, actor)
    if view is None:
        return None
    whole = dict(parse_qsl(view.filter))
    chosen = sane(whole, choices)
    left = {"left": "1"} if chosen != whole else {}
    told = {**chosen, "view": view.id, **left}
    return f"{ADDRESS}?{urlencode(told)}" if chosen else f"{ADDRESS}?all=1&view={view.id}"


async def _show(
    request: web.Request,
    choices: Choices,
    *,
    typed: str = "",
    missed: bool = False,
    refused: RecordError | None = None,
    name: str = "",
    form: dict[str, str] | None = None,
) -> web.Response:
    """The log's page. `missed`: a search for `typed` found nothing; `form`: a POST's filter."""
    services, actor, now = services_of(request), actor_of(request), now_of(request)
    query = request.query if form is None else form
    wanted, first = parse(query, choices), "after" not in query
    chosen = kept(query)
    listed = await access.read_log(
        services.db, actor, wanted, now, after=query.get("after") or None, limit=PAGE_ROWS
    )
    counted = await access.read_board(services.db, actor, now)
    picture = await services.desk.screens.picture()
    async with services.db.read() as conn:
        troubled = await tablet_reports.troubled(conn)
    known, begins = await views.listed(services.db, actor)
    here = {"view": query["view"]} if query.get("view") else {}
    return answers.page(
        request,
        "manager_log",
        status=200 if refused is None else refused.status,
        strings=TEXTS,
        nav=nav(request, "log"),
        board=numbers(counted, picture, actor, now, troubled),
        trail_cut=services.desk.audits.cut,
        may_audit=may_anywhere(actor, Action.AUDIT_READ),
        scene=await table(request) if first else None,
        misses=await misses.count_open(services.db, actor, now),
        many_misses=MOST_COUNTED,
        agencies=choices.agencies,
        counties=[(county_code(*one), f"{one[0]}, {one[1]}") for one in choices.counties],
        clinicians=choices.clinicians,
        states=STATES,
        dispositions=DISPOSITIONS,
        flags=FLAGS_TO_FIND,
        miss_kinds=MISSES,
        spans=SPANS,
        kept=chosen,
        more=bool(MORE & chosen.keys()),
        found=_names(wanted.found, choices),
        typed=typed,
        missed=missed,
        left=query.get("left") == "1",
        views=known,
        begins=begins,
        view=query.get("view"),
        view_name=name,
        refused=None if refused is None else answers.words(request, refused, refused.code),
        may_names=may_anywhere(actor, Action.LOG_EXPORT_NAMES),
        entries=listed.entries,
        first=first,
        older=urlencode({**chosen, **here, "after": listed.after}) if listed.after else None,
        query=urlencode(chosen),
        without=urlencode({key: value for key, value in chosen.items() if key != "found"}),
        present=present,
        texts=request[ASKED].texts,
    )


def _names(found: Found | None, choices: Choices) -> list[str]:
    """What a search found, in words; sessions by their number only."""
    if found is None:
        return []
    who = choices.who
    return [
        *(who.tablets[one].label for one in found.tablets),
        *(who.people[one].name for one in found.officers),
        *([f"# {len(found.sessions)}"] if found.sessions else []),
    ]


async def search(request: web.Request) -> web.StreamResponse:
    """POST /manager/search: what was typed becomes ids, and the log shows their sessions.

    By POST, because what is typed may be somebody's name, and names stand in no address.
    """
    (typed,) = await fields(request, "q")
    posted = await request.post()
    form = {name: str(posted[name]) for name in FIELDS if posted.get(name)}
    for one in ("code", "found"):
        form.pop(one, None)
    choices = await choices_of(request)
    parse(form, choices)
    hits = await log_search.find(services_of(request).db, actor_of(request), typed, now_of(request))
    if hits.code is not None:
        return answers.moved(f"{ADDRESS}?{urlencode({**form, 'code': hits.code})}")
    if hits.found is not None:
        return answers.moved(f"{ADDRESS}?{urlencode({**form, 'found': found_code(hits.found)})}")
    return await _show(request, choices, typed=typed, missed=bool(typed.strip()), form=form)


# --- views ----------------------------------------------------------------------------------------


async def show_views(request: web.Request) -> web.Response:
    """GET /manager/views: own and shared views; own ones can be changed."""
    return await _views(request)


async def _views(
    request: web.Request, refused: RecordError | None = None, wrong: str = ""
) -> web.Response:
    actor = actor_of(request)
    known, begins = await views.listed(services_of(request).db, actor)
    async with services_of(request).db.read() as conn:
        who = await directory.read(conn)
    done = request.query.get("done")
    return answers.page(
        request,
        "manager_views",
        status=200 if refused is None else refused.status,
        nav=nav(request, "log"),
        own=[one for one in known if one.owner_id == actor.id],
        shared=[one for one in known if one.owner_id != actor.id],
        begins=begins,
        who=who,
        wrong=wrong,
        done=done if done in DONE and refused is None else None,
        refused=None if refused is None else answers.words(request, refused, refused.code),
    )


async def add_view(request: web.Request) -> web.StreamResponse:
    """POST /manager/views: keep the filter that the page shows, under a name."""
    name, chosen = await fields(request, "name", "filter")
    form = await request.post()
    choices = await choices_of(request)
    query = dict(parse_qsl(chosen))
    if not query.keys() <= set(FIELDS):
        raise BadRequest
    parse(query, choices)
    try:
        made = await views.add(
            services_of(request).db, actor_of(request), name, urlencode(kept(query)),
            shared=form.get("shared") == "1", first=form.get("first") == "1", now=now_of(request),
        )  # fmt: skip
    except RecordError as error:
        return await _show(request, choices, refused=error, name=name, form=query)
    return answers.moved(f"{ADDRESS}?view={made}")


async def change_view(request: web.Request) -> web.StreamResponse:
    """POST /manager/views/{id}: another name, shared or not."""
    (name,) = await fields(request, "name")
    view_id, form = request.match_info["id"], await request.post()
    try:
        await views.change(
            services_of(request).db, actor_of(request), view_id, name,
            shared=form.get("shared") == "1", now=now_of(request),
        )  # fmt: skip
    except RecordError as error:
        if error.status == web.HTTPNotFound.status_code:
            raise
        return await _views(request, error, view_id)
    return answers.moved(f"{VIEWS}?done=changed")


async def remove_view(request: web.Request) -> web.StreamResponse:
    """POST /manager/views/{id}/remove."""
    await views.remove(
        services_of(request).db, actor_of(request), request.match_info["id"], now_of(request)
    )
    return answers.moved(f"{VIEWS}?done=removed")


async def first_view(request: web.Request) -> web.StreamResponse:
    """POST /manager/views/first: what the log begins with; no view: everything."""
    (view_id,) = await fields(request, "view")
    await views.begin_with(
        services_of(request).db, actor_of(request), view_id or None, now_of(request)
    )
    return answers.moved(f"{VIEWS}?done=first")

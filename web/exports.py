"""The log as CSV, and what its columns mean: made from the columns themselves."""

from __future__ import annotations

from aiohttp import web

from auth.exports import export_log
from auth.policy import Action
from records.export_columns import FOLLOWUPS, SESSIONS, Meaning, dictionary, harmless
from records.exports import BOM, lines
from web import answers, present
from web.i18n import Texts
from web.keys import ASKED, actor_of, now_of, services_of
from web.log_form import choices_of, parse
from web.routes import Route, Who

HEADINGS = ("table", "column", "with_names_only", "type", "meaning", "codes")


def routes() -> list[Route]:
    """The addresses."""
    needs = (Action.LOG_EXPORT,)
    return [
        Route("GET", "/manager/sessions.csv", sessions, Who.PERSON, needs),
        Route("GET", "/manager/followups.csv", followups, Who.PERSON, needs),
        Route("GET", "/manager/columns.csv", columns, Who.PERSON, needs),
    ]


async def sessions(request: web.Request) -> web.StreamResponse:
    """GET /manager/sessions.csv: the log as it is filtered, a row a session."""
    return await _table(request, SESSIONS.name)


async def followups(request: web.Request) -> web.StreamResponse:
    """GET /manager/followups.csv: a row a follow-up of the log as it is filtered."""
    return await _table(request, FOLLOWUPS.name)


async def columns(request: web.Request) -> web.Response:
    """GET /manager/columns.csv: the data dictionary of both, in the reader's language."""
    texts = request[ASKED].texts
    rows = [[harmless(cell) for cell in described(one, texts)] for one in dictionary()]
    return web.Response(
        text=BOM + lines([HEADINGS, *rows]),
        content_type="text/csv",
        charset="utf-8",
        headers=_headers("columns"),
    )


def described(one: Meaning, texts: Texts) -> tuple[str, ...]:
    """One column in words: table, name, whether with names only, type, meaning, codes."""
    codes = [
        f"{code} = {present.column_label(texts, one.column, code)}"
        if one.kind in ("code", "codes")
        else code
        for code in one.codes
    ]
    return (
        one.table,
        one.column,
        texts.t("manager.session.yes" if one.named else "manager.session.no"),
        texts.t(f"exports.type.{one.kind}"),
        meaning(one, texts),
        "; ".join(codes) or texts.t("exports.no_codes"),
    )


def meaning(one: Meaning, texts: Texts) -> str:
    """What stands in the column."""
    if one.of is not None:
        return texts.t("exports.label", column=one.of)
    if one.column.startswith("flag_"):
        return texts.t("exports.flag", flag=texts.t(f"common.flag.{one.column[5:]}"))
    return texts.t(f"exports.{one.table}.{one.column}")


async def _table(request: web.Request, table: str) -> web.StreamResponse:
    services, texts = services_of(request), request[ASKED].texts
    wanted = parse(request.query, await choices_of(request))
    pieces = await export_log(
        services.db,
        actor_of(request),
        wanted,
        now_of(request),
        label=lambda column, code: present.column_label(texts, column, code),
        names=request.query.get("names") == "1",
        table=table,
    )
    response = web.StreamResponse(
        headers={**_headers(table), "Content-Type": "text/csv; charset=utf-8"}
    )
    await response.prepare(request)
    async for piece in pieces:
        await response.write(piece.encode())
    await response.write_eof()
    return response


def _headers(name: str) -> dict[str, str]:
    return {**answers.NO_STORE, "Content-Disposition": f'attachment; filename="{name}.csv"'}

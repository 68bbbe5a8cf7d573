"""Around every request: a number, a language, one shape for errors, one line in the log."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from jinja2 import TemplateError

from auth import audit
from auth.errors import AuthError
from records.errors import RecordAway, RecordError
from signaling.errors import SessionError
from web import answers, gate, i18n
from web.errors import (
    BadRequest,
    Internal,
    MethodNotAllowed,
    NotReady,
    PageNotFound,
    TooLarge,
    TooOften,
    TooSlow,
    WebError,
    WrongType,
)
from web.identity import neighbours_of, place_of, read_cookie, set_cookie
from web.keys import ASKED, CROWD, LIMITS, TEXTS, Asked, now_of

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TYPED = (WebError, AuthError, RecordError, SessionError, RecordAway)
_LANGUAGE_SECONDS = 365 * 86400
_CROWDED_SECONDS = 5.0  # until somebody has left
_BY_STATUS: dict[int, type[WebError]] = {
    403: BadRequest,
    404: PageNotFound,
    405: MethodNotAllowed,
    408: TooSlow,
    413: TooLarge,
    415: WrongType,
    503: NotReady,
}


@web.middleware
async def outermost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Number the request, turn every error into its answer, and log one line without a person."""
    locale = i18n.choose(
        read_cookie(request, "cb_lang"), None, request.headers.get("Accept-Language")
    )
    audit.PLACE.set(place_of(request))
    request[ASKED] = Asked(f"req_{secrets.token_hex(8)}", request.app[TEXTS][locale])
    started = time.monotonic()
    status = 500
    passed = gate.of(request)
    if passed is not None:
        passed.begun()
    try:
        response = await _answered(request, handler)
        status = response.status
    finally:
        if passed is not None:
            passed.ended()
        _log(request, status, time.monotonic() - started)
    return response


@web.middleware
async def language(request: web.Request, handler: Handler) -> web.StreamResponse:
    """`?lang=es` on any page: remember the choice and show the page again without it."""
    wanted = request.query.get("lang")
    api = request.path.startswith("/api/")  # whoever reads there keeps no cookie
    if wanted not in i18n.LANGUAGES or request.method != "GET" or api:
        return await handler(request)
    query = [(name, value) for name, value in request.query.items() if name != "lang"]
    path = request.path if answers.is_local(request.path) else "/"
    response = answers.moved(str(request.url.with_path(path).with_query(query).relative()))
    set_cookie(request, response, "cb_lang", str(wanted), _LANGUAGE_SECONDS)
    return response


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await _admitted(request, handler)
    except TYPED as error:
        if request[ASKED].begun:
            raise
        answer = answers.refusal(request, error, error.code, error.status)
        if isinstance(error, TooOften):
            answer.force_close()  # what was sent after it is not even read
        return answer
    except web.HTTPException as error:
        if error.status < 400:
            raise
        ours = _BY_STATUS.get(error.status, BadRequest)()
        return answers.refusal(request, ours, ours.code, error.status)
    except Exception as error:  # the supervisor of one request: it fails, loudly
        if isinstance(error, ConnectionError):
            raise  # the reader has gone: there is nobody to answer
        log.exception("request.failed request=%s", request[ASKED].id)
        if request[ASKED].begun:
            raise  # half an answer is out: all that is left is to break the connection
        return _failed(request)


async def _admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer, if there is room for one more from this place. Raises TooOften."""
    place, crowd = neighbours_of(request), request.app[CROWD]
    if not crowd.enter(place):
        raise TooOften(_CROWDED_SECONDS)
    try:
        if request.match_info.http_exception is not None:  # no such address: nothing else counts it
            request.app[LIMITS].take("stray", place, now_of(request))
        return await handler(request)
    finally:
        crowd.leave(place)


def _failed(request: web.Request) -> web.StreamResponse:
    ours = Internal()
    try:
        return answers.refusal(request, ours, ours.code, ours.status)
    except TemplateError:  # the error page itself is broken
        log.exception("error_page.failed request=%s", request[ASKED].id)
        return web.Response(text=ours.sentence, status=ours.status, headers=answers.NO_STORE)


def _log(request: web.Request, status: int, seconds: float) -> None:
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "none"
    often = {"/static/{build}/{name}", "/healthz", "/readyz", "/metrics", "/poll"}
    if route in often and status < 400:
        return
    log.info(
        "request route=%s method=%s status=%d ms=%d request=%s",
        route,
        request.method if request.method.isalpha() else "?",
        status,
        round(seconds * 1000),
        request[ASKED].id,
    )

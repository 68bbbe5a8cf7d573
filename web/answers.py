"""Answers: pages, JSON and errors, each in one shape."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

from auth import csrf
from web.errors import BadDays, BadQuery, TooOften, WebError
from web.i18n import LANGUAGES
from web.identity import set_cookie
from web.keys import ASKED, ISSUERS, RENDERER, now_of, settings_of

log = logging.getLogger(__name__)

NO_STORE = {"Cache-Control": "no-store"}
THEMES = frozenset({"dark", "light", "auto"})
_FORM_COOKIE_SECONDS = 86400
_SIGN_IN_CODES = frozenset({"not-signed-in", "login-expired", "login-revoked", "login-copied"})
_ACCOUNT_CODES = {"factor-missing": "/account", "pages-covered": "/prove"}
_ENROL_CODES = frozenset({"not-enrolled", "tablet-revoked"})


class Typed(Protocol):
    """Every package's error: a stable code, a status and a sentence that is safe to show."""

    @property
    def code(self) -> str: ...
    @property
    def status(self) -> int: ...


def page(
    request: web.Request,
    name: str,
    *,
    template: str | None = None,
    status: int = 200,
    strings: tuple[str, ...] = (),
    boot: Mapping[str, object] | None = None,
    dark: bool = False,
    **context: Any,
) -> web.Response:
    """The page `name`. `strings`: the prefixes of the texts that its scripts need."""
    asked = request[ASKED]
    token = csrf.issue(settings_of(request).secret.reveal(), asked.holder) if asked.holder else ""
    island: dict[str, Any] = {
        "page": name,
        "locale": asked.texts.locale,
        "csrf": token,
        "ws": "/ws",
        "strings": asked.texts.some(*strings) if strings else {},
        **(boot or {}),
    }
    covered = _cover(request)
    if covered:
        island["cover"] = covered
        island["strings"] |= asked.texts.some("common.cover.")
    theme = request.cookies.get("cb_theme", "")
    html = request.app[RENDERER].page(
        template or f"pages/{name}.html",
        asked.texts,
        {
            "page": name,
            "boot": island,
            "csrf": token,
            "theme": theme if theme in THEMES else ("dark" if dark else "auto"),
            "actor": asked.actor,
            "covers": bool(covered),
            "here": request.path if is_local(request.path) else "/",
            "own_issuer": _own_issuer(request),
            "switches": _switches(request),
            **context,
        },
    )
    response = web.Response(
        text=html, content_type="text/html", charset="utf-8", status=status, headers=NO_STORE
    )
    if asked.fresh_holder:
        set_cookie(request, response, "cb_form", asked.holder, _FORM_COOKIE_SECONDS)
    return response


def answer(data: Mapping[str, object], status: int = 200) -> web.Response:
    """A JSON answer that worked."""
    return web.json_response({"ok": True, **data}, status=status, headers=NO_STORE)


def document(body: bytes, name: str, kind: str = "application/pdf") -> web.Response:
    """A file to keep."""
    headers = {"Content-Type": kind, "Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=body, headers={**NO_STORE, **headers})


def wants_json(request: web.Request) -> bool:
    """Whether an error should be JSON: under /api/, or where JSON was asked for."""
    accept = request.headers.get("Accept", "")
    return request.path.startswith("/api/") or (
        "application/json" in accept and "text/html" not in accept
    )


def refusal(request: web.Request, error: Exception, code: str, status: int) -> web.StreamResponse:
    """The answer to a typed error: JSON, the way to sign in, or a page that says what to do."""
    asked = request[ASKED]
    message = words(request, error, code)
    headers = dict(NO_STORE)
    if isinstance(error, TooOften):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    if code == "bad-token":
        headers["WWW-Authenticate"] = 'Bearer realm="CrisisBridge"'
    if wants_json(request):
        body = {"ok": False, "code": code, "message": message, "request": asked.id}
        if isinstance(error, BadQuery) and error.field is not None:
            body["field"] = error.field
        return web.Response(
            text=json.dumps(body, ensure_ascii=False),
            content_type="application/json",
            status=status,
            headers=headers,
        )
    if request.method in {"GET", "HEAD"} and code in _SIGN_IN_CODES:
        return moved("/sign-in" + next_of(request, code))
    if code == "proof-needed":
        return moved("/prove?why=change&next=/account")
    if request.method in {"GET", "HEAD"} and code in _ACCOUNT_CODES:
        door = _ACCOUNT_CODES[code]
        return moved(f"{door}?next={request.path}" if is_local(request.path) else door)
    if request.method in {"GET", "HEAD"} and code in _ENROL_CODES:
        return moved("/enrol" if code == "not-enrolled" else "/enrol?why=ended")
    response = _error_page(request, message, _advice(code, status), status)
    response.headers.update(headers)
    return response


def _error_page(request: web.Request, message: str, advice: str, status: int) -> web.Response:
    return page(
        request, "error", status=status, message=message, advice=advice,
        request_id=request[ASKED].id, failed=status >= 500,
    )  # fmt: skip


def words(request: web.Request, error: Exception, code: str) -> str:
    """The error's sentence in the reader's language."""
    key = f"common.error.{code.replace('-', '_')}"
    texts = request[ASKED].texts
    about = error.about if isinstance(error, WebError) else {}
    return texts.t(key, **about) if key in texts else str(error)


def moved(location: str) -> web.Response:
    """See Other: what was asked for is over there."""
    return web.Response(status=303, headers={"Location": location, **NO_STORE})


def next_of(request: web.Request, code: str) -> str:
    """The query that brings a person back here after signing in."""
    why = "&why=expired" if code != "not-signed-in" else ""
    back = request.path if is_local(request.path) else "/"
    return "" if back == "/" else f"?next={back}{why}"


def is_local(path: str) -> bool:
    """Whether this is a plain path of our own: no other site, nothing to escape."""
    return (
        path.startswith("/")
        and not path.startswith("//")
        and len(path) <= 200
        and all(letter.isascii() and (letter.isalnum() or letter in "/-_.") for letter in path)
    )


def _cover(request: web.Request) -> dict[str, float]:
    """When the page of somebody who is signed in is covered: after how long, and at what time."""
    actor = request[ASKED].actor
    if actor is None or actor.kind != "person" or actor.expires_at is None:
        return {}
    left = max(0.0, actor.expires_at - now_of(request))
    return {"idle": settings_of(request).idle_seconds, "left": left}


def _own_issuer(request: web.Request) -> str | None:
    """The directory that opened this sign-in, while there is one."""
    actor = request[ASKED].actor
    return (
        actor.issuer_id if actor is not None and actor.issuer_id in request.app[ISSUERS] else None
    )


def _switches(request: web.Request) -> list[tuple[str, str, str]]:
    """The other languages: code, name, and the address of this page in it."""
    current = request[ASKED].texts.locale
    path = request.path if is_local(request.path) and request.method == "GET" else "/"
    return [
        (code, name, f"{path}?lang={code}") for code, name in LANGUAGES.items() if code != current
    ]


def _advice(code: str, status: int) -> str:
    """The key of what to do now."""
    if status == 403:
        return "common.error_page.forbidden"
    if code == BadDays.code:
        return "common.error_page.days"
    if status == 404:
        return "common.error_page.not_found"
    if status >= 500:
        return "common.error_page.failed"
    if code in _SIGN_IN_CODES:
        return "common.error_page.sign_in"
    return "common.error_page.again"

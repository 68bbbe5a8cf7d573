"""What hangs on the application and on one request, by typed key."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from auth.actors import Actor
from auth.renewals import Renewed
from auth.sso_rules import Issuer
from signaling.settings import Settings
from signaling.sso_client import SsoClient
from web.assets import Assets
from web.gate import Crowd
from web.i18n import Texts
from web.limits import Limits
from web.render import Renderer
from web.services import Services
from web.typeset import Typesetter


@dataclass(slots=True)
class Asked:
    """One request: its number, who asks, in which language, and to whom its forms belong."""

    id: str
    texts: Texts
    actor: Actor | None = None
    holder: str = ""  # a login's or a tablet's id, or the anonymous form cookie
    fresh_holder: bool = False  # the form cookie is to be set with this answer
    begun: bool = False  # the answer's head is sent: no other answer can follow
    renewed: Renewed | None = None  # the sign-in's tokens, which go out with this answer


SERVICES = web.AppKey("services", Services)
RENDERER = web.AppKey("renderer", Renderer)
ASSETS = web.AppKey("assets", Assets)
TEXTS = web.AppKey("texts", dict[str, Texts])
LIMITS = web.AppKey("limits", Limits)
EVERYBODYS = web.AppKey("everybodys", str)  # the origin that people open who are not administrators
INSIDE = web.AppKey("inside", bool)  # this application is the admin network's
CROWD = web.AppKey("crowd", Crowd)
TYPESETTER = web.AppKey("typesetter", Typesetter)
OPENAPI = web.AppKey("openapi", bytes)
ISSUERS = web.AppKey("issuers", dict[str, SsoClient])  # the directories that sign people in, by id
ASKED = web.RequestKey("asked", Asked)


def services_of(request: web.Request) -> Services:
    return request.app[SERVICES]


def settings_of(request: web.Request) -> Settings:
    return request.app[SERVICES].settings


def issuers_of(request: web.Request) -> dict[str, Issuer]:
    """The directories that sign people in, by id."""
    return {id_: client.issuer for id_, client in request.app[ISSUERS].items()}


def now_of(request: web.Request) -> float:
    """UTC epoch seconds, from the server's clock."""
    return request.app[SERVICES].clock()


def actor_of(request: web.Request) -> Actor:
    """Who asks, on a route that is guarded."""
    actor = request[ASKED].actor
    if actor is None:
        raise RuntimeError("this route has no guard")
    return actor


def everybodys_origin(request: web.Request) -> str:
    """Where a link leads that is given to somebody else: never into the admin network."""
    if request.app[INSIDE]:
        return request.app[EVERYBODYS]
    return request.headers.get("Origin") or settings_of(request).origins[0]

"""SMS, voice, e-mail and chat through Apprise, off the event loop, with nothing of it in the logs.

The operator sets one gateway for each of e-mail, SMS and voice: an Apprise address with `{to}` in
it. A clinician gives a number or an address only. Chat and pager services are the clinician's own
Apprise address, of an allowed kind, without options; Apprise's kinds that touch this machine
(files, desktop, plug-ins) are never among them.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from apprise import Apprise, AppriseAsset
from apprise.common import NotifyFormat, PersistentStoreMode

from records.contacts import NewWay
from signaling.errors import BadWay
from signaling.known_services import CHAT_SERVICES
from signaling.post import GivenUp, Message, Outcome, Taken, TryAgain, is_public

# They write addresses, numbers and answers of services; nothing of it is for our logs
for _name in ("apprise", "requests", "urllib3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

WORKERS = 8
SEND_SECONDS = 25.0
SERVICE_SECONDS = 20.0  # Apprise's own bound, so that a thread comes back
LONGEST = 500

# kinds that touch this machine or read its files: never, whatever the settings say
FORBIDDEN = frozenset(
    {"dbus", "file", "gio", "glib", "gnome", "growl", "kde", "macosx", "qt", "syslog", "windows"}
    | {"blink1", "apprise", "apprises", "smpp", "smpps", "session", "sessions"}
)
GATEWAYS = ("email", "sms", "voice")
_MAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_SCHEMA = re.compile(r"([a-z][a-z0-9]{1,20})://[^\s]+")


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """`templates`: e-mail, SMS, voice -> Apprise address with `{to}`."""

    templates: Mapping[str, str] = field(default_factory=dict)
    chat: tuple[str, ...] = CHAT_SERVICES
    loopback: bool = False  # tests and the demo: services on this machine


class Gateways:
    """Checks addresses and sends to them, a bounded number at a time."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._chat = frozenset(settings.chat) - FORBIDDEN
        self._asset = AppriseAsset(
            storage_mode=PersistentStoreMode.MEMORY,
            service_timeout=SERVICE_SECONDS,
            allow_templates=False,
        )
        self._asset.async_mode = False
        self._asset.http_redirects = False
        self._asset.app_id = "CrisisBridge"
        self._asset.app_desc = "CrisisBridge"
        self._asset.app_url = ""
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="gateway")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that somebody can add here."""
        own = tuple(kind for kind in GATEWAYS if kind in self._settings.templates)
        return (*own, "chat") if self._chat else own

    def broken(self) -> list[str]:
        """The gateways whose address Apprise does not understand; for the check at start."""
        sample = {"email": "person@example.org", "sms": "+16055550100", "voice": "+16055550100"}
        return [
            kind
            for kind, template in self._settings.templates.items()
            if "{to}" not in template or self._plugin(_filled(template, sample[kind])) is None
        ]

    async def way(self, kind: str, typed: str) -> NewWay:
        """What somebody typed, as a way. Raises BadWay."""
        typed = typed.strip()
        if kind not in self.kinds or not typed or len(typed) > LONGEST:
            raise BadWay
        if kind == "chat":
            return await self._chat_way(typed)
        to = _mail(typed) if kind == "email" else _number(typed)
        return NewWay(kind, to, {"to": to})

    async def send(self, kind: str, details: Mapping[str, Any], message: Message) -> Outcome:
        """Hand a message to the service. Apprise only says whether it worked."""
        url = self._url(kind, details)
        if url is None or (kind == "chat" and not await self._allowed(url)):
            return GivenUp("not_allowed")
        body = message.body if kind == "voice" else f"{message.body}\n{message.link}".strip()
        work = asyncio.get_running_loop().run_in_executor(
            self._pool, self._notify, url, message.title, body
        )
        try:
            async with asyncio.timeout(SEND_SECONDS):
                done = await work
        except TimeoutError:
            return TryAgain("timeout")
        return Taken() if done else TryAgain("gateway")

    async def close(self) -> None:
        """New work is refused; what a service still holds comes back by its own bound."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _url(self, kind: str, details: Mapping[str, Any]) -> str | None:
        if kind == "chat":
            return str(details["url"])
        template = self._settings.templates.get(kind)
        return None if template is None else _filled(template, str(details["to"]))

    def _notify(self, url: str, title: str, body: str) -> bool:
        """In a thread of our own."""
        plugin = self._plugin(url)
        if plugin is None:
            return False
        service = Apprise(asset=self._asset)
        service.add(plugin)  # the one that was checked: an address in text could be several
        try:
            return bool(service.notify(body=body, title=title, body_format=NotifyFormat.TEXT))
        except Exception:  # noqa: BLE001 - a plug-in's fault must not take the pager down, and
            # its words may hold the address
            return False

    def _plugin(self, url: str) -> Any:
        try:
            return Apprise.instantiate(url, asset=self._asset, suppress_exceptions=True)
        except Exception:  # noqa: BLE001 - parsers of a hundred services; any fault means: not usable
            return None

    async def _chat_way(self, url: str) -> NewWay:
        if not await self._allowed(url):
            raise BadWay("This kind of address is not allowed here. Ask who runs the server.")
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._pool, self._plugin, url) is None:
            raise BadWay("This address is not complete. Compare it with the service's page.")
        return NewWay("chat", url, {"url": url})

    async def _allowed(self, url: str) -> bool:
        found = _SCHEMA.fullmatch(url)
        if found is None or "?" in url or url.count("://") != 1 or found[1] not in self._chat:
            return False
        if found[1] in CHAT_SERVICES or self._settings.loopback:
            return True
        # a service that the operator has allowed and whose address names its own host
        loop = asyncio.get_running_loop()
        plugin = await loop.run_in_executor(self._pool, self._plugin, url)
        host = getattr(plugin, "host", None)
        return bool(host) and await self._public(str(host))

    async def _public(self, host: str) -> bool:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, None, type=socket.SOCK_STREAM
                )
        except (OSError, TimeoutError, UnicodeError):
            return False
        return bool(found) and all(is_public(str(one[4][0])) for one in found)


def _filled(template: str, to: str) -> str:
    return template.replace("{to}", quote(to, safe=""))


def _mail(typed: str) -> str:
    if len(typed) > 254 or not _MAIL.fullmatch(typed):
        raise BadWay("This is not an e-mail address.")
    return typed


def _number(typed: str) -> str:
    digits = re.sub(r"[\s().-]", "", typed)
    if re.fullmatch(r"[2-9]\d{9}", digits):
        digits = f"+1{digits}"  # North America, as people write it
    if re.fullmatch(r"1[2-9]\d{9}", digits):
        digits = f"+{digits}"
    if not re.fullmatch(r"\+[1-9]\d{7,14}", digits):
        raise BadWay("This is not a phone number. Begin with the area code, or with + and country.")
    return digits

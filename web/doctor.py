"""`crisisbridge doctor`: each thing that must work, tried for real; each failure with a next step.

It changes nothing: no migration, no file that stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import redis
from cryptography import x509
from sqlalchemy.exc import SQLAlchemyError

from auth import id_tokens
from auth.errors import BadSignOn, SignOnAway
from auth.sso_rules import Issuer
from media import Relay, RelayRefused, TurnUrl, there_and_back
from records.crypto import Vault
from records.engine import Database, current, head
from records.errors import RecordAway, RecordError
from records.kek_sources import FileSource
from signaling import addresses
from signaling.settings import Settings, unfit_to_serve
from signaling.sso_client import SsoClient
from web import backups, disk, keyring

BUILT = 1_767_225_600.0  # 2026-01-01: a clock before this is wrong
SOON_SECONDS = 21 * 86400.0
WAIT_SECONDS = 2.0
REDIS_VERSION = 7
RELAY_SECONDS = 5.0


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `todo` says what to do, for everything that is not ok."""

    verdict: Verdict
    what: str
    todo: str = ""


def examine(settings: Settings, *, offline: bool = False) -> Iterator[Finding]:
    """All findings, one by one. `offline` asks nothing of other machines."""
    yield python()
    yield from configuration(settings)
    yield folder(settings.data_dir)
    yield space(settings)
    yield database(settings)
    yield key_source(settings)
    if not settings.demo:
        yield backup(settings, time.time())
    if settings.redis_url is not None:
        yield shared_store(settings.redis_url.reveal())
    yield web_port(settings)
    for address in addresses.for_media(settings.media_addresses):
        for number in range(max(1, settings.media_processes if settings.media_port else 1)):
            yield media(address, settings.media_port + number)
    yield clock(time.time())
    yield from certificate(settings)
    for issuer in settings.single_sign_on:
        yield single_sign_on(issuer, offline=offline)
    if settings.turn_urls and not offline:
        for url in settings.turn_urls:
            yield relay(settings, url)


def report(findings: Iterator[Finding], out: TextIO) -> int:
    """Print each finding as it comes; 0 when nothing failed, 1 otherwise."""
    failed = False
    for finding in findings:
        failed |= finding.verdict is Verdict.FAIL
        print(f"{finding.verdict:<5} {finding.what}", file=out, flush=True)
        if finding.todo:
            print(f"      → {finding.todo}", file=out, flush=True)
    print("Something must be put right first." if failed else "Ready.", file=out)
    return 1 if failed else 0


def python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(Verdict.OK, f"Python {version}")


def configuration(settings: Settings) -> Iterator[Finding]:
    problems = [] if settings.demo else unfit_to_serve(settings)
    for problem in problems:
        yield Finding(Verdict.FAIL, "Settings", problem)
    if not problems:
        yield Finding(Verdict.OK, "Settings")


def folder(path: Path) -> Finding:
    if not path.is_dir():
        parent = next(p for p in (path.resolve(), *path.resolve().parents) if p.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return Finding(Verdict.OK, "Data folder: not there yet, can be made")
        return Finding(Verdict.FAIL, "Data folder", "Make it, and give it to the server's user.")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Finding(Verdict.FAIL, "Data folder", "The server's user must own it.")
    if path.stat().st_mode & 0o077:
        return Finding(
            Verdict.WARN, "Data folder: others can look into it", "chmod 700 the data folder."
        )
    return Finding(Verdict.OK, "Data folder")


def space(settings: Settings) -> Finding:
    free = disk.free_bytes(settings)
    what = f"Disk: {free / 1024**3:.1f} GB free"
    if disk.is_too_full(settings):
        return Finding(Verdict.FAIL, what, "Make room now: presses cannot be written down.")
    if free < disk.SOON_BYTES:
        return Finding(Verdict.WARN, what, "Make room, or move the data folder to a larger disk.")
    return Finding(Verdict.OK, what)


def database(settings: Settings) -> Finding:
    url = settings.database
    if url.startswith("sqlite:") and not Path(url.removeprefix("sqlite:///")).exists():
        return Finding(Verdict.OK, "Database: not there yet, is made at the first start")
    try:
        now, wanted = current(url), head()
    except SQLAlchemyError:
        return Finding(
            Verdict.FAIL, "Database: cannot be reached", "Look at CRISISBRIDGE_DATABASE_URL."
        )
    if now == wanted:
        return Finding(Verdict.OK, "Database: reached, schema is current")
    return Finding(
        Verdict.WARN,
        "Database: the schema is another one",
        "It is brought up to date at the start.",
    )


def backup(settings: Settings, now: float) -> Finding:
    old = backups.age(settings, now)
    if old is not None and old <= backups.OLDEST_SECONDS:
        return Finding(Verdict.OK, f"Backup: {old / 3600:.0f} hours old")
    said = "none was made here" if old is None else f"{old / 3600:.0f} hours old"
    return Finding(Verdict.WARN, f"Backup: {said}", "crisisbridge backup --to FOLDER, every day.")


def shared_store(url: str) -> Finding:
    """Redis or Valkey: reached, new enough, and never throwing away what is in it."""
    what = "Redis"
    try:
        with redis.Redis.from_url(
            url, socket_timeout=WAIT_SECONDS, socket_connect_timeout=WAIT_SECONDS
        ) as store:
            known = store.info("server")
            policy = store.config_get("maxmemory-policy").get("maxmemory-policy")
    except redis.AuthenticationError:
        return Finding(Verdict.FAIL, what, "It refuses the password in CRISISBRIDGE_REDIS_URL.")
    except redis.ResponseError:  # a hosted one that does not let us ask
        return Finding(
            Verdict.WARN, f"{what}: reached", "Its maxmemory-policy must be noeviction; look there."
        )
    except (redis.RedisError, OSError, ValueError):
        return Finding(
            Verdict.FAIL,
            f"{what}: no answer",
            "Is it running? Look at CRISISBRIDGE_REDIS_URL. Without it servers do not see each "
            "other's consoles; calls and presses go on.",
        )
    version = str(known.get("valkey_version") or known.get("redis_version", "0"))
    if int(version.partition(".")[0]) < REDIS_VERSION:
        return Finding(Verdict.FAIL, f"{what} {version}", "Redis 7 or Valkey is needed.")
    if policy != "noeviction":
        todo = "Set maxmemory-policy noeviction: another one may throw away who is present."
        return Finding(Verdict.FAIL, f"{what} {version}: maxmemory-policy {policy}", todo)
    return Finding(Verdict.OK, f"{what} {version}")


def key_source(settings: Settings) -> Finding:
    """Where the key that encrypts the record comes from, and whether it opens what is stored."""
    source = keyring.source_of(settings)
    what = source.name.capitalize() if source.name == "key file" else f"Key from the {source.name}"
    open_to_others = keyring.open_to_others(settings)
    if open_to_others is not None:
        todo = f"chmod 600 {open_to_others.name}: no server starts before."
        return Finding(Verdict.FAIL, f"{what}: others can read {open_to_others.name}", todo)
    if isinstance(source, FileSource) and not source.path.exists():
        todo = "Made at the first start; keep a copy."
        return Finding(Verdict.WARN, f"{what}: not there", todo)
    try:
        vault = keyring.vault_of(settings)
        tried = _record_is_there(settings.database)
        if tried:
            asyncio.run(_opens(settings.database, vault))
    except (RecordError, RecordAway) as error:
        return Finding(Verdict.FAIL, what, str(error))
    return Finding(Verdict.OK, f"{what}: opens the record" if tried else what)


def _record_is_there(url: str) -> bool:
    """Whether there is a record of this version to try keys on."""
    if url.startswith("sqlite:") and not Path(url.removeprefix("sqlite:///")).exists():
        return False
    try:
        return current(url) == head()
    except SQLAlchemyError:
        return False  # said already


async def _opens(url: str, vault: Vault) -> None:
    db = Database(url)
    await db.start()
    try:
        async with db.read() as conn:
            await vault.prove(conn)
    finally:
        await db.close()


def web_port(settings: Settings) -> Finding:
    try:
        with _bound(settings.host, settings.port, socket.SOCK_STREAM):
            return Finding(Verdict.OK, f"Web port {settings.port} is free")
    except OSError as error:
        return _untaken(f"Web port {settings.port}", error)


def media(address: str, port: int) -> Finding:
    """Take the UDP port on one address and send a datagram round through it."""
    what = f"Media on {address}, UDP port {port or 'any'}"
    try:
        with _bound(address, port, socket.SOCK_DGRAM) as here:
            family = here.family
            with socket.socket(family, socket.SOCK_DGRAM) as there:
                there.settimeout(WAIT_SECONDS)
                here.settimeout(WAIT_SECONDS)
                there.sendto(b"ping", here.getsockname())
                ping, sender = here.recvfrom(16)
                here.sendto(ping, sender)
                if there.recv(16) != b"ping":
                    return Finding(Verdict.FAIL, what, "Something else answers on this port.")
    except TimeoutError:
        return Finding(Verdict.FAIL, what, "A firewall on this machine drops UDP; allow this port.")
    except OSError as error:
        return _untaken(what, error)
    return Finding(Verdict.OK, what)


def _untaken(what: str, error: OSError) -> Finding:
    if error.errno == errno.EADDRINUSE:
        return Finding(
            Verdict.WARN,
            f"{what} is taken",
            "Fine if that is this server, running; otherwise stop the other program.",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return Finding(Verdict.FAIL, what, "This machine has no such address.")
    return Finding(Verdict.FAIL, what, "The server's user may not take it; choose one above 1023.")


def clock(now: float) -> Finding:
    if now < BUILT:
        return Finding(Verdict.FAIL, "Clock is in the past", "Set the clock; run a time service.")
    return Finding(Verdict.OK, "Clock")


def certificate(settings: Settings) -> Iterator[Finding]:
    if settings.tls_cert is None:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            settings.tls_cert, settings.tls_key
        )
        found = x509.load_pem_x509_certificate(settings.tls_cert.read_bytes())
    except (OSError, ssl.SSLError, ValueError):
        yield Finding(Verdict.FAIL, "TLS", "Certificate and key cannot be read or do not match.")
        return
    left = found.not_valid_after_utc.timestamp() - time.time()
    if left < 0:
        yield Finding(Verdict.FAIL, "TLS: the certificate has run out", "Renew it.")
    elif left < SOON_SECONDS:
        yield Finding(Verdict.WARN, f"TLS: {left / 86400:.0f} days left", "Renew it.")
    else:
        yield Finding(Verdict.OK, f"TLS: {left / 86400:.0f} days left")


def single_sign_on(issuer: Issuer, *, offline: bool = False) -> Finding:
    """A directory's description and keys, as a sign-in would read them."""
    what = f"Single sign-on [{issuer.id}]"
    if offline:
        return Finding(Verdict.OK, f"{what}: described, not asked")

    async def tried() -> int:
        client = SsoClient(issuer)
        try:
            await client.described()
            return id_tokens.usable(await client.keys())
        finally:
            await client.close()

    try:
        usable = asyncio.run(tried())
    except SignOnAway:
        todo = "No answer. Is the issuer's address right, and may this server reach it?"
        return Finding(Verdict.FAIL, what, todo)
    except BadSignOn as error:
        return Finding(Verdict.FAIL, what, f"Its description cannot be used. {error}")
    if usable == 0:
        return Finding(Verdict.FAIL, what, "It has no key that a token can be checked with.")
    if issuer.secret_is_open:
        todo = "chmod 600 its client_secret_file."
        return Finding(Verdict.WARN, f"{what}: others can read its client secret", todo)
    return Finding(Verdict.OK, f"{what}: described, {usable} keys")


def relay(settings: Settings, url: str, tls: ssl.SSLContext | None = None) -> Finding:
    """Send a datagram through the relay to the media port, and one back, as a call would."""
    what = f"Relay {url}"
    address, public = _where_media_arrives(settings)
    secret = settings.turn_secret
    access = Relay((url,), secret.reveal() if secret is not None else "")
    port = settings.media_port
    try:
        with _bound(address, port, socket.SOCK_DGRAM):
            pass
    except OSError:  # the server runs: another port of the same machine proves nearly as much
        if public is not None:
            todo = "The media port is in use. Stop the server to prove the way through the router."
            return Finding(Verdict.WARN, f"{what}: not tried", todo)
        port = 0

    async def tried() -> None:
        async with asyncio.timeout(RELAY_SECONDS):
            await there_and_back(
                TurnUrl.parse(url),
                access.credential(time.time()),
                address,
                port,
                public=public,
                tls=tls,
            )

    try:
        asyncio.run(tried())
    except ssl.SSLError:
        return Finding(Verdict.FAIL, what, "Its certificate is not good for this name.")
    except RelayRefused as error:
        return Finding(Verdict.FAIL, what, f"{error.sentence} It says: {error}")
    except TimeoutError:
        todo = "No packet came back. Is it running, are its ports open, may it reach this server?"
        return Finding(Verdict.FAIL, what, todo)
    except OSError:
        return Finding(Verdict.FAIL, what, "No answer. Is it running, and is the port open?")
    return Finding(Verdict.OK, f"{what}: a packet went to {public or address} and back")


def _where_media_arrives(settings: Settings) -> tuple[str, str | None]:
    """The first media address, and its public one."""
    own = addresses.for_media(settings.media_addresses)
    public = settings.media_public_addresses
    return own[0], public[0] if public else None


@contextlib.contextmanager
def _bound(host: str, port: int, kind: socket.SocketKind) -> Iterator[socket.socket]:
    family, _, protocol, _, address = socket.getaddrinfo(host, port, type=kind)[0]
    with socket.socket(family, kind, protocol) as sock:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        yield sock

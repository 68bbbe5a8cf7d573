"""The door: the command line, and how the parts are put together and taken down again.

crisisbridge demo      everything embedded, with sample people
crisisbridge serve     with your settings (environment CRISISBRIDGE_* or a TOML file)
crisisbridge doctor    what is wrong, and what to do about it
crisisbridge sample    a realistic log without any real person, for a demo
crisisbridge invite    the first administrator, or a way back in for somebody
crisisbridge retention     deletes sessions whose time is over, or only counts them
crisisbridge keys          the keys that encrypt the record, and new ones
crisisbridge instruments   the questionnaires, and importing a site's own
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import issuer_links, rekeying
from auth.checkpoints import Signer
from auth.errors import AuthError, BadPerson
from auth.keeping import gathered
from auth.people import NewPerson, make_first
from auth.signing import Signing
from auth.tablets import make_enrolment
from auth.tokens import Tokens
from auth.welcome import still_welcome
from media import Bridge, BridgePool, BridgeSettings, Forwarding, LegEvent, MediaError, Relay
from oncall.errors import OnCallError
from oncall.policy import Rules
from records import hold
from records.crypto import ring_beside
from records.engine import Database, upgrade
from records.errors import RecordAway, RecordError
from records.ring import Ring
from signaling import addresses, logs
from signaling.cluster import Shared, share
from signaling.desk import Desk
from signaling.gateways import Gateways, GatewaySettings
from signaling.keeper import BATCH, EVERYTHING, erase_due
from signaling.post import Post
from signaling.settings import (
    Sensitive,
    Settings,
    SettingsError,
    describe,
    load,
    unfit_to_serve,
)
from signaling.webhook_address import Reach
from signaling.webpush import Vapid, WebPush
from web import backups, doctor, i18n, keyring, site_forms, trail
from web.dev import cast, certificate
from web.dev.fill import NotASample, fill, refuse_strangers
from web.dev.folder import Folder, card, welcome
from web.dev.seed import demo_people, seed, seed_help
from web.server import TAKEN, CannotStart, Door, alone_in, alone_with, open_door, run
from web.services import Services

DEMO_CODE_SECONDS = 30 * 86400.0
HTTPS_PORT = 8443
NO_DATABASE = "The database cannot be opened. `crisisbridge doctor` says more."


# --- composition ----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    """The database with the newest schema. Raises CannotStart."""
    try:
        await asyncio.to_thread(upgrade, settings.database)
        db = Database(settings.database)
        await db.start()
    except (SQLAlchemyError, RecordAway, OSError) as error:
        raise CannotStart(NO_DATABASE) from error
    try:
        yield db
    finally:
        await db.close()


@contextlib.asynccontextmanager
async def _alone(settings: Settings) -> AsyncIterator[None]:
    """No server that does not know of this one has the database, too. Raises CannotStart."""
    async with contextlib.AsyncExitStack() as stack:
        shared = settings.redis_url is not None
        try:
            await stack.enter_async_context(hold.held(settings.database, shared=shared))
        except hold.Taken as error:
            raise CannotStart(TAKEN) from error
        except SQLAlchemyError as error:
            raise CannotStart(NO_DATABASE) from error
        yield


@contextlib.asynccontextmanager
async def running_services(settings: Settings) -> AsyncIterator[Services]:
    """Schema, database, key, bridge and desk, in this order; taken down in the opposite one."""
    async with contextlib.AsyncExitStack() as stack:
        # first: whoever ends before it may still write
        await stack.enter_async_context(_alone(settings))
        db = await stack.enter_async_context(_database(settings))
        open_to_others = await asyncio.to_thread(keyring.open_to_others, settings)
        if open_to_others is not None:
            raise CannotStart(
                f"Others on this machine can read {open_to_others.name}, which opens the record. "
                "`chmod 600` it, make new keys if somebody may have copied it (`crisisbridge keys "
                "rotate`), and start again."
            )
        async with db.read() as conn:
            vault = await asyncio.to_thread(keyring.vault_of, settings, create=True)
            await vault.check(conn)
            if not settings.demo and settings.public and await demo_people(conn):
                raise CannotStart(
                    "This database holds the demo's people, whose password is known. "
                    "Serve it on this machine only, or start with an empty database."
                )
        await rekeying.enrol(db, vault, time.time())
        await _follow_issuers(db, settings)
        signing = Signing(vault, time.time)
        await signing.begin(db)
        tokens = Tokens(settings.secret.reveal(), signing)
        desk = Desk(
            db,
            vault,
            bridge_of(settings),
            time.time,
            still_welcome,
            rules_of(settings),
            shared_of(settings),
            relay_of(settings),
        )
        desk.pager.post = post_of(settings)
        desk.idle_seconds = settings.idle_seconds
        desk.audits.file, desk.audits.head_file = settings.checkpoints_file, settings.head_file
        desk.courier.reach = Reach.of(settings.webhook_networks, loopback=settings.demo)
        stack.push_async_callback(desk.close)
        yield Services(
            settings=settings, db=db, vault=vault, tokens=tokens, desk=desk, clock=time.time
        )


async def _follow_issuers(db: Database, settings: Settings) -> None:
    """What the settings say about directories holds from now on. Raises CannotStart."""
    async with db.read() as conn:
        unknown = await issuer_links.unknown_places(conn, settings.single_sign_on)
    if unknown and not settings.demo:  # the demo's organisations are made after this
        raise CannotStart(
            f"CRISISBRIDGE_SINGLE_SIGN_ON names organizations that are not here: {unknown}."
        )
    await db.write(lambda conn: issuer_links.follow_settings(conn, settings.single_sign_on))


def bridge_of(settings: Settings) -> Callable[[Callable[[LegEvent], None]], Forwarding]:
    """The bridge with these settings, once the desk says whom to tell of its events."""
    configured = BridgeSettings(
        addresses=tuple(addresses.for_media(settings.media_addresses)),
        port=settings.media_port,
        public_addresses=settings.media_public_addresses,
        max_calls=settings.media_calls,
    )
    processes = settings.media_processes
    if processes:
        return lambda on_event: BridgePool(configured, processes, on_event)
    return lambda on_event: Bridge(configured, on_event)


def shared_of(settings: Settings) -> Shared | None:
    """What this server shares with others, when there are others."""
    if settings.redis_url is None:
        return None
    return share(settings.redis_url.reveal(), settings.secret.reveal(), time.time)


def relay_of(settings: Settings) -> Relay:
    """The relay for networks that block UDP; without one, an empty one."""
    secret = settings.turn_secret
    return Relay(settings.turn_urls, secret.reveal()) if secret is not None else Relay()


def rules_of(settings: Settings) -> Rules:
    """The queue's rules, with the times that can be set."""
    return Rules(
        round_seconds=settings.ring_seconds,
        page_after=settings.page_seconds,
        second_tier_after=settings.second_tier_seconds,
        nobody_after=settings.nobody_seconds,
        nobody_every=settings.nobody_seconds,
        partner_after=settings.partner_seconds,
    )


def post_of(settings: Settings) -> Post:
    """What pages are sent with; makes the key for Web Push at the first start. Raises KeyWrong."""
    host = urlsplit(settings.origins[0]).hostname
    contact = settings.push_contact or f"mailto:crisisbridge@{host}"
    texts = i18n.load()
    return Post(
        push=WebPush(
            Vapid.from_file(settings.vapid_key_file, contact),
            settings.push_services,
            loopback=settings.demo,
        ),
        gateways=gateways_of(settings),
        words=lambda locale, key: texts.get(locale, texts[i18n.DEFAULT]).t(key),
        origin=settings.origins[0],
    )


def gateways_of(settings: Settings) -> Gateways:
    """The gateways for e-mail, SMS and voice that are set, and the chat services allowed."""
    known = {
        "email": settings.email_gateway,
        "sms": settings.sms_gateway,
        "voice": settings.voice_gateway,
    }
    templates = {kind: one.reveal() for kind, one in known.items() if one is not None}
    return Gateways(GatewaySettings(templates, settings.chat_services, loopback=settings.demo))


def broken_gateways(settings: Settings) -> list[str]:
    """The gateways whose address cannot work, one sentence each, without the address."""
    return [
        f"CRISISBRIDGE_{kind.upper()}_GATEWAY is not an address that Apprise understands."
        for kind in gateways_of(settings).broken()
    ]


# --- commands -------------------------------------------------------------------------------------


def start(
    settings: Settings,
    doors: Sequence[Door],
    opening: Callable[[Services], Awaitable[None]],
    opened: Callable[[], None],
) -> int:
    """Run the server until it is told to stop; expected failures become CannotStart."""
    with (
        alone_in(settings.data_dir),
        alone_with(settings.database, shared=settings.redis_url is not None),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        try:
            return runner.run(run(running_services(settings), doors, opening, opened))
        except (AuthError, MediaError, OnCallError, RecordError, RecordAway) as error:
            raise CannotStart(str(error)) from error


def serve(args: argparse.Namespace) -> int:
    """`crisisbridge serve`."""
    settings = load(os.environ, args.config)
    problems = unfit_to_serve(settings) + broken_gateways(settings)
    if problems:
        raise SettingsError(problems)
    if args.check:
        print("The settings are fine.")
        return 0
    logs.configure(as_json=settings.log_json, level=settings.log_level)
    make_folder(settings.data_dir)
    tls = None
    if settings.tls_cert is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2  # whatever the machine's defaults are
        try:
            tls.load_cert_chain(settings.tls_cert, settings.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise CannotStart("The TLS certificate and key cannot be used.") from error
    doors = [open_door(settings.host, settings.port, tls)]
    if settings.admin_listen is not None:
        doors.append(open_door(*settings.admin_listen, tls, inside=True))

    async def opening(_services: Services) -> None:
        return None

    return start(settings, doors, opening, lambda: None)


def demo(args: argparse.Namespace) -> int:
    """`crisisbridge demo`."""
    folder = Folder(args.data)
    make_folder(args.data)
    doors = [open_door("127.0.0.1", args.port)]
    port = doors[0].sock.getsockname()[1]
    here = addresses.of_this_machine()
    lan_urls: list[str] = []
    if args.https:
        tls = certificate.context(folder.path, [*here, "127.0.0.1", "::1"], time.time())
        doors.append(open_door("0.0.0.0", args.https_port, tls))
        lan_urls = [f"https://{_bracketed(address)}:{args.https_port}" for address in here]
    base_url = f"http://127.0.0.1:{port}"
    origins = [base_url, f"http://localhost:{port}", *lan_urls]
    if args.https:
        origins += [f"https://{name}:{args.https_port}" for name in ("127.0.0.1", "localhost")]
    settings = demo_settings(folder, port, tuple(origins))
    logs.configure(as_json=settings.log_json, level=settings.log_level)
    codes: dict[str, str] = {}

    async def opening(services: Services) -> None:
        folder.remove_card()  # of an earlier start; no card: not ready yet
        now = services.clock()
        if await seed(services.db, folder.password(), now):
            await seed_help(services.db, now)

        async def mint(conn: AsyncConnection) -> None:
            for unit in cast.UNITS:
                codes[unit.id] = await make_enrolment(
                    conn, unit.id, now, reusable=True, ttl=DEMO_CODE_SECONDS
                )

        await services.db.write(mint)

    def opened() -> None:
        folder.write_card(card(base_url, codes, folder.password(), lan_urls))
        print(welcome(base_url, codes, folder.password(), lan_urls), flush=True)

    return start(settings, doors, opening, opened)


def demo_settings(folder: Folder, port: int, origins: tuple[str, ...]) -> Settings:
    """The demo's settings: everything embedded, secrets from its folder, any free media port
    unless one is named."""
    secret = folder.signing_secret()
    any_port = {} if "CRISISBRIDGE_MEDIA_PORT" in os.environ else {"media_port": 0}
    return load(
        os.environ,
        overrides={
            "secret": Sensitive(secret),
            "demo": True,
            "host": "127.0.0.1",
            "port": port,
            "public_origins": origins,
            "data_dir": folder.path,
            "database_url": None,
            "kek_file": None,
            "kek": None,
            "kek_command": (),
            "tls_cert": None,
            "tls_key": None,
            "trust_proxy": False,
            "admin_listen": None,
            "cookie_secure": False,  # the same cookies on this machine, without TLS
            **any_port,
        },
    )


def examine(args: argparse.Namespace) -> int:
    """`crisisbridge doctor`."""
    logs.configure(as_json=False, level="ERROR")
    settings = _settings_or_demo(args, args.port)
    return doctor.report(doctor.examine(settings, offline=args.offline), sys.stdout)


def _settings_or_demo(args: argparse.Namespace, port: int) -> Settings:
    """The settings of this machine, or those of the demo in the folder that was named."""
    if args.data is None:
        return load(os.environ, args.config)
    if not args.data.is_dir():
        raise CannotStart("There is no demo in that folder.")
    return demo_settings(Folder(args.data), port, ())


def instruments(args: argparse.Namespace) -> int:
    """`crisisbridge instruments list` and `crisisbridge instruments import FILE`."""
    logs.configure(as_json=False, level="ERROR")
    settings = _settings_or_demo(args, 8080)

    async def work() -> int:
        async with _database(settings) as db:
            if args.what == "list":
                return await site_forms.show(db, sys.stdout)
            return await site_forms.bring_in(
                db, args.file, args.rule, time.time(), sys.stdout, check=args.check
            )

    return uvloop.run(work())


def backup(args: argparse.Namespace) -> int:
    """`crisisbridge backup --to FOLDER` or `--check FILE`."""
    logs.configure(as_json=False, level="ERROR")
    settings = _settings_or_demo(args, 8080)
    try:
        if args.check is not None:
            return backups.check(settings, args.check, sys.stdout)
        return backups.make(settings, args.to, args.keep, sys.stdout)
    except (RecordError, RecordAway) as error:  # no key file, or none that can be read
        print(error, file=sys.stderr)
        return 2


def restore(args: argparse.Namespace) -> int:
    """`crisisbridge restore FILE`, while no server runs."""
    logs.configure(as_json=False, level="ERROR")
    settings = _settings_or_demo(args, 8080)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with alone_in(settings.data_dir), alone_with(settings.database):
            return uvloop.run(
                backups.restore(settings, args.file, sys.stdout, replace=args.replace)
            )
    except (RecordError, RecordAway) as error:
        print(error, file=sys.stderr)
        return 2


def audit(args: argparse.Namespace) -> int:
    """`crisisbridge audit verify`, `audit export` and `audit key`."""
    logs.configure(as_json=False, level="ERROR")
    settings = _settings_or_demo(args, 8080)

    async def work() -> int:
        async with _database(settings) as db:
            if args.what == "export":
                return await trail.export(db, sys.stdout)
            vault = await keyring.vault_beside(settings, db)
            async with db.read() as conn:
                await vault.check(conn)
            signer = Signer(vault)
            if args.what == "key":
                print(signer.public)
                return 0
            files = (settings.checkpoints_file, settings.head_file)
            here = [file for file in files if file.exists()]
            return await trail.verify(db, signer, [*here, *args.checkpoints], sys.stdout)

    try:
        return uvloop.run(work())
    except (RecordError, RecordAway) as error:  # no key, or another record's
        print(error, file=sys.stderr)
        return 2


def invite(args: argparse.Namespace) -> int:
    """`crisisbridge invite EMAIL`."""
    logs.configure(as_json=False, level="ERROR")
    settings = _settings_or_demo(args, 8080)
    new = NewPerson(args.name or "", "", args.email, frozenset({"admin"}))
    places = {
        "agency_id": args.agency, "provider_id": args.provider, "program_id": args.program
    }  # fmt: skip

    async def work() -> str:
        async with _database(settings) as db:
            return await db.write(
                lambda conn: make_first(
                    conn, new, places, time.time(), release=args.release, reset=args.reset_factors
                )
            )

    try:
        token = uvloop.run(work())
    except (BadPerson, IntegrityError):
        print(
            "Nobody has this e-mail address. To add an administrator, give --name, and the id of "
            "an --agency, a --provider or a --program that there is.",
            file=sys.stderr,
        )
        return 1
    print(f"{settings.origins[0]}/welcome#{token}")
    print("The link works once, for three days. Give it to this person only.", file=sys.stderr)
    return 0


def keep(args: argparse.Namespace) -> int:
    """`crisisbridge retention`: `--preview`, `--run`, and the aging keys."""
    logs.configure(as_json=False, level="ERROR")
    settings = _settings_or_demo(args, 8080)

    async def work() -> int:
        async with _database(settings) as db:
            vault = await keyring.vault_beside(settings, db)
            async with db.read() as conn:
                await vault.check(conn)
            ring = Ring(ring_beside(settings.key_file))
            if args.new_key:
                ring.add(time.time(), waits=args.later)
                print("A new key is in records.key.ring. Copy that file to its safe places now.")
                return 0
            if args.use_key:
                print(f"{ring.use()} keys are used from now on.")
                return 0
            if args.drop_keys:
                done = (await rekeying.rewrap(db, vault, time.time())).seen
                async with db.read() as conn:
                    old = await vault.unneeded(conn, time.time() - args.days * 86_400)
                print(f"{done} values sealed anew, {ring.drop(old)} old keys destroyed here.")
                print("Destroy every older copy of records.key.ring, and every backup older yet.")
                return 0
            if args.run_now:
                total = done = await erase_due(db, vault, time.time())
                while done == BATCH:
                    done = await erase_due(db, vault, time.time())
                    total += done
                print(f"{total} sessions deleted.")
                return 0
            found = await gathered(db, vault, EVERYTHING, time.time())
            print(
                f"{found.total} sessions are due: {found.going.get('adult', 0)} of adults, "
                f"{found.going.get('juvenile', 0)} of children or of nobody known, "
                f"{found.going.get('test', 0)} tests. {found.keep_numbers} rows of numbers stay. "
                f"{found.held} are on legal hold, {found.owed} have an open follow-up: they stay."
            )
        return 0

    try:
        return uvloop.run(work())
    except (RecordError, RecordAway) as error:  # no record yet, no key, or another record's
        print(error, file=sys.stderr)
        return 2


def encryption(args: argparse.Namespace) -> int:
    """`crisisbridge keys`: `new`, `status`, `rotate`, `rewrap` and `retire ID`."""
    logs.configure(as_json=False, level="WARNING")
    if args.what == "new":
        return keyring.new(time.time(), sys.stdout)
    settings = _settings_or_demo(args, 8080)

    async def work() -> int:
        source, now, out = keyring.source_of(settings), time.time(), sys.stdout
        async with _database(settings) as db:
            vault = await keyring.vault_beside(settings, db)
            if args.what == "status":  # of a record whose key is missing too
                return await keyring.status(db, vault, now, out)
            async with db.read() as conn:
                await vault.check(conn)
            if args.what == "rotate" and args.tokens:
                return await keyring.rotate_tokens(db, vault, now, out)
            if args.what == "rotate":
                return await keyring.rotate(db, vault, source, now, out, later=args.later)
            if args.what == "rewrap":
                return await keyring.rewrap(db, vault, now, out)
            return await keyring.retire(db, vault, source, args.id, args.days, now, out)

    try:
        return uvloop.run(work())
    except (RecordError, RecordAway, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        print(said, file=sys.stderr)
        return 2


def make_sample(args: argparse.Namespace) -> int:
    """`crisisbridge sample`."""
    logs.configure(as_json=False, level="ERROR")
    settings = _settings_or_demo(args, 8080)

    def told(done: int) -> None:
        if done % 50_000 == 0:
            print(f"{done} sessions", flush=True)

    async def work() -> int:
        async with _database(settings) as db:
            now = time.time()
            await refuse_strangers(db)
            await seed(db, secrets.token_urlsafe(24), now)
            tasks = await fill(db, args.sessions, args.days, now, seed=args.seed, told=told)
        print(f"{args.sessions} sessions of {args.days} days, with {tasks} follow-ups.")
        return 0

    try:
        return uvloop.run(work())
    except NotASample as error:
        print(error, file=sys.stderr)
        return 1


def make_folder(path: Path) -> None:
    """Make the data folder, for its owner only. Raises CannotStart."""
    try:
        Folder(path).prepare()
    except OSError as error:
        raise CannotStart("The data folder cannot be made or written to.") from error


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def parser() -> argparse.ArgumentParser:
    """The command line."""
    settings = "\n".join(f"  {one.env}\n      {one.help} [{one.default}]" for one in describe())
    top = argparse.ArgumentParser(prog="crisisbridge", description="Video bridge for crisis care.")
    commands = top.add_subparsers(dest="command", required=True)

    one = commands.add_parser("demo", help="everything embedded, with sample people")
    one.add_argument("--port", type=_port, default=8080)
    one.add_argument("--data", type=Path, default=Path("demo-data"), help="data folder")
    one.add_argument("--https", action="store_true", help="also serve the local network over TLS")
    one.add_argument("--https-port", type=_port, default=HTTPS_PORT)
    one.set_defaults(run=demo)

    one = commands.add_parser(
        "serve",
        help="serve with your settings",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"Settings, from the environment or by lower-case name in a TOML file:\n{settings}",
    )
    one.add_argument("--config", type=Path, help="TOML file with settings")
    one.add_argument("--check", action="store_true", help="only say what is wrong with them")
    one.set_defaults(run=serve)

    one = commands.add_parser("doctor", help="say what is wrong, and what to do about it")
    one.add_argument("--config", type=Path, help="TOML file with settings")
    one.add_argument("--data", type=Path, help="look at the demo in this folder instead")
    one.add_argument("--port", type=_port, default=8080, help="the demo's port")
    one.add_argument("--offline", action="store_true", help="ask nothing of the network")
    one.set_defaults(run=examine)

    one = commands.add_parser("sample", help="a realistic log without any real person")
    one.add_argument("--config", type=Path, help="TOML file with settings")
    one.add_argument("--data", type=Path, help="the demo in this folder instead")
    one.add_argument("--sessions", type=_count, default=2000)
    one.add_argument("--days", type=_count, default=90)
    one.add_argument("--seed", type=int, default=1)
    one.set_defaults(run=make_sample)

    one = commands.add_parser("backup", help="a sealed copy of the record, read back at once")
    one.add_argument("--config", type=Path, help="TOML file with settings")
    one.add_argument("--data", type=Path, help="the demo in this folder instead")
    either = one.add_mutually_exclusive_group(required=True)
    either.add_argument("--to", type=Path, metavar="FOLDER", help="where to put it")
    either.add_argument("--check", type=Path, metavar="FILE", help="only try whether one is whole")
    one.add_argument("--keep", type=_count, help="remove older ones beyond so many")
    one.set_defaults(run=backup)

    one = commands.add_parser("restore", help="put a backup in the database's place")
    one.add_argument("--config", type=Path, help="TOML file with settings")
    one.add_argument("--data", type=Path, help="the demo in this folder instead")
    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument("--replace", action="store_true", help="the record that is there may go")
    one.set_defaults(run=restore)

    trails = commands.add_parser("audit", help="prove the audit trail whole, or write it out")
    whats = trails.add_subparsers(dest="what", required=True)
    for what, words in (
        ("verify", "name the first entry that is missing or was changed"),
        ("export", "every entry as a line of JSON, with its digests"),
        ("key", "the public key of signed checkpoints"),
    ):
        one = whats.add_parser(what, help=words)
        one.add_argument("--config", type=Path, help="TOML file with settings")
        one.add_argument("--data", type=Path, help="the demo in this folder instead")
        if what == "verify":
            one.add_argument(
                "--checkpoints", type=Path, nargs="*", default=[], metavar="FILE",
                help="copies of audit-checkpoints.jsonl that were kept elsewhere",
            )  # fmt: skip
        one.set_defaults(run=audit)
    one = commands.add_parser("invite", help="the first administrator, or a way back in")
    one.add_argument("--config", type=Path, help="TOML file with settings")
    one.add_argument("--data", type=Path, help="the demo in this folder instead")
    one.add_argument("email", metavar="EMAIL")
    one.add_argument("--name", help="full name of an administrator who is added")
    for place in ("agency", "provider", "program"):
        one.add_argument(f"--{place}", metavar="ID", help=f"the {place} that they administer")
    one.add_argument("--release", action="store_true", help="open the lock after wrong tries, too")
    one.add_argument(
        "--reset-factors", action="store_true",
        help="take passkeys, app and recovery codes away, too: the devices are lost",
    )  # fmt: skip
    one.set_defaults(run=invite)

    one = commands.add_parser("retention", help="delete sessions whose time is over, or only count")
    one.add_argument("--config", type=Path, help="TOML file with settings")
    one.add_argument("--data", type=Path, help="the demo in this folder instead")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--preview", action="store_true", help="say what would be deleted now")
    which.add_argument("--run", action="store_true", dest="run_now", help="delete it now")
    which.add_argument("--new-key", action="store_true", help="a new key that wraps data keys")
    which.add_argument("--use-key", action="store_true", help="use the keys that wait")
    which.add_argument("--drop-keys", action="store_true", help="destroy keys of older backups")
    one.add_argument("--later", action="store_true", help="with --new-key: let it wait")
    one.add_argument("--days", type=_count, default=35, help="with --drop-keys: backups are kept")
    one.set_defaults(run=keep)

    ring = commands.add_parser("keys", help="the keys that encrypt the record, and new ones")
    whats = ring.add_subparsers(dest="what", required=True)
    for what, words in (
        ("new", "print a fresh key, for the environment or a secret manager"),
        ("status", "which keys there are and how much hangs on each"),
        ("rotate", "a new key encrypts from now on; the older ones still open"),
        ("rewrap", "move everything to the current key, while servers run"),
        ("retire", "take an old key out of use, once nothing needs it"),
    ):
        one = whats.add_parser(what, help=words)
        one.add_argument("--config", type=Path, help="TOML file with settings")
        one.add_argument("--data", type=Path, help="the demo in this folder instead")
        if what == "rotate":
            which = one.add_mutually_exclusive_group()
            which.add_argument("--later", action="store_true", help="only put it into the key file")
            which.add_argument(
                "--tokens", action="store_true", help="of tokens' signatures instead"
            )
        if what == "retire":
            one.add_argument("id", metavar="ID", help="as `keys status` names it")
            one.add_argument("--days", type=_days, default=35, help="backups are kept so long")
        one.set_defaults(run=encryption)

    forms = commands.add_parser("instruments", help="the questionnaires, and a site's own wording")
    whats = forms.add_subparsers(dest="what", required=True)
    for what, words in (("list", "which there are"), ("import", "add a FHIR R4 Questionnaire")):
        one = whats.add_parser(what, help=words)
        one.add_argument("--config", type=Path, help="TOML file with settings")
        one.add_argument("--data", type=Path, help="the demo in this folder instead")
        if what == "import":
            one.add_argument("file", type=Path, metavar="FILE")
            one.add_argument("--rule", help="the scoring rule, where the file does not say it")
            one.add_argument("--check", action="store_true", help="only say whether it can be used")
        one.set_defaults(run=instruments)
    return top


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _days(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 10_000_000:
        raise argparse.ArgumentTypeError("a whole number from 1 to 10,000,000")
    return int(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 when it did what was asked, 2 for bad settings."""
    args = parser().parse_args(argv)
    os.umask(0o077)  # whichever command makes the database, or a key, makes it for its owner alone
    try:
        code: int = args.run(args)
    except SettingsError as error:
        print("The settings are not usable:", *error.problems, sep="\n  - ", file=sys.stderr)
        return 2
    except CannotStart as error:
        print(f"CrisisBridge cannot start. {error}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())

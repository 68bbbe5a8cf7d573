"""Typed settings: the one place where the environment and the configuration file are read.

Rules of this file:
1. Every mistake is reported together with the others, by name and never with its value.
2. An unknown name is a mistake: a misspelt setting must not be silently ignored.
3. The fields below are the only source of the documentation, of `--help` and of `doctor`.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from auth.sso_rules import Issuer
from signaling import setting_parsers as parse
from signaling import sso_file
from signaling.known_services import CHAT_SERVICES, PUSH_SERVICES
from signaling.sensitive import Sensitive

__all__ = [
    "Described",
    "Sensitive",
    "Settings",
    "SettingsError",
    "describe",
    "is_loopback",
    "load",
    "unfit_to_serve",
    "with_changes",
]

PREFIX = "CRISISBRIDGE_"
IDLE_SECONDS = 15 * 60.0
CONFIG = PREFIX + "CONFIG"  # names the TOML file; not a setting itself


class SettingsError(Exception):
    """The settings cannot be used; `problems` says why, one sentence each, without any value."""

    code: ClassVar[str] = "bad-settings"
    status: ClassVar[int] = 500

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as the documentation and `--help` show it."""

    name: str
    env: str
    default: str
    help: str


def _setting(
    parse: Callable[[str], Any], text: str, *, default: Any = MISSING, shown: str | None = None
) -> Any:
    """A field with its parser and its help; `shown` is the default in words."""
    if shown is None:
        shown = "required" if default is MISSING else _show(default)
    return field(default=default, metadata={"parse": parse, "help": text, "shown": shown})


def _show(default: object) -> str:
    if default is None or default in ((), ""):
        return "unset"
    return str(default).lower() if isinstance(default, bool) else f"{default}"


# --- the settings ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be configured. Made by `load`; parts receive values, not this object."""

    secret: Sensitive[str] = _setting(
        parse.secret, "Signs sign-ins and form tokens; a random text of 32 characters or more."
    )
    host: str = _setting(parse.text, "Address that the web server listens on.", default="127.0.0.1")
    port: int = _setting(parse.port, "TCP port of the web server.", default=8080)
    public_origins: tuple[str, ...] = _setting(
        parse.origins,
        "Addresses people open, as in https://bridge.example.org, separated by commas. "
        "Pages from elsewhere may not talk to the server.",
        default=(),
        shown="http://HOST:PORT on this machine only",
    )
    data_dir: Path = _setting(
        parse.path, "Folder for the embedded database and the key file.", default=Path("data")
    )
    database_url: Sensitive[str] | None = _setting(
        parse.database,
        "sqlite:////path/file.db or postgresql://user:password@host/name.",
        default=None,
        shown="crisisbridge.db in the data folder",
    )
    redis_url: Sensitive[str] | None = _setting(
        parse.redis,
        "redis://… that all servers of one database share. Set it when there is more than one: "
        "they need the same CRISISBRIDGE_SECRET and database too.",
        default=None,
    )
    kek_file: Path | None = _setting(
        parse.path,
        "File with the key that encrypts the record. Keep a copy elsewhere: without it the "
        "clinical record cannot be read.",
        default=None,
        shown="records.key in the data folder",
    )
    kek: Sensitive[str] | None = _setting(
        parse.keys,
        "The key itself instead of a file: 64 hexadecimal digits; several with commas between, the "
        "newest last.",
        default=None,
    )
    kek_command: tuple[str, ...] = _setting(
        parse.command,
        "A program with its arguments that prints the key, as of a key management service, instead "
        "of a file. No shell is between.",
        default=(),
    )
    kek_command_seconds: float = _setting(
        parse.number(1, 60), "Seconds that this program may take.", default=10.0
    )
    demo: bool = _setting(
        parse.flag,
        "Sample people with a known password. Refused on a public address.",
        default=False,
    )
    media_addresses: tuple[str, ...] = _setting(
        parse.addresses,
        "Addresses of this machine for sound and picture (UDP).",
        default=(),
        shown="all addresses of this machine",
    )
    media_port: int = _setting(
        parse.port, "The one UDP port for sound and picture; 0 takes any.", default=9443
    )
    media_calls: int = _setting(
        parse.whole(1, 10_000),
        "Sessions with sound and picture at once, in each process; one more is told to phone.",
        default=200,
    )
    media_processes: int = _setting(
        parse.whole(0, 64),
        "Processes for sound and picture, each on a core and a UDP port of its own, counted from "
        "the media port; 0: within the server's process.",
        default=0,
    )
    media_public_addresses: tuple[str, ...] = _setting(
        parse.addresses,
        "Public address of each media address, in the same order, where a router translates.",
        default=(),
    )
    turn_urls: tuple[str, ...] = _setting(
        parse.turn, "turn: and turns: addresses of the relay, separated by commas.", default=()
    )
    turn_secret: Sensitive[str] | None = _setting(
        parse.secret, "Shared with the relay (coturn: static-auth-secret).", default=None
    )
    cookie_secure: bool | None = _setting(
        parse.flag,
        "Send cookies over TLS only.",
        default=None,
        shown="true when every public origin is https",
    )
    login_hours: float = _setting(
        parse.number(0.25, 12),
        "Hours after which somebody proves again who they are. A running call is never ended.",
        default=12.0,
    )
    second_factor: frozenset[str] | None = _setting(
        parse.roles,
        "Roles that sign in with a passkey, or with a password and a code, separated by commas; "
        "none: a password is enough for all who have set up nothing else.",
        default=None,
        shown="clinician, supervisor, manager, admin; in the demo none",
    )
    single_sign_on: tuple[Issuer, ...] = _setting(
        sso_file.read,
        "File (TOML) that describes the directories by which people sign in (OpenID Connect), and "
        "what their groups may do.",
        default=(),
    )
    passkey_domain: str | None = _setting(
        parse.host,
        "Name that passkeys are bound to: the host that people open, or a domain above it. "
        "With another one all passkeys must be set up anew.",
        default=None,
        shown="the host that a page was opened at",
    )
    idle_minutes: float | None = _setting(
        parse.number(1, 30),
        "Minutes without anybody at a page until it is covered. A call is never covered.",
        default=None,
        shown="15; in the demo never",
    )
    tablet_key_by_code: bool = _setting(
        parse.flag,
        "A tablet's device gets its key by a set-up code alone. Otherwise a tablet without one "
        "binds it at its next connection, and renews a lost one by an officer's PIN.",
        default=False,
    )
    tls_cert: Path | None = _setting(
        parse.path, "Certificate file (PEM), when no proxy ends TLS.", default=None
    )
    tls_key: Path | None = _setting(parse.path, "Key file (PEM) of the certificate.", default=None)
    trust_proxy: bool = _setting(
        parse.flag,
        "A proxy in front ends TLS and sets X-Forwarded-For and X-Forwarded-Proto.",
        default=False,
    )
    admin_listen: tuple[str, int] | None = _setting(
        parse.listen,
        "A second address, for the admin network: host:port. Health, numbers and the pages that "
        "only administrators have are served there and nowhere else.",
        default=None,
        shown="unset: everything on the one address",
    )
    admin_origins: tuple[str, ...] = _setting(
        parse.origins,
        "Addresses at which administrators open the admin network's pages, separated by commas.",
        default=(),
        shown="the address of CRISISBRIDGE_ADMIN_LISTEN",
    )
    max_connections: int = _setting(
        parse.whole(50, 1_000_000),
        "Connections at once, in all; more are closed at once.",
        default=10_000,
    )
    max_connections_per_address: int = _setting(
        parse.whole(10, 1_000_000),
        "Connections at once from one address; behind a proxy, requests and WebSockets at once. A "
        "department may share one address.",
        default=2_000,
    )
    ring_seconds: float = _setting(
        parse.number(5, 120), "Seconds that a clinician has to answer an offer.", default=20.0
    )
    page_seconds: float = _setting(
        parse.number(0, 600),
        "Age of a waiting session when people on call whose console does not ring are paged.",
        default=15.0,
    )
    second_tier_seconds: float = _setting(
        parse.number(5, 600), "Age of a waiting session when the second tier joins.", default=30.0
    )
    nobody_seconds: float = _setting(
        parse.number(10, 600),
        "Age when the tablet shows the plan for nobody, and how often it is repeated.",
        default=60.0,
    )
    partner_seconds: float = _setting(
        parse.number(10, 1800),
        "Age when the phone and the partner service are offered.",
        default=120.0,
    )
    vapid_file: Path | None = _setting(
        parse.path,
        "Key by which push services know this server; made at the first start. All servers of one "
        "database use the same. Without it every browser must be added anew.",
        default=None,
        shown="vapid.key in the data folder",
    )
    push_contact: str | None = _setting(
        parse.contact,
        "Where a push service can reach you: mailto: or https: address.",
        default=None,
        shown="mailto:crisisbridge@ the first public host",
    )
    push_services: tuple[str, ...] = _setting(
        parse.items,
        "Hosts of push services that may be used, with all hosts below them.",
        default=PUSH_SERVICES,
        shown=", ".join(PUSH_SERVICES),
    )
    email_gateway: Sensitive[str] | None = _setting(
        parse.gateway,
        "Apprise address that sends e-mail, with {to}: mailtos://user:password@host?to={to}.",
        default=None,
    )
    sms_gateway: Sensitive[str] | None = _setting(
        parse.gateway,
        "Apprise address that sends SMS, with {to}: twilio://sid:token@from/{to}.",
        default=None,
    )
    voice_gateway: Sensitive[str] | None = _setting(
        parse.gateway,
        "Apprise address that calls and speaks, with {to}: twilio://sid:token@from/{to}?method=call.",
        default=None,
    )
    chat_services: tuple[str, ...] = _setting(
        parse.items,
        "Kinds of Apprise address that people may add for themselves.",
        default=CHAT_SERVICES,
        shown=", ".join(CHAT_SERVICES),
    )
    webhook_networks: tuple[str, ...] = _setting(
        parse.networks,
        "Networks that webhooks may reach beside the open internet, as in 10.20.0.0/16, separated "
        "by commas. Everything else inside is refused.",
        default=(),
    )
    drain_seconds: float = _setting(
        parse.number(0, 600),
        "Seconds that a stopping server gives its pages to say goodbye.",
        default=3,
    )
    log_json: bool = _setting(
        parse.flag, "Logs as JSON lines; otherwise as key=value lines.", default=False
    )
    log_level: str = _setting(parse.level, "debug, info, warning or error.", default="INFO")

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may talk to the server."""
        return self.public_origins or (
            parse.origin(f"{self.scheme}://{parse.in_url(self.host)}:{self.port}"),
        )

    @property
    def second_factor_roles(self) -> frozenset[str]:
        """Who needs more than a password. The demo's password is known to all who see it anyway."""
        if self.second_factor is not None:
            return self.second_factor
        return frozenset() if self.demo else frozenset(parse.SIGN_IN_ROLES)

    @property
    def idle_seconds(self) -> float:
        """Seconds until the pages of somebody who is not seen are covered; 0: never."""
        if self.idle_minutes is not None:
            return self.idle_minutes * 60
        return 0.0 if self.demo else IDLE_SECONDS

    @property
    def inside(self) -> Settings:
        """The settings as the admin network's address has them; the same ones without it."""
        if self.admin_listen is None:
            return self
        host, port = self.admin_listen
        return replace(self, host=host, port=port, public_origins=self.admin_origins)

    @property
    def scheme(self) -> str:
        return "https" if self.tls_cert else "http"

    @property
    def secure_cookies(self) -> bool:
        """`cookie_secure`, or whether every origin is https."""
        if self.cookie_secure is not None:
            return self.cookie_secure
        return all(origin.startswith("https:") for origin in self.origins)

    @property
    def database(self) -> str:
        """The database's URL. May hold a password: never log it."""
        if self.database_url is not None:
            return self.database_url.reveal()
        return f"sqlite:///{(self.data_dir / 'crisisbridge.db').resolve()}"

    @property
    def key_file(self) -> Path:
        """Where the key that encrypts the record is."""
        return self.kek_file or self.data_dir / "records.key"

    @property
    def checkpoints_file(self) -> Path:
        """Where signed heads of the audit trail are kept beside the database."""
        return self.key_file.with_name("audit-checkpoints.jsonl")

    @property
    def head_file(self) -> Path:
        """Where the newest head of the audit trail is noted, second by second."""
        return self.key_file.with_name("audit-head.json")

    @property
    def vapid_key_file(self) -> Path:
        """Where the key for Web Push is."""
        return self.vapid_file or self.data_dir / "vapid.key"

    @property
    def public(self) -> bool:
        """Whether somebody on another machine can reach the web server, be it by a proxy."""
        elsewhere = (urlsplit(origin).hostname or "" for origin in self.public_origins)
        return (
            self.trust_proxy
            or not is_loopback(self.host)
            or not all(is_loopback(host) for host in elsewhere)
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


# --- reading --------------------------------------------------------------------------------------


def load(
    environ: Mapping[str, str],
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Settings from a TOML file, then the environment, then the command line: the last one wins.

    Raises SettingsError with every problem at once.
    """
    problems: list[str] = []
    named = environ.get(CONFIG)
    given = _from_file(file or (Path(named) if named else None), problems)
    given |= _from_environment(environ, problems)
    values: dict[str, Any] = {}
    for one in fields(Settings):
        if one.name not in given:
            continue
        label, raw = given[one.name]
        try:
            values[one.name] = one.metadata["parse"](raw)
        except ValueError as error:
            problems.append(f"{label} {error}.")
    values |= overrides or {}
    broken = {problem.split(" ", 1)[0] for problem in problems}
    for one in fields(Settings):
        env = PREFIX + one.name.upper()
        if one.default is MISSING and one.name not in values and not {env, one.name} & broken:
            problems.append(f"{env} is required: {one.metadata['help']}")
    problems += _conflicts(values)
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def _from_environment(
    environ: Mapping[str, str], problems: list[str]
) -> dict[str, tuple[str, str]]:
    known = {PREFIX + one.name.upper(): one.name for one in fields(Settings)}
    given = {}
    for name, raw in environ.items():
        if not name.startswith(PREFIX) or name == CONFIG:
            continue
        if name not in known:
            problems.append(f"{name} is not a setting.")
        elif raw != "":  # an empty variable is an unset one, as in compose files
            given[known[name]] = (name, raw)
    return given


def _from_file(path: Path | None, problems: list[str]) -> dict[str, tuple[str, str]]:
    if path is None:
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        problems.append("The configuration file cannot be read.")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        problems.append("The configuration file is not valid TOML.")
        return {}
    known = {one.name for one in fields(Settings)}
    given = {}
    for name, value in table.items():
        if name not in known:
            problems.append(f"{name} (in the configuration file) is not a setting.")
        elif (text := _as_text(value)) is None:
            problems.append(f"{name} must be a text, a number, true or false, or a list of texts.")
        else:
            given[name] = (name, text)
    return given


def _as_text(value: object) -> str | None:
    """A TOML value as the environment would write it; None for what no setting can be."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(value) if all(isinstance(item, str) for item in value) else None
    return str(value) if isinstance(value, str | int | float) else None


def _conflicts(values: Mapping[str, Any]) -> list[str]:
    """What single fields cannot see."""
    problems = []
    if bool(values.get("tls_cert")) != bool(values.get("tls_key")):
        problems.append(f"{PREFIX}TLS_CERT and {PREFIX}TLS_KEY belong together: set both or none.")
    if sum(bool(values.get(name)) for name in ("kek", "kek_file", "kek_command")) > 1:
        problems.append(
            f"{PREFIX}KEK, {PREFIX}KEK_FILE and {PREFIX}KEK_COMMAND exclude each other: set one."
        )
    if bool(values.get("turn_urls")) != bool(values.get("turn_secret")):
        problems.append(
            f"{PREFIX}TURN_URLS and {PREFIX}TURN_SECRET belong together: set both or none."
        )
    translated, own = values.get("media_public_addresses"), values.get("media_addresses", ())
    if translated and len(translated) != len(own):
        problems.append(
            f"{PREFIX}MEDIA_PUBLIC_ADDRESSES needs one address for each of {PREFIX}MEDIA_ADDRESSES."
        )
    ages = [
        values.get(name, default)
        for name, default in (
            ("second_tier_seconds", 30.0),
            ("nobody_seconds", 60.0),
            ("partner_seconds", 120.0),
        )
    ]
    if ages != sorted(ages):
        problems.append(
            f"{PREFIX}SECOND_TIER_SECONDS, {PREFIX}NOBODY_SECONDS and {PREFIX}PARTNER_SECONDS "
            "must follow each other in time."
        )
    return problems


def unfit_to_serve(settings: Settings) -> list[str]:
    """Why `serve` must not start with these settings; empty when it may."""
    problems = []
    if settings.demo:
        problems.append(
            f"{PREFIX}DEMO is for `crisisbridge demo`: its password is known to all who see it."
        )
    problems += _unfit_inside(settings)
    if any(not one.url.startswith("https:") for one in settings.single_sign_on):
        problems.append(f"{PREFIX}SINGLE_SIGN_ON: every issuer must be https.")
    if not settings.public:
        return problems
    if settings.tls_cert is None and not settings.trust_proxy:
        problems.append(
            f"On a public address TLS is needed: set {PREFIX}TLS_CERT and {PREFIX}TLS_KEY, or put "
            f"a proxy in front and set {PREFIX}TRUST_PROXY=true."
        )
    if not settings.public_origins:
        problems.append(f"{PREFIX}PUBLIC_ORIGINS is required on a public address.")
    if any(not origin.startswith("https:") for origin in settings.public_origins):
        problems.append(
            f"{PREFIX}PUBLIC_ORIGINS must be https: browsers give no camera to other pages."
        )
    if settings.public_origins and not settings.secure_cookies:
        problems.append(f"{PREFIX}COOKIE_SECURE must not be false on a public address.")
    return problems


def _unfit_inside(settings: Settings) -> list[str]:
    """The same for the admin network: people sign in there too."""
    if settings.admin_listen is None:
        return []
    problems = []
    inside = settings.inside
    if settings.admin_listen == (settings.host, settings.port):
        problems.append(f"{PREFIX}ADMIN_LISTEN must be another address than the pages have.")
    if inside.public and settings.tls_cert is None and not settings.trust_proxy:
        problems.append(
            f"{PREFIX}ADMIN_LISTEN beyond this machine needs TLS: set {PREFIX}TLS_CERT and "
            f"{PREFIX}TLS_KEY, or put a proxy in front and set {PREFIX}TRUST_PROXY=true."
        )
    plain = (origin for origin in settings.admin_origins if not origin.startswith("https:"))
    if any(not is_loopback(urlsplit(origin).hostname or "") for origin in plain):
        problems.append(f"{PREFIX}ADMIN_ORIGINS must be https beyond this machine.")
    return problems


def describe() -> list[Described]:
    """Every setting, in order, for the documentation and `--help`."""
    return [
        Described(
            name=one.name,
            env=PREFIX + one.name.upper(),
            default=one.metadata["shown"],
            help=one.metadata["help"],
        )
        for one in fields(Settings)
    ]


def with_changes(settings: Settings, **changes: object) -> Settings:
    """The same settings but for `changes`; for the demo and for tests."""
    return replace(settings, **changes)  # type: ignore[arg-type]

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
CONFIG = PREFIX + "CONFIG"  # names the TOML file; not a setting itself
SHORTEST_SECRET = 32


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


# --- parsers: text in, value out, ValueError with a sentence that says what is expected -----------


def _text(raw: str) -> str:
    if not raw.strip():
        raise ValueError("must not be empty")
    return raw.strip()


def _flag(raw: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True}
    known |= {"0": False, "false": False, "no": False, "off": False}
    if raw.strip().lower() not in known:
        raise ValueError("must be true or false")
    return known[raw.strip().lower()]


def _port(raw: str) -> int:
    if not raw.strip().isascii() or not raw.strip().isdigit() or int(raw) > 65535:
        raise ValueError("must be a port number from 0 to 65535")
    return int(raw)


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(raw: str) -> float:
        wanted = f"must be a number from {low:g} to {high:g}"
        try:
            value = float(raw)
        except ValueError:
            raise ValueError(wanted) from None
        if not low <= value <= high:
            raise ValueError(wanted)
        return value

    return parse


def _path(raw: str) -> Path:
    return Path(_text(raw)).expanduser()


def _items(raw: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in raw.split(",") if item.strip())


def _origin(item: str) -> str:
    wanted = "must be origins such as https://bridge.example.org, without a path"
    try:
        parts = urlsplit(item)
        number = parts.port  # its own error would repeat what was typed
    except ValueError:
        raise ValueError(wanted) from None
    extra = parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username
    if parts.scheme not in {"http", "https"} or not parts.hostname or extra:
        raise ValueError(wanted)
    default = {"http": 80, "https": 443}[parts.scheme]
    port = "" if number in {None, default} else f":{number}"
    return f"{parts.scheme}://{_in_url(parts.hostname)}{port}"


def _origins(raw: str) -> tuple[str, ...]:
    return tuple(_origin(item) for item in _items(raw))


def _addresses(raw: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_address(item)) for item in _items(raw))
    except ValueError:
        raise ValueError("must be IP addresses, separated by commas") from None


def _database(raw: str) -> Sensitive[str]:
    scheme, separator, rest = _text(raw).partition("://")
    if scheme not in {"sqlite", "postgresql"} or not separator or not rest:
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return Sensitive(raw.strip())


def _redis(raw: str) -> Sensitive[str]:
    if urlsplit(_text(raw)).scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return Sensitive(raw.strip())


def _secret(raw: str) -> Sensitive[str]:
    if len(raw.strip()) < SHORTEST_SECRET or len(set(raw.strip())) < 10:
        raise ValueError(f"must be a random text of at least {SHORTEST_SECRET} characters")
    return Sensitive(raw.strip())


def _turn(raw: str) -> tuple[str, ...]:
    urls = _items(raw)
    if any(url.partition(":")[0] not in {"turn", "turns"} or len(url) < 7 for url in urls):
        raise ValueError("must be turn: or turns: addresses, separated by commas")
    return urls


def _level(raw: str) -> str:
    if raw.strip().upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("must be debug, info, warning or error")
    return raw.strip().upper()


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
        _secret, "Signs sign-ins and form tokens; a random text of 32 characters or more."
    )
    host: str = _setting(_text, "Address that the web server listens on.", default="127.0.0.1")
    port: int = _setting(_port, "TCP port of the web server.", default=8080)
    public_origins: tuple[str, ...] = _setting(
        _origins,
        "Addresses people open, as in https://bridge.example.org, separated by commas. "
        "Pages from elsewhere may not talk to the server.",
        default=(),
        shown="http://HOST:PORT on this machine only",
    )
    data_dir: Path = _setting(
        _path, "Folder for the embedded database and the key file.", default=Path("data")
    )
    database_url: Sensitive[str] | None = _setting(
        _database,
        "sqlite:////path/file.db or postgresql://user:password@host/name.",
        default=None,
        shown="crisisbridge.db in the data folder",
    )
    redis_url: Sensitive[str] | None = _setting(
        _redis,
        "redis://… for the live state when there is more than one server. Not used yet.",
        default=None,
    )
    kek_file: Path | None = _setting(
        _path,
        "File with the key that encrypts the record. Keep a copy elsewhere: without it the "
        "clinical record cannot be read.",
        default=None,
        shown="records.key in the data folder",
    )
    demo: bool = _setting(
        _flag, "Sample people with a known password. Refused on a public address.", default=False
    )
    media_addresses: tuple[str, ...] = _setting(
        _addresses,
        "Addresses of this machine for sound and picture (UDP).",
        default=(),
        shown="all addresses of this machine",
    )
    media_port: int = _setting(
        _port, "The one UDP port for sound and picture; 0 takes any.", default=9443
    )
    media_public_addresses: tuple[str, ...] = _setting(
        _addresses,
        "Public address of each media address, in the same order, where a router translates.",
        default=(),
    )
    turn_urls: tuple[str, ...] = _setting(
        _turn, "turn: and turns: addresses of the relay, separated by commas.", default=()
    )
    turn_secret: Sensitive[str] | None = _setting(
        _secret, "Shared with the relay (coturn: static-auth-secret).", default=None
    )
    cookie_secure: bool | None = _setting(
        _flag,
        "Send cookies over TLS only.",
        default=None,
        shown="true when every public origin is https",
    )
    login_hours: float = _setting(_number(0.25, 24), "Hours that a sign-in lasts.", default=12.0)
    tls_cert: Path | None = _setting(
        _path, "Certificate file (PEM), when no proxy ends TLS.", default=None
    )
    tls_key: Path | None = _setting(_path, "Key file (PEM) of the certificate.", default=None)
    trust_proxy: bool = _setting(
        _flag,
        "A proxy in front ends TLS and sets X-Forwarded-For and X-Forwarded-Proto.",
        default=False,
    )
    ring_seconds: float = _setting(
        _number(5, 120), "Seconds that a clinician has to answer an offer.", default=20.0
    )
    second_tier_seconds: float = _setting(
        _number(5, 600), "Age of a waiting session when the second tier joins.", default=30.0
    )
    nobody_seconds: float = _setting(
        _number(10, 600),
        "Age when the tablet shows the plan for nobody, and how often it is repeated.",
        default=60.0,
    )
    partner_seconds: float = _setting(
        _number(10, 1800), "Age when the phone and the partner service are offered.", default=120.0
    )
    drain_seconds: float = _setting(
        _number(0, 600), "Seconds that a stopping server gives its pages to say goodbye.", default=3
    )
    log_json: bool = _setting(
        _flag, "Logs as JSON lines; otherwise as key=value lines.", default=False
    )
    log_level: str = _setting(_level, "debug, info, warning or error.", default="INFO")

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may talk to the server."""
        return self.public_origins or (
            _origin(f"{self.scheme}://{_in_url(self.host)}:{self.port}"),
        )

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


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


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

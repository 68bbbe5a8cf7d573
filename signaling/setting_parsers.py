"""Parsers of settings: text in, value out, or a ValueError that says what is expected."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from auth.actors import ROLES
from media import TurnUrl
from records import kek
from records.errors import KeyWrong
from signaling.sensitive import Sensitive

SHORTEST_SECRET = 32
SIGN_IN_ROLES = tuple(role for role in ROLES if role != "officer")  # an officer has a PIN
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.(?!-)[a-z0-9-]{1,63})*")


def text(raw: str) -> str:
    if not raw.strip():
        raise ValueError("must not be empty")
    return raw.strip()


def keys(raw: str) -> Sensitive[str]:
    try:
        kek.parse(raw)
    except KeyWrong:
        raise ValueError(
            "must be a key of 64 hexadecimal digits, or several with commas between"
        ) from None
    return Sensitive(raw)


def command(raw: str) -> tuple[str, ...]:
    try:
        argv = tuple(shlex.split(raw))
    except ValueError:
        argv = ()
    if not argv or not Path(argv[0]).is_absolute():
        raise ValueError("must be a program's full path with its arguments")
    return argv


def flag(raw: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True}
    known |= {"0": False, "false": False, "no": False, "off": False}
    if raw.strip().lower() not in known:
        raise ValueError("must be true or false")
    return known[raw.strip().lower()]


def port(raw: str) -> int:
    if not raw.strip().isascii() or not raw.strip().isdigit() or int(raw) > 65535:
        raise ValueError("must be a port number from 0 to 65535")
    return int(raw)


def listen(raw: str) -> tuple[str, int]:
    wanted = "must be an address with a port, as in 10.0.0.5:9090 or [::1]:9090"
    host, _, number = text(raw).rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not bare or (":" in bare) != host.startswith("["):
        raise ValueError(wanted)
    try:
        return bare, port(number)
    except ValueError:
        raise ValueError(wanted) from None


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if not raw.strip().isascii() or not raw.strip().isdigit() or not low <= int(raw) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(raw)

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
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


def path(raw: str) -> Path:
    return Path(text(raw)).expanduser()


def items(raw: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in raw.split(",") if item.strip())


def roles(raw: str) -> frozenset[str]:
    named = items(raw)
    if named == ("none",):
        return frozenset()
    if not named or not set(named) <= set(SIGN_IN_ROLES):
        raise ValueError(f"must be none, or some of {', '.join(SIGN_IN_ROLES)}")
    return frozenset(named)


def host(raw: str) -> str:
    name = raw.strip().lower()
    if not _HOST.fullmatch(name) or name.replace(".", "").isdigit():
        raise ValueError("must be the name of a host, without scheme and port")
    return name


def origin(item: str) -> str:
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
    return f"{parts.scheme}://{in_url(parts.hostname)}{port}"


def origins(raw: str) -> tuple[str, ...]:
    return tuple(origin(item) for item in items(raw))


def addresses(raw: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_address(item)) for item in items(raw))
    except ValueError:
        raise ValueError("must be IP addresses, separated by commas") from None


def networks(raw: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(item)) for item in items(raw))
    except ValueError:
        raise ValueError("must be networks such as 10.20.0.0/16, separated by commas") from None


def database(raw: str) -> Sensitive[str]:
    scheme, separator, rest = text(raw).partition("://")
    if scheme not in {"sqlite", "postgresql"} or not separator or not rest:
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return Sensitive(raw.strip())


def redis(raw: str) -> Sensitive[str]:
    if urlsplit(text(raw)).scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return Sensitive(raw.strip())


def secret(raw: str) -> Sensitive[str]:
    if len(raw.strip()) < SHORTEST_SECRET or len(set(raw.strip())) < 10:
        raise ValueError(f"must be a random text of at least {SHORTEST_SECRET} characters")
    return Sensitive(raw.strip())


def turn(raw: str) -> tuple[str, ...]:
    urls = items(raw)
    try:
        for url in urls:
            TurnUrl.parse(url)
    except ValueError:
        raise ValueError(
            "must be turn: or turns: addresses (turn:host:3478?transport=tcp), separated by commas"
        ) from None
    return urls


def level(raw: str) -> str:
    if raw.strip().upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("must be debug, info, warning or error")
    return raw.strip().upper()


def gateway(raw: str) -> Sensitive[str]:
    if "://" not in text(raw) or "{to}" not in raw:
        raise ValueError("must be an Apprise address with {to} where the number or address goes")
    return Sensitive(raw.strip())


def contact(raw: str) -> str:
    if not text(raw).startswith(("mailto:", "https://")):
        raise ValueError("must begin with mailto: or https://")
    return raw.strip()


def in_url(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host

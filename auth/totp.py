"""One-time codes by the clock (RFC 6238: SHA-1, six digits, 30 seconds), as every app makes them.

Pure. Fifteen lines on `hmac` in the place of a library, because what matters here is which step a
code belongs to: a step that was used is never taken again, so each code is worth one sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote, urlencode

SECRET_BYTES = 20  # as long as the hash (RFC 4226, 4)
STEP_SECONDS = 30
DIGITS = 6
DRIFT = 1  # steps that the phone's clock may be off, to either side


def code_at(secret: bytes, step: int) -> str:
    """The code of one step (RFC 4226, 5.3)."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    start = mac[-1] & 15
    number = int.from_bytes(mac[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: bytes, typed: str, now: float, last: int = -1) -> int | None:
    """The step whose code this is, near `now` and after the `last` one used; None when it is none.

    Every step of the window is compared, each in constant time: how long it takes tells nothing.
    """
    here, found = int(now // STEP_SECONDS), None
    for step in range(here - DRIFT, here + DRIFT + 1):
        same = hmac.compare_digest(code_at(secret, max(0, step)).encode(), typed.encode())
        if same and step > last:
            found = step
    return found


def normal(typed: str) -> str | None:
    """What was typed as six digits; None when it cannot be a code."""
    code = "".join(typed[:32].split()).replace("-", "")
    return code if len(code) == DIGITS and code.isascii() and code.isdecimal() else None


def spelled(secret: bytes) -> str:
    """The secret as it is typed into an app, in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def address(secret: bytes, account: str) -> str:
    """The otpauth: address that the QR code holds."""
    query = urlencode(
        {"secret": base64.b32encode(secret).decode().rstrip("="), "issuer": "CrisisBridge"}
    )
    return f"otpauth://totp/CrisisBridge:{quote(account)}?{query}"

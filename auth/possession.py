"""The proof that a device holds a tablet's key: what is signed, and how it is checked. Pure.

The browser makes the key pair and cannot give its private half out (WebCrypto, not extractable), so
that a copied cookie is worth nothing without the device. What is signed names the tablet's present
enrolment, what it is for, and a challenge that is used once: a signature for one thing is worth
nothing for another.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from auth.errors import BadKey

SOCKET = "socket"  # what a connection's proof is for; a request's is its method and address
_TITLE = "crisisbridge tablet proof 1"
_POINT_BYTES = 65  # an uncompressed point of P-256
_NUMBER_BYTES = 32


def signed_text(purpose: str, subject: str, stream: str, nonce: str) -> str:
    """What the device signs. `subject`: the enrolment; `stream`: the page's, or nothing."""
    return "\n".join((_TITLE, purpose, subject, stream, nonce))


def check_key(key: str) -> None:
    """Raises BadKey unless this is a public key of P-256, as a browser exports it (raw)."""
    _public(key)


def proves(key: str, signature: str, text: str) -> bool:
    """Whether the holder of this key signed this text (r and s, as WebCrypto writes them)."""
    raw = decoded(signature)
    if raw is None or len(raw) != 2 * _NUMBER_BYTES:
        return False
    r, s = (int.from_bytes(half, "big") for half in (raw[:_NUMBER_BYTES], raw[_NUMBER_BYTES:]))
    try:
        _public(key).verify(encode_dss_signature(r, s), text.encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def decoded(text: str) -> bytes | None:
    """base64url without padding; None for anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _public(key: str) -> ec.EllipticCurvePublicKey:
    raw = decoded(key)
    if raw is None or len(raw) != _POINT_BYTES:
        raise BadKey
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError as error:  # not a point of the curve
        raise BadKey from error

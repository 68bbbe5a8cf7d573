"""A tablet's browser without a browser: it makes a key pair and signs, as WebCrypto does."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auth.possession import SOCKET, signed_text


class Device:
    """One browser with its key."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())

    @property
    def key(self) -> str:
        """The public half, as it is sent."""
        return _text(
            self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        )

    def sign(self, purpose: str, subject: str, nonce: str, stream: str = "") -> str:
        text = signed_text(purpose, subject, stream, nonce)
        r, s = decode_dss_signature(self._private.sign(text.encode(), ec.ECDSA(SHA256())))
        return _text(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def answer(self, challenge: dict[str, object], stream: str) -> dict[str, str]:
        """The `proof` to a connection's `challenge`."""
        signature = self.sign(SOCKET, str(challenge["subject"]), str(challenge["nonce"]), stream)
        return {"type": "proof", "signature": signature} | (
            {"key": self.key} if challenge["bind"] else {}
        )


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

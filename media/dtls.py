"""DTLS as the passive side, and the SRTP keys that come out of it. The cryptography is OpenSSL's.

RFC 5763, RFC 5764. One certificate per process; the browser's must match its description.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiortc import RTCCertificate
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from pylibsrtp import Policy

from media.srtp import Direction

MTU = 1200  # of one DTLS datagram: VPNs and tunnels take their share
REPLAY_WINDOW = 1024


@dataclass(frozen=True, slots=True)
class _Profile:
    openssl: bytes
    libsrtp: int
    key: int
    salt: int


_PROFILES = (
    _Profile(b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    _Profile(b"SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
    _Profile(b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
)
_DIGESTS = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}


class HandshakeFailed(Exception):
    """The browser's certificate is not the described one, or no keys could be agreed."""


class Identity:
    """This process's certificate and TLS settings, shared by all legs."""

    def __init__(self) -> None:
        certificate = RTCCertificate.generateCertificate()
        digests = {f.algorithm: f.value for f in certificate.getFingerprints()}
        self.fingerprint = digests["sha-256"]
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET)
        # Any certificate is taken here: it is self-signed, and checked against the description.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_parts: True)
        context.use_certificate(certificate._cert)
        context.use_privatekey(certificate._key)
        context.set_cipher_list(
            b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
            b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA"
        )
        context.set_tlsext_use_srtp(b":".join(profile.openssl for profile in _PROFILES))
        self.context = context


@dataclass(frozen=True, slots=True)
class SrtpPair:
    """The agreed sessions: what the browser sends, and what we send."""

    inbound: Direction
    outbound: Direction


class DtlsServer:
    """One leg's handshake over a memory buffer: datagrams in, datagrams out."""

    def __init__(self, identity: Identity, fingerprints: Sequence[tuple[str, str]]) -> None:
        self._connection = SSL.Connection(identity.context)
        self._connection.set_accept_state()
        self._connection.set_ciphertext_mtu(MTU)
        self._fingerprints = tuple(fingerprints)
        self.srtp: SrtpPair | None = None
        self.closed = False

    def receive(self, data: bytes) -> list[bytes]:
        """Take a datagram; the datagrams to answer with. Raises HandshakeFailed."""
        self._connection.bio_write(data)
        if self.srtp is None:
            self._shake()
        else:
            self._drain()
        return list(self._pending())

    def timeout(self) -> float | None:
        """Seconds until the last flight should be sent again; None when nothing is due."""
        if self.srtp is not None:
            return None
        left: float | None = self._connection.DTLSv1_get_timeout()
        return left

    def retransmit(self) -> list[bytes]:
        """Send the last flight again, if it is due. Raises HandshakeFailed."""
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            raise HandshakeFailed from error
        return list(self._pending())

    def _shake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            raise HandshakeFailed from error
        self._check_certificate()
        self.srtp = self._keys()

    def _drain(self) -> None:
        """After the handshake only alerts and repeated flights come."""
        try:
            self._connection.recv(2048)
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error:
            return

    def _check_certificate(self) -> None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            raise HandshakeFailed
        der = certificate.public_bytes(Encoding.DER)
        known = [(a, v) for a, v in self._fingerprints if a in _DIGESTS]
        if not any(
            _DIGESTS[algorithm](der).hexdigest() == value.replace(":", "").lower()
            for algorithm, value in known
        ):
            raise HandshakeFailed

    def _keys(self) -> SrtpPair:
        chosen = self._connection.get_selected_srtp_profile()
        profile = next((p for p in _PROFILES if p.openssl == chosen), None)
        if profile is None:
            raise HandshakeFailed
        size = profile.key + profile.salt
        material = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * size)
        keys, salts = material[: 2 * profile.key], material[2 * profile.key :]

        def session(side: int, direction: int) -> Direction:
            key = keys[side * profile.key : (side + 1) * profile.key]
            salt = salts[side * profile.salt : (side + 1) * profile.salt]
            policy = Policy(key=key + salt, ssrc_type=direction, srtp_profile=profile.libsrtp)
            policy.allow_repeat_tx = True
            policy.window_size = REPLAY_WINDOW
            return Direction(policy)

        return SrtpPair(
            inbound=session(0, Policy.SSRC_ANY_INBOUND),
            outbound=session(1, Policy.SSRC_ANY_OUTBOUND),
        )

    def _pending(self) -> Iterator[bytes]:
        """What OpenSSL wants sent, cut at record boundaries into datagrams."""
        waiting = bytearray()
        while True:
            try:
                waiting += self._connection.bio_read(65536)
            except SSL.Error:
                break
        datagram = bytearray()
        position = 0
        while position + 13 <= len(waiting):
            size = 13 + int.from_bytes(waiting[position + 11 : position + 13], "big")
            record = waiting[position : position + size]
            if datagram and len(datagram) + len(record) > MTU:
                yield bytes(datagram)
                datagram.clear()
            datagram += record
            position += size
        if datagram:
            yield bytes(datagram)

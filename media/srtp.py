"""One direction of a leg's SRTP: libsrtp on one buffer of this process, nothing made per packet.

pylibsrtp's own methods allocate a length and check types for each packet, which costs as much as
the cryptography. The bridge is one thread, so all its sessions can work in the same buffer.
"""

from __future__ import annotations

from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib

LONGEST = 1500  # bytes, sealed
TRAILER = 144  # libsrtp's SRTP_MAX_TRAILER_LEN: what sealing may add
SRTCP_TRAILER = 148

_place = ffi.new("char[]", LONGEST)
_buffer = ffi.buffer(_place)
_length = ffi.new("int *")
_protect, _unprotect = lib.srtp_protect, lib.srtp_unprotect


class Direction:
    """What one side sends: bytes in, bytes out. Error says that a packet is refused."""

    __slots__ = ("_pointer", "_session")

    def __init__(self, policy: Policy) -> None:
        self._session = Session(policy)  # keeps libsrtp's memory for as long as this lives
        self._pointer = self._session._srtp[0]

    def protect(self, packet: bytes) -> bytes:
        """Seal an RTP packet. Raises ValueError when it is too long, Error."""
        size = len(packet)
        if size > LONGEST - TRAILER:
            raise ValueError("packet is too long")
        _buffer[:size] = packet
        _length[0] = size
        if _protect(self._pointer, _place, _length):
            raise Error("An RTP packet could not be sealed.")
        return _buffer[: _length[0]]  # type: ignore[no-any-return]

    def unprotect(self, packet: bytes) -> bytes:
        """Open an SRTP packet. Raises ValueError when it is too long, Error if forged."""
        size = len(packet)
        if size > LONGEST:
            raise ValueError("packet is too long")
        _buffer[:size] = packet
        _length[0] = size
        if _unprotect(self._pointer, _place, _length):
            raise Error("An SRTP packet is not genuine, or was there before.")
        return _buffer[: _length[0]]  # type: ignore[no-any-return]

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Seal an RTCP packet. Raises ValueError, Error."""
        if len(packet) > LONGEST - SRTCP_TRAILER:
            raise ValueError("packet is too long")
        sealed: bytes = self._session.protect_rtcp(packet)
        return sealed

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Open an SRTCP packet. Raises ValueError, Error."""
        opened: bytes = self._session.unprotect_rtcp(packet)
        return opened

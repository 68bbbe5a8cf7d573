"""One direction of a leg's SRTP: libsrtp on one buffer of this process, nothing made per packet.

pylibsrtp's own methods allocate a length and check types for each packet, which costs as much as
the cryptography. The bridge is one thread, so all its sessions can work in the same buffer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib

LONGEST = 1500  # bytes, sealed
TRAILER = 144  # libsrtp's SRTP_MAX_TRAILER_LEN: what sealing may add
SRTCP_TRAILER = 148

LONGEST_TAG = 16  # of the profiles that we take: AES-GCM's

Place = Any  # in memory, as libsrtp wants it

_place = ffi.new("char[]", LONGEST)
_buffer = ffi.buffer(_place)
length = _length = ffi.new("int *")  # of what is worked on, before and after
seals, opens = _protect, _unprotect = lib.srtp_protect, lib.srtp_unprotect
_protect_rtcp, _unprotect_rtcp = lib.srtp_protect_rtcp, lib.srtp_unprotect_rtcp


def place(address: int) -> Place:
    """Where `seals` and `opens` are to work, for who has the packet in memory of their own."""
    return ffi.cast("char *", address)


class Direction:
    """What one side sends: bytes in, bytes out. Error says that a packet is refused."""

    __slots__ = ("_session", "pointer")

    def __init__(self, policy: Policy) -> None:
        self._session = Session(policy)  # keeps libsrtp's memory for as long as this lives
        self.pointer = self._session._srtp[0]

    def protect(self, packet: bytes) -> bytes:
        """Seal an RTP packet. Raises ValueError when it is too long, Error."""
        return self._worked(_protect, packet, LONGEST - TRAILER)

    def unprotect(self, packet: bytes) -> bytes:
        """Open an SRTP packet. Raises ValueError when it is too long, Error if forged or seen."""
        return self._worked(_unprotect, packet, LONGEST)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Seal an RTCP packet. Raises ValueError, Error."""
        return self._worked(_protect_rtcp, packet, LONGEST - SRTCP_TRAILER)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Open an SRTCP packet. Raises ValueError, Error."""
        return self._worked(_unprotect_rtcp, packet, LONGEST)

    def _worked(self, work: Callable[..., int], packet: bytes, longest: int) -> bytes:
        """What libsrtp makes of a packet."""
        size = len(packet)
        if size > longest:
            raise ValueError("packet is too long")
        _buffer[:size] = packet
        _length[0] = size
        status = work(self.pointer, _place, _length)
        if status:
            raise Error(f"libsrtp refuses a packet: its status is {status}.")
        return _buffer[: _length[0]]  # type: ignore[no-any-return]

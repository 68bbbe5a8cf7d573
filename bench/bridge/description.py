"""Descriptions of a synthetic browser, shaped like Chromium's, and what it reads in a server's."""

from __future__ import annotations

import re
from dataclasses import dataclass

from media.sdp import AUDIO_LEVEL, MID, SEND_TIME, TRANSPORT_SEQ

OPUS, VP8, RTX = 111, 96, 97
LEVEL_ID, TIME_ID, SEQ_ID, MID_ID = 1, 2, 3, 4
MIDS = {"audio": "0", "video": "1"}


@dataclass(frozen=True, slots=True)
class Local:
    """What a browser says of itself."""

    fragment: str
    password: str
    fingerprint: str
    address: tuple[str, int]
    ssrcs: dict[str, int]
    repair_ssrc: int


@dataclass(frozen=True, slots=True)
class Remote:
    """What it needs of the server's description."""

    fragment: str
    password: str
    address: tuple[str, int]
    setup: str  # active | passive | actpass


def write(local: Local, setup: str) -> str:
    """An offer (setup "actpass") or an answer ("active")."""
    mids = " ".join(MIDS.values())
    head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {mids}"]
    lines = [*head, *_section(local, "audio", setup), *_section(local, "video", setup)]
    return "\r\n".join(lines) + "\r\n"


def _section(local: Local, kind: str, setup: str) -> list[str]:
    formats = f"{OPUS}" if kind == "audio" else f"{VP8} {RTX}"
    ssrc, (host, port) = local.ssrcs[kind], local.address
    common = [
        f"m={kind} {port} UDP/TLS/RTP/SAVPF {formats}",
        f"c=IN IP4 {host}",
        f"a=candidate:1 1 udp 2130706431 {host} {port} typ host",
        "a=end-of-candidates",
        f"a=ice-ufrag:{local.fragment}",
        f"a=ice-pwd:{local.password}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        f"a=setup:{setup}",
        f"a=mid:{MIDS[kind]}",
        f"a=extmap:{TIME_ID} {SEND_TIME}",
        f"a=extmap:{SEQ_ID} {TRANSPORT_SEQ}",
        f"a=extmap:{MID_ID} {MID}",
        "a=sendrecv",
        f"a=msid:s {kind}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
    ]
    if kind == "audio":
        return [
            *common,
            f"a=extmap:{LEVEL_ID} {AUDIO_LEVEL}",
            f"a=rtpmap:{OPUS} opus/48000/2",
            f"a=fmtp:{OPUS} minptime=10;useinbandfec=1",
            f"a=rtcp-fb:{OPUS} transport-cc",
            f"a=ssrc:{ssrc} cname:bench",
        ]
    feedback = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
    return [
        *common,
        f"a=rtpmap:{VP8} VP8/90000",
        *(f"a=rtcp-fb:{VP8} {each}" for each in feedback),
        f"a=rtpmap:{RTX} rtx/90000",
        f"a=fmtp:{RTX} apt={VP8}",
        f"a=ssrc-group:FID {ssrc} {local.repair_ssrc}",
        f"a=ssrc:{ssrc} cname:bench",
        f"a=ssrc:{local.repair_ssrc} cname:bench",
    ]


def read(text: str, host: str) -> Remote:
    """Raises ValueError when the server's description names no way on this host's address."""

    def first(pattern: str) -> str:
        found = re.search(pattern, text, re.MULTILINE)
        if found is None:
            raise ValueError(f"{pattern} is missing in the server's description")
        return found[1].strip()

    candidates = re.findall(
        r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", text, re.MULTILINE | re.IGNORECASE
    )
    ways = [(address, int(port)) for address, port in candidates if address == host]
    if not ways:
        raise ValueError(f"the server's description does not name {host}")
    return Remote(
        first(r"^a=ice-ufrag:(\S+)"),
        first(r"^a=ice-pwd:(\S+)"),
        ways[0],
        first(r"^a=setup:(\S+)"),
    )

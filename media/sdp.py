"""Descriptions: reading a browser's offer, writing the bridge's answer (RFC 8829, 8843, 9143).

aiortc reads; we write, because our answers have one fixed shape: BUNDLE, rtcp-mux, ICE-lite,
passive DTLS, one Opus and one VP8 with its retransmission.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiortc import sdp
from aiortc.sdp import MediaDescription, SessionDescription

from media.errors import BadDescription

LONGEST = 65536
MOST_LINES = 1000  # a whole offer of every codec has some 400
MOST_OF_A_KIND = {"a=rtpmap": 64, "a=ssrc": 64, "a=ssrc-group": 16, "a=rtcp-fb": 256}  # a section

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_SEQ = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
# What one side can receive: the main sound and picture, and four further parties of each kind.
# Slot -> (kind, its number). They are offered from the start, so that nobody who comes later makes
# anybody negotiate again.
MORE = 4
MOST_SECTIONS = 2 * (MORE + 1)
SLOTS = {
    f"{kind}{number or ''}": (kind, number)
    for number in range(MORE + 1)
    for kind in ("audio", "video")
}
EXTENSIONS = {
    "audio": (MID, SEND_TIME, TRANSPORT_SEQ, AUDIO_LEVEL),
    "video": (MID, SEND_TIME, TRANSPORT_SEQ),
}
_NAME = re.compile(r"[!-~]{1,16}")  # of a section: it has to fit a one-byte extension
CODECS = {"audio": "opus", "video": "vp8"}
FEEDBACK = {
    "audio": ("transport-cc",),
    "video": ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"),
}
MIRROR = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One accepted audio or video section of an offer."""

    slot: str  # audio, video; audio1 … for further parties, which are only received
    kind: str
    mid: str
    direction: str
    payload_type: int
    clock_rate: int
    channels: int
    parameters: str  # of the codec, as written
    retransmission: int | None  # its payload type
    feedback: frozenset[str]
    extensions: Mapping[str, int]  # uri -> id
    ssrcs: tuple[int, ...]  # announced; may be empty
    retransmission_ssrcs: tuple[int, ...]

    @property
    def sends(self) -> bool:
        """Whether the browser may send here."""
        return self.direction in {"sendrecv", "sendonly"}

    @property
    def receives(self) -> bool:
        return self.direction in {"sendrecv", "recvonly"}


@dataclass(frozen=True, slots=True)
class Offered:
    """A browser's offer, as far as the bridge needs it."""

    fragment: str  # the browser's ICE name: a new one means an ICE restart
    fingerprints: tuple[tuple[str, str], ...]
    sections: Mapping[str, Section]  # by slot
    layout: tuple[tuple[str, str, str], ...] = field(default=())  # (kind, mid, formats), in order
    password: str = ""  # that goes with the name


def read(text: str) -> Offered:
    """Read an offer. Raises BadDescription for anything that cannot be answered."""
    if len(text) > LONGEST:
        raise BadDescription
    _refuse_endless(text)
    try:
        session = SessionDescription.parse(text)
    except (
        AssertionError, ValueError, KeyError, IndexError, AttributeError, TypeError, StopIteration,
        RuntimeError,
    ) as error:  # fmt: skip
        raise BadDescription from error
    if not 0 < len(session.media) <= MOST_SECTIONS:
        raise BadDescription
    bundled = session.media[0]
    if bundled.ice is None or not bundled.ice.usernameFragment or bundled.dtls is None:
        raise BadDescription
    fingerprints = tuple((f.algorithm.lower(), f.value) for f in bundled.dtls.fingerprints)
    sections: dict[str, Section] = {}
    bundle = {mid for g in session.group if g.semantic == "BUNDLE" for mid in g.items}
    for media in session.media:
        # Firefox offers bundled sections with port 0 ("bundle-only", RFC 9143 section 6)
        alive = media.port != 0 or media.rtp.muxId in bundle
        slot = _slot(media, sections) if alive else None
        section = _section(media, slot) if slot is not None else None
        if section is not None:
            sections[section.slot] = section
    if not fingerprints or not sections:
        raise BadDescription("No sound or picture that this bridge can carry is in it.")
    layout = tuple(
        (m.kind, str(m.rtp.muxId), " ".join(str(each) for each in m.fmt)) for m in session.media
    )
    password = bundled.ice.password or ""
    return Offered(bundled.ice.usernameFragment, fingerprints, sections, layout, password)


def _refuse_endless(text: str) -> None:
    """The parser's time grows with the square of some lines: 64 KiB can take it seconds."""
    seen: Counter[str] = Counter()
    lines = text.splitlines()
    for line in lines:
        if line.startswith("m="):
            seen.clear()
        name = line.partition(":")[0]
        seen[name] += 1
        if seen[name] > MOST_OF_A_KIND.get(name, MOST_LINES):
            raise BadDescription
    if len(lines) > MOST_LINES:
        raise BadDescription


def _slot(media: MediaDescription, taken: Mapping[str, Section]) -> str | None:
    """The slot of the next section: the first of its kind, or one more that only receives."""
    if media.kind not in CODECS:
        return None
    if media.kind not in taken:
        return str(media.kind)
    if media.direction != "recvonly":
        return None
    free = (f"{media.kind}{number}" for number in range(1, MORE + 1))
    return next((slot for slot in free if slot not in taken), None)


def _section(media: MediaDescription, slot: str) -> Section | None:
    if not _NAME.fullmatch(str(media.rtp.muxId)):
        return None
    wanted = CODECS[media.kind]
    codec = next((c for c in media.rtp.codecs if c.name.lower() == wanted), None)
    if codec is None or codec.payloadType is None or not media.rtcp_mux:
        return None
    repair = next(
        (
            c.payloadType
            for c in media.rtp.codecs
            if c.name.lower() == "rtx" and c.parameters.get("apt") == codec.payloadType
        ),
        None,
    )
    pairs = [g.items for g in media.ssrc_group if g.semantic == "FID" and len(g.items) == 2]
    repairs = {int(pair[1]) for pair in pairs}
    ssrcs = [description.ssrc for description in media.ssrc]
    return Section(
        slot=slot,
        kind=media.kind,
        mid=str(media.rtp.muxId),
        direction=media.direction or "sendrecv",
        payload_type=codec.payloadType,
        clock_rate=codec.clockRate or 90000,
        channels=codec.channels or 1,
        parameters=sdp.parameters_to_sdp(codec.parameters) if codec.parameters else "",
        retransmission=repair,
        feedback=frozenset(
            f"{f.type} {f.parameter}" if f.parameter else f.type for f in codec.rtcpFeedback
        ),
        extensions={
            e.uri: e.id
            for e in media.rtp.headerExtensions
            if e.uri in EXTENSIONS[media.kind] and 1 <= e.id <= 14
        },
        ssrcs=tuple(ssrc for ssrc in ssrcs if ssrc not in repairs),
        retransmission_ssrcs=tuple(ssrc for ssrc in ssrcs if ssrc in repairs),
    )


@dataclass(frozen=True, slots=True)
class Ours:
    """What the bridge says of itself in an answer."""

    fragment: str
    password: str
    fingerprint: str  # sha-256
    candidates: Sequence[tuple[str, int]]  # address, port; the best first
    ssrcs: Mapping[str, tuple[int, int]]  # slot -> (media, retransmission)
    version: int


def answer(offered: Offered, ours: Ours) -> str:
    """The bridge's answer: the offer's sections in its order, others refused."""
    taken = {section.mid: section for section in offered.sections.values()}
    mids = [mid for _kind, mid, _ in offered.layout if mid in taken]
    lines = [
        "v=0",
        f"o=- 1 {ours.version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {' '.join(mids)}",
        "a=msid-semantic: WMS *",
    ]
    for kind, mid, formats in offered.layout:
        section = taken.get(mid)
        if section is not None and section.kind == kind:
            lines += _accepted(section, ours)
        else:
            protocol = "UDP/DTLS/SCTP" if kind == "application" else "UDP/TLS/RTP/SAVPF"
            lines += [
                f"m={kind} 0 {protocol} {formats}",
                "c=IN IP4 0.0.0.0",
                "a=inactive",
                f"a=mid:{mid}",
            ]
    return "\r\n".join(lines) + "\r\n"


def _accepted(section: Section, ours: Ours) -> list[str]:
    payload, repair = section.payload_type, section.retransmission
    formats = f"{payload} {repair}" if repair is not None else f"{payload}"
    name = "opus" if section.kind == "audio" else "VP8"
    channels = f"/{section.channels}" if section.kind == "audio" else ""
    media_ssrc, repair_ssrc = ours.ssrcs[section.slot]
    lines = [
        f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {formats}",
        "c=IN IP4 0.0.0.0",
        f"a=ice-ufrag:{ours.fragment}",
        f"a=ice-pwd:{ours.password}",
        f"a=fingerprint:sha-256 {ours.fingerprint}",
        "a=setup:passive",
        f"a=mid:{section.mid}",
        *(f"a=extmap:{number} {uri}" for uri, number in section.extensions.items()),
        f"a={MIRROR[section.direction]}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        f"a=rtpmap:{payload} {name}/{section.clock_rate}{channels}",
    ]
    if section.parameters:
        lines.append(f"a=fmtp:{payload} {section.parameters}")
    agreed = [each for each in FEEDBACK[section.kind] if each in section.feedback]
    lines += [f"a=rtcp-fb:{payload} {each}" for each in agreed]
    if repair is not None:
        lines += [f"a=rtpmap:{repair} rtx/{section.clock_rate}", f"a=fmtp:{repair} apt={payload}"]
    if section.receives:
        # a stream for each party: browsers keep sound and picture of one stream in step
        number = SLOTS[section.slot][1] or ""
        lines.append(f"a=msid:bridge{number} {section.slot}")
        if repair is not None:
            lines.append(f"a=ssrc-group:FID {media_ssrc} {repair_ssrc}")
        lines.append(f"a=ssrc:{media_ssrc} cname:bridge")
        if repair is not None:
            lines.append(f"a=ssrc:{repair_ssrc} cname:bridge")
    for index, (address, port) in enumerate(ours.candidates):
        priority = (126 << 24) | ((65535 - index) << 8) | 255
        lines.append(f"a=candidate:{index + 1} 1 udp {priority} {address} {port} typ host")
    lines.append("a=end-of-candidates")
    return lines

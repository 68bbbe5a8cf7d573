"""Chromium's own description, its variants, and damaged ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from media import BadDescription, sdp

OFFER = (Path(__file__).parent / "descriptions" / "chromium-156.sdp").read_text()
LINES = OFFER.splitlines()
OURS = sdp.Ours(
    fragment="ours",
    password="p" * 24,
    fingerprint=":".join(["AB"] * 32),
    candidates=[("192.0.2.1", 4000), ("2001:db8::1", 4000)],
    ssrcs={"audio": (11, 12), "video": (21, 22)},
    version=1,
)


def answered(offer: str) -> SessionDescription:
    return SessionDescription.parse(sdp.answer(sdp.read(offer), OURS))


def test_chromium_gets_opus_and_vp8_with_retransmission_in_one_bundle() -> None:
    answer = answered(OFFER)
    audio, video = answer.media
    assert [m.rtp.muxId for m in answer.media] == answer.group[0].items == ["0", "1"]
    assert [c.name for c in audio.rtp.codecs] == ["opus"]
    assert [c.name for c in video.rtp.codecs] == ["VP8", "rtx"]
    for media in answer.media:
        assert media.dtls is not None
        assert media.dtls.role == "server"
        assert media.ice is not None
        assert media.ice.iceLite
        assert media.rtcp_mux
        assert [c.port for c in media.ice_candidates] == [4000, 4000]
        priorities = [c.priority for c in media.ice_candidates]
        assert priorities == sorted(priorities, reverse=True)
    assert [s.ssrc for s in video.ssrc] == [21, 22]


def test_extension_numbers_are_echoed_and_no_others_agreed() -> None:
    for media, offered in zip(
        answered(OFFER).media, sdp.read(OFFER).sections.values(), strict=True
    ):
        agreed = {e.uri: e.id for e in media.rtp.headerExtensions}
        assert agreed == dict(offered.extensions)
        assert agreed.keys() <= set(sdp.EXTENSIONS[offered.kind])


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
    ],
)
def test_the_answer_mirrors_the_direction_and_names_streams_only_where_we_send(
    theirs: str, ours: str
) -> None:
    for media in answered(OFFER.replace("a=sendrecv", f"a={theirs}")).media:
        assert media.direction == ours
        assert bool(media.ssrc) is ("send" in ours)


def test_a_section_without_a_track_names_no_stream_and_is_answered_all_the_same() -> None:
    bare = "\r\n".join(line for line in LINES if not line.startswith("a=ssrc")) + "\r\n"
    assert all(not section.ssrcs for section in sdp.read(bare).sections.values())
    assert len(answered(bare).media) == 2


def test_other_codecs_and_data_channels_are_refused_in_their_place() -> None:
    offer = OFFER + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n"
    answer = answered(offer)
    assert [m.port for m in answer.media] == [9, 9, 0]
    assert answer.group[0].items == ["0", "1"]


def test_candidates_with_hidden_names_are_no_obstacle() -> None:
    hidden = "a=candidate:1 1 udp 2113937151 0b1c.local 50000 typ host generation 0\r\n"
    assert sdp.read(OFFER + hidden).sections.keys() == {"audio", "video"}


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_description_is_answered_or_refused_and_nothing_else(data: st.DataObject) -> None:
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "repeat", "cut", "change"])):
            case "drop":
                del lines[place]
            case "repeat":
                lines.insert(place, lines[place])
            case "cut":
                lines[place] = lines[place][: data.draw(st.integers(0, len(lines[place])))]
            case _:
                lines[place] += data.draw(st.text("a:=;/ -09\x85\u2028é", max_size=5))
    try:
        offered = sdp.read("\r\n".join(lines) + "\r\n")
    except BadDescription:
        return
    assert sdp.answer(offered, OURS).startswith("v=0\r\n")

"""Descriptions of real browsers, and what the bridge answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiortc.sdp import SessionDescription

from media import sdp
from media.errors import BadDescription

RECORDED = Path(__file__).parent / "descriptions"

OURS = sdp.Ours(
    fragment="ours",
    password="p" * 24,
    fingerprint="AA:BB",
    candidates=[("192.0.2.7", 4000), ("127.0.0.1", 4000)],
    ssrcs={"audio": (1, 2), "video": (3, 4)},
    version=1,
)


def offer(name: str) -> sdp.Offered:
    return sdp.read((RECORDED / name).read_text().replace("\n", "\r\n"))


def test_firefox_s_bundle_only_picture_is_taken_although_its_port_is_0() -> None:
    offered = offer("firefox-153.sdp")
    assert set(offered.sections) == {"audio", "video"}
    video = offered.sections["video"]
    assert (video.payload_type, video.retransmission) == (120, 124)
    assert (video.ssrcs, video.retransmission_ssrcs) == ((982296434,), (421671932,))


def test_an_answer_has_the_offer_s_sections_in_order_and_reads_back() -> None:
    offered = offer("firefox-153.sdp")
    answered = SessionDescription.parse(sdp.answer(offered, OURS))
    assert [m.kind for m in answered.media] == ["audio", "video"]
    assert [m.rtp.muxId for m in answered.media] == ["0", "1"]
    assert all(m.port == 9 and m.rtcp_mux for m in answered.media)
    assert all(m.ice is not None and m.ice.iceLite for m in answered.media)
    assert [c.name for c in answered.media[1].rtp.codecs] == ["VP8", "rtx"]
    assert answered.media[1].ssrc_group[0].items == [3, 4]


def test_four_further_parties_have_a_section_each_and_no_more_are_taken() -> None:
    text = (RECORDED / "firefox-153.sdp").read_text()
    head, sound, picture = re.split(r"(?=^m=)", text, flags=re.MULTILINE)

    def further(number: int) -> str:
        pair = sound.replace("a=sendrecv", "a=recvonly") + picture.replace("sendrecv", "recvonly")
        return re.sub(r"a=mid:(\d)", lambda m: f"a=mid:{2 * number + int(m[1])}", pair)

    def offered(parties: int) -> sdp.Offered:
        mids = " ".join(str(mid) for mid in range(2 * parties + 2))
        opening = re.sub(r"a=group:BUNDLE.*", f"a=group:BUNDLE {mids}", head)
        offer = opening + sound + picture + "".join(map(further, range(1, parties + 1)))
        return sdp.read(offer.replace("\n", "\r\n"))

    assert set(offered(4).sections) == set(sdp.SLOTS)
    with pytest.raises(BadDescription):
        offered(5)


def test_what_we_do_not_write_is_not_promised() -> None:
    text = sdp.answer(offer("firefox-153.sdp"), OURS)
    for extension in ("toffset", "playout-delay", "csrc-audio-level"):
        assert extension not in text

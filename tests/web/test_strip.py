"""The quality strip: both ways of a call over time, each as good as the worse of its two lines."""

from __future__ import annotations

import re
from dataclasses import replace

from records import quality
from records.quality import QualityRow
from tests.web.cast import Site
from web.dev import cast as demo
from web.strip import WIDTH, strip

FINE = QualityRow("ses_1", "tablet", 0.0, "good", "good", "720p", 3, 0, 40, 800, 700)


def call(count: int, begin: float = 1000.0) -> list[QualityRow]:
    """Rows of both sides, each 5 s."""
    return [
        replace(FINE, seat=seat, at=begin + 5.0 * n)
        for n in range(1, count + 1)
        for seat in ("clinician", "tablet")
    ]


def test_a_call_without_trouble_is_one_span_each_way() -> None:
    officer, clinician = strip(call(12))
    assert (officer.name, clinician.name) == ("officer", "clinician")
    (span,) = officer.spans
    assert (span.begin, span.end, span.word, span.step) == (1000.0, 1060.0, "good", "720p")
    assert (span.x, span.width) == (0.0, WIDTH)
    assert (officer.share("good"), officer.share("poor"), officer.least) == (100, 0, "720p")
    assert officer.troubles == ()


def test_one_way_is_as_good_as_the_worse_of_its_two_lines() -> None:
    rows = call(10)
    rows[6] = replace(rows[6], down="poor", loss_down=120, rtt_ms=90)  # the clinician's, 1020
    rows[13] = replace(rows[13], up="fair", step="180p", loss_up=40)  # the tablet's, 1035
    officer, clinician = strip(rows)
    assert [(s.word, s.step, s.seconds) for s in officer.spans] == [
        ("good", "720p", 15.0),
        ("poor", "720p", 5.0),
        ("good", "720p", 10.0),
        ("fair", "180p", 5.0),
        ("good", "720p", 15.0),
    ]
    poor = officer.spans[1]
    assert (poor.loss, poor.rtt_ms) == (12.0, 130)
    assert [span.word for span in officer.troubles] == ["poor", "fair"]
    assert (officer.share("poor"), officer.share("fair"), officer.least) == (10, 10, "180p")
    assert [span.word for span in clinician.spans] == ["good"]


def test_a_side_that_is_gone_brings_nothing_and_a_pause_is_not_drawn() -> None:
    rows = [one for one in call(4) if not (one.seat == "tablet" and one.at > 1010)]
    rows += call(2, begin=1100.0)
    officer, clinician = strip(rows)
    for way in (officer, clinician):
        assert [(s.word, s.begin, s.end) for s in way.spans] == [
            ("good", 1000.0, 1010.0),
            ("none", 1010.0, 1020.0),
            ("good", 1100.0, 1110.0),
        ]
        assert all(span.x >= 0 and span.x + span.width <= WIDTH + 1 for span in way.spans)


def test_nothing_measured_is_nothing_drawn() -> None:
    assert strip([]) == ()


async def test_a_sessions_page_shows_the_strip_in_words_and_bars(site: Site) -> None:
    row = await site.session()
    begin = row.media_at or row.pressed_at
    rows = [replace(one, session_id=row.id) for one in call(6, begin)]
    rows[5] = replace(rows[5], up="poor", step="stills")
    await site.services.db.write(lambda conn: quality.add(conn, rows))
    await site.sign_in(demo.LENA)
    html = await (await site.client.get(f"/manager/sessions/{row.id}")).text()
    assert "From the officer: 83 % good, 0 % fair, 17 % poor, 0 % nothing; at the least" in html
    assert re.findall(r'<rect class="strip__(\w+)"', html) == ["good", "poor", "good", "good"]
    assert "When it was not good" in html


async def test_a_session_from_before_there_was_a_log_has_no_strip(site: Site) -> None:
    row = await site.session()
    await site.sign_in(demo.LENA)
    html = await (await site.client.get(f"/manager/sessions/{row.id}")).text()
    assert "strip" not in html

"""How well a line carries, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from media import LegStats, Window, worst

FINE = LegStats(
    seat="tablet",
    generation="g",
    connected=True,
    idle_seconds=0.02,
    rtt_seconds=0.05,
    loss_up=0.0,
    loss_down=0.0,
    bitrate_up=800_000.0,
    bitrate_down=600_000.0,
    packets_up=1,
    packets_down=1,
    bytes_up=1,
    bytes_down=1,
    nacks_up=0,
    nacks_down=0,
    retransmitted=0,
    key_frames_asked=0,
)


def window(*readings: LegStats, sends: bool = True) -> Window:
    made = Window("g")
    for one in readings:
        made.add(one, sends=sends)
    return made


@pytest.mark.parametrize(
    ("changes", "up", "down"),
    [
        ({}, "good", "good"),
        ({"loss_up": 0.05}, "fair", "good"),
        ({"loss_down": 0.2}, "good", "poor"),
        ({"rtt_seconds": 0.5}, "fair", "fair"),
        ({"rtt_seconds": 1.0}, "poor", "poor"),
        ({"rtt_seconds": None}, "good", "good"),
        ({"idle_seconds": 4.0}, "none", "good"),
        ({"idle_seconds": None}, "none", "good"),
        ({"connected": False}, "none", "none"),
    ],
)
def test_a_line_is_judged_each_way_by_loss_time_and_silence(
    changes: dict[str, object], up: str, down: str
) -> None:
    measured = window(*5 * [replace(FINE, **changes)]).close()  # type: ignore[arg-type]
    assert (measured.up, measured.down) == (up, down)


def test_a_window_is_the_mean_of_its_readings_and_one_bad_second_is_no_silence() -> None:
    bad = replace(FINE, loss_up=0.2, rtt_seconds=0.25, bitrate_up=0.0, idle_seconds=3.0)
    measured = window(FINE, FINE, FINE, bad).close()
    assert measured.loss_up == pytest.approx(0.05)
    assert measured.rtt == pytest.approx(0.1)
    assert measured.bitrate_up == pytest.approx(600_000)
    assert measured.up == "fair"
    assert window(FINE, bad, bad).close().up == "none"


def test_a_side_that_sends_nothing_on_purpose_is_not_called_silent() -> None:
    silent = replace(FINE, idle_seconds=60.0)
    assert window(silent, sends=False).close().up == "good"
    assert window(silent, sends=True).close().up == "none"


def test_an_empty_window_says_nothing() -> None:
    with pytest.raises(ValueError, match="no readings"):
        Window("g").close()


def test_of_two_words_the_worse_one_counts() -> None:
    assert worst("good", "poor", "fair") == "poor"
    assert worst("none", "poor") == "none"
    assert worst() == "good"

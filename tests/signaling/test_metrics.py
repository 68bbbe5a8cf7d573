"""Metrics: durations are measured once a session, and no label holds an id."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from records.sessions import SessionRow
from signaling import metrics
from signaling.session import MediaFlowing


def row(session_id: str, **times: float) -> SessionRow:
    clock = {"pressed_at": 100.0, "alerted_at": None, "accepted_at": None, "media_at": None}
    return cast(SessionRow, SimpleNamespace(id=session_id, **(clock | times)))


def value(name: str) -> float:
    return metrics.REGISTRY.get_sample_value(name) or 0.0


def test_press_to_alert_is_measured_once_a_session() -> None:
    count = "crisisbridge_press_to_alert_seconds_count"
    total = "crisisbridge_press_to_alert_seconds_sum"
    counted, summed = value(count), value(total)
    metrics.observe_alert(row("ses_a"))  # it has not rung yet
    for _ in range(3):  # three consoles ring
        metrics.observe_alert(row("ses_a", alerted_at=100.5))
    assert value(count) == counted + 1
    assert value(total) == summed + 0.5


def test_accept_and_media_are_measured_from_the_step_before() -> None:
    names = ("alert_to_accept", "accept_to_media")
    before = [value(f"crisisbridge_{name}_seconds_sum") for name in names]
    done = row("ses_b", alerted_at=101.0, accepted_at=108.0, media_at=109.5)
    metrics.observe_accept(done)
    metrics.observe(done, MediaFlowing())
    metrics.observe(done, MediaFlowing())  # recovered: not a second first picture
    after = [value(f"crisisbridge_{name}_seconds_sum") for name in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [7.0, 1.5]


def test_the_page_shows_sessions_by_state_and_the_bridge_s_totals() -> None:
    live = metrics.Live(lambda: {"waiting": 2}, lambda: {"packets": 12.0})
    text = metrics.render(live).decode()
    assert 'crisisbridge_sessions{state="waiting"} 2.0' in text
    assert 'crisisbridge_bridge_total{what="packets"} 12.0' in text
    assert "crisisbridge_presses_total" in text
    assert "ses_a" not in text
    assert "ses_b" not in text


def test_what_was_measured_is_remembered_within_bounds() -> None:
    once = metrics._Once()
    assert once.first("x", "first")
    for number in range(metrics.REMEMBERED):
        assert once.first("x", f"ses_{number}")
    assert not once.first("x", "ses_5")
    assert len(once._seen) == metrics.REMEMBERED

"""Numbers for /metrics, in a registry of our own. No label ever holds an id or a person.

Durations of a session are measured once a session, whatever is repeated later: a requeue, a reload
or a second console must not make the service look faster or slower than it was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from media import Measured
from records.sessions import SessionRow
from signaling.session import Input

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REMEMBERED = 10_000  # sessions whose durations were measured already

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more line for each number, and nobody asks for it
REGISTRY = CollectorRegistry(auto_describe=True)

_ALERT_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
_PEOPLE_BUCKETS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 600.0)
_MEDIA_BUCKETS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)

PRESSES = Counter("crisisbridge_presses", "Presses that opened a session.", registry=REGISTRY)
OFFERS = Counter(
    "crisisbridge_offers", "Offers sent, and how they ended.", ("outcome",), registry=REGISTRY
)
ADOPTED = Counter(
    "crisisbridge_sessions_adopted",
    "Open sessions of a server that is gone, which this one looks after now.",
    registry=REGISTRY,
)
PAUSED = Counter(
    "crisisbridge_clinicians_missing",
    "Clinicians who heard several rings and answered none: paused, or kept as the last one.",
    ("outcome",),
    registry=REGISTRY,
)
INPUTS = Counter(
    "crisisbridge_session_inputs",
    "What happened to sessions, by kind of input.",
    ("input",),
    registry=REGISTRY,
)
ESCALATIONS = Counter(
    "crisisbridge_escalations", "Escalation steps taken.", ("step",), registry=REGISTRY
)
NOTICES = Counter(
    "crisisbridge_notices",
    "Notices to addresses of other programs, by how a try ended.",
    ("outcome",),
    registry=REGISTRY,
)
PRESS_TO_ALERT = Histogram(
    "crisisbridge_press_to_alert_seconds",
    "From the press until the first console rang.",
    buckets=_ALERT_BUCKETS,
    registry=REGISTRY,
)
ALERT_TO_ACCEPT = Histogram(
    "crisisbridge_alert_to_accept_seconds",
    "From the first ring until a clinician accepted.",
    buckets=_PEOPLE_BUCKETS,
    registry=REGISTRY,
)
ACCEPT_TO_MEDIA = Histogram(
    "crisisbridge_accept_to_media_seconds",
    "From accepting until media passed both ways.",
    buckets=_MEDIA_BUCKETS,
    registry=REGISTRY,
)
LINE_ROUND = Histogram(
    "crisisbridge_line_round_seconds",
    "Reading the line, deciding, and carrying it out, until nothing was left to do.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
    registry=REGISTRY,
)
PAGES = Counter(
    "crisisbridge_pages",
    "Pages to people outside an open console: sent, delivered, opened, acknowledged, failed, and "
    "attempts to be made again.",
    ("way", "outcome"),
    registry=REGISTRY,
)
PAGE_SECONDS = Histogram(
    "crisisbridge_page_seconds",
    "How long a push service or a gateway took for one page.",
    ("way",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0),
    registry=REGISTRY,
)
UNCOVERED = Gauge(
    "crisisbridge_roster_uncovered_seconds",
    "Time of the next 14 days in which nobody is on call, over all providers.",
    registry=REGISTRY,
)
GAPS = Gauge(
    "crisisbridge_sessions_without_followup",
    "Sessions found without a follow-up that they should have, by what is missing; still open.",
    ["kind"],
    registry=REGISTRY,
)
DISK_FREE = Gauge(
    "crisisbridge_disk_free_bytes",
    "What can still be written where the data folder and a SQLite record are.",
    registry=REGISTRY,
)
CLOCK_AHEAD = Gauge(
    "crisisbridge_clock_ahead_seconds",
    "How far another server's clock is ahead of this one's; 0: it is not, or by less than 1.",
    registry=REGISTRY,
)
ORPHANS = Gauge(
    "crisisbridge_followups_without_owner",
    "Sessions with an open follow-up whose owner has left, found by the last look-out.",
    registry=REGISTRY,
)
LEG_LOSS = Histogram(
    "crisisbridge_leg_loss",
    "Share of packets lost on the way to the bridge (up) and from it (down), each 5 s and leg.",
    ("direction",),
    buckets=(0.0, 0.01, 0.025, 0.05, 0.08, 0.15, 0.3, 0.6),
    registry=REGISTRY,
)
LEG_TRIP = Histogram(
    "crisisbridge_leg_round_trip_seconds",
    "There and back between bridge and browser, each 5 s and leg.",
    buckets=(0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.8, 1.5, 3.0),
    registry=REGISTRY,
)
LEG_RATE = Histogram(
    "crisisbridge_leg_bits_per_second",
    "Sound and picture of one leg, to the bridge (up) and from it (down), each 5 s.",
    ("direction",),
    buckets=(30e3, 60e3, 120e3, 200e3, 330e3, 500e3, 800e3, 1.2e6, 2e6),
    registry=REGISTRY,
)
LEG_QUALITY = Counter(
    "crisisbridge_leg_quality",
    "5 s of a leg, by how well it carried: good, fair, poor, none.",
    ("direction", "word"),
    registry=REGISTRY,
)
SOCKETS = Gauge("crisisbridge_websockets", "Open WebSockets.", ("page",), registry=REGISTRY)
AUDIT_FAILURES = Counter(
    "crisisbridge_audit_failures", "Audit entries that could not be written.", registry=REGISTRY
)
LOOP_FAILURES = Counter(
    "crisisbridge_loop_failures", "Loops of the desk that had to be started again.", ("loop",),
    registry=REGISTRY,
)  # fmt: skip


class _Once:
    """Lets each key through once, and remembers a bounded number of them."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def first(self, what: str, key: str) -> bool:
        if (what, key) in self._seen:
            return False
        self._seen[what, key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True


_once = _Once()


def observe_alert(row: SessionRow) -> None:
    """The session rings at a console: measure press → alert, the first time."""
    _measure("alert", row.id, PRESS_TO_ALERT, row.pressed_at, row.alerted_at)


def observe_accept(row: SessionRow) -> None:
    """A clinician accepted: measure alert → accept, the first time."""
    _measure("accept", row.id, ALERT_TO_ACCEPT, row.alerted_at, row.accepted_at)


def observe(row: SessionRow, item: Input) -> None:
    """One input was taken: count it, and measure accept → media when media first flows."""
    INPUTS.labels(input=type(item).__name__).inc()
    _measure("media", row.id, ACCEPT_TO_MEDIA, row.accepted_at, row.media_at)


def observe_leg(measured: Measured) -> None:
    """One leg over 5 s."""
    LEG_LOSS.labels(direction="up").observe(measured.loss_up)
    LEG_LOSS.labels(direction="down").observe(measured.loss_down)
    if measured.rtt is not None:
        LEG_TRIP.observe(measured.rtt)
    LEG_RATE.labels(direction="up").observe(measured.bitrate_up)
    LEG_RATE.labels(direction="down").observe(measured.bitrate_down)
    LEG_QUALITY.labels(direction="up", word=measured.up).inc()
    LEG_QUALITY.labels(direction="down", word=measured.down).inc()


def _measure(
    what: str, session_id: str, histogram: Histogram, start: float | None, end: float | None
) -> None:
    if start is not None and end is not None and _once.first(what, session_id):
        histogram.observe(max(0.0, end - start))


class Live(Collector):
    """What is true at the moment of asking: sessions by state, and the bridge's totals."""

    def __init__(
        self,
        sessions: Callable[[], Mapping[str, int]],
        bridge: Callable[[], Mapping[str, float]],
    ) -> None:
        self._sessions = sessions
        self._bridge = bridge

    def describe(self) -> Iterable[Metric]:
        return ()  # what there is depends on the bridge; nothing to check beforehand

    def collect(self) -> Iterable[Metric]:
        states = GaugeMetricFamily(
            "crisisbridge_sessions", "Open sessions by state.", labels=["state"]
        )
        for state, count in self._sessions().items():
            states.add_metric([state], count)
        yield states
        totals = CounterMetricFamily(
            "crisisbridge_bridge", "Totals of the media bridge.", labels=["what"]
        )
        for what, value in self._bridge().items():
            totals.add_metric([what], value)
        yield totals


def render(*live: Collector) -> bytes:
    """The text for /metrics: this process's numbers, and those of `live`."""
    text = generate_latest(REGISTRY)
    for collector in live:
        registry = CollectorRegistry()
        registry.register(collector)
        text += generate_latest(registry)
    return text

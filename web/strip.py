"""A session's quality strip: how sound and picture came across, each way, over the call. Pure.

One way is as good as the worse of its two lines: the sender's up to the bridge, and the receiver's
down from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from media import Word, worst
from records.quality import QualityRow

WIDTH = 1000  # of the drawing, in its own units
ROW_SECONDS = 5.0  # what one row is about
GAP_SECONDS = 12.0  # without rows: nothing was measured, and nothing is drawn
WAYS = (("officer", "tablet", "clinician"), ("clinician", "clinician", "tablet"))
STEPS = ("720p", "360p", "180p", "stills", "voice", "phone")  # the best first


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that was alike; times in UTC seconds, `x` and `width` of the drawing."""

    begin: float
    end: float
    word: Word
    step: str  # how much picture was sent
    loss: float  # percent of packets, the worse line, the worst row
    rtt_ms: int | None  # of both lines, the worst row
    x: float = 0.0
    width: float = 0.0

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of a call."""

    name: str  # officer | clinician: from whom
    spans: tuple[Span, ...]

    def share(self, word: str) -> int:
        """Percent of the measured time."""
        whole = sum(span.seconds for span in self.spans)
        part = sum(span.seconds for span in self.spans if span.word == word)
        return round(100 * part / whole) if whole else 0

    @property
    def least(self) -> str:
        """The least picture that was sent at any time."""
        return max((span.step for span in self.spans), key=STEPS.index, default=STEPS[0])

    @property
    def troubles(self) -> tuple[Span, ...]:
        """What was less than good, or less than the whole picture."""
        return tuple(s for s in self.spans if s.word != "good" or s.step != STEPS[0])


def strip(rows: Sequence[QualityRow]) -> tuple[Way, ...]:
    """Both directions; empty when nothing was measured."""
    if not rows:
        return ()
    by_seat: dict[str, dict[float, QualityRow]] = {}
    for row in rows:
        by_seat.setdefault(row.seat, {})[row.at] = row
    begin, end = rows[0].at - ROW_SECONDS, rows[-1].at
    ways = []
    for name, sender, receiver in WAYS:
        spans = _merged(_each(by_seat.get(sender, {}), by_seat.get(receiver, {})))
        ways.append(Way(name, tuple(_placed(span, begin, end) for span in spans)))
    return tuple(ways)


def _each(up: Mapping[float, QualityRow], down: Mapping[float, QualityRow]) -> Iterable[Span]:
    """One span for each moment at which both lines, or one of them, were measured."""
    times = sorted(up.keys() | down.keys())
    before = [None, *times]
    for at, last in zip(times, before, strict=False):
        begin = at - ROW_SECONDS if last is None or at - last > GAP_SECONDS else last
        sent, got = up.get(at), down.get(at)
        words: list[Word] = [_word(sent.up) if sent else "none", _word(got.down) if got else "none"]
        lost = max(sent.loss_up if sent else 0, got.loss_down if got else 0)
        trips = [one.rtt_ms for one in (sent, got) if one is not None and one.rtt_ms is not None]
        step = sent.step if sent else STEPS[0]
        yield Span(begin, at, worst(*words), step, lost / 10, sum(trips) if trips else None)


def _word(text: str) -> Word:
    return next((word for word in ("good", "fair", "poor") if word == text), "none")


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Neighbours that are alike become one."""
    found: list[Span] = []
    for span in spans:
        last = found[-1] if found else None
        alike = last is not None and (last.word, last.step, last.end) == (
            span.word,
            span.step,
            span.begin,
        )
        if last is None or not alike:
            found.append(span)
            continue
        trips = [one for one in (last.rtt_ms, span.rtt_ms) if one is not None]
        found[-1] = Span(
            last.begin,
            span.end,
            last.word,
            last.step,
            max(last.loss, span.loss),
            max(trips, default=None),
        )
    return found


def _placed(span: Span, begin: float, end: float) -> Span:
    scale = WIDTH / max(ROW_SECONDS, end - begin)
    x = round((span.begin - begin) * scale, 1)
    width = round(max(1.0, span.seconds * scale), 1)
    return Span(span.begin, span.end, span.word, span.step, span.loss, span.rtt_ms, x, width)

"""What a bridge does for whoever runs calls, and the values that go in and out of it."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """How a bridge is reached, and its bounds. Times in seconds."""

    addresses: tuple[str, ...] = ()  # to bind; () = loopback and every interface's own addresses
    port: int = 0  # the same UDP port on every address; 0 = choose a free one
    public_addresses: tuple[str, ...] = ()  # advertised instead of the bound ones (1:1 NAT)
    max_calls: int = 200
    max_legs_per_call: int = 6
    max_packets_per_second: int = 2_000  # from one leg; a 720p picture with sound has about 250
    silence_after: float = 2.0
    never_connected_after: float = 30.0


class LegEventKind(enum.StrEnum):
    CONNECTED = "connected"  # the keys are agreed
    FLOWING = "flowing"  # the first packet of a medium has come
    SILENT = "silent"  # packets came and have stopped
    RESUMED = "resumed"
    PATH_CHANGED = "path_changed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LegEvent:
    """Something happened to one side's connection."""

    call: str
    seat: str
    generation: str
    kind: LegEventKind
    medium: str | None = None  # audio | video, for FLOWING
    reason: str | None = None  # for CLOSED


@dataclass(frozen=True, slots=True)
class LegStats:
    """One leg at this moment; rates in bit/s over the last second, no addresses."""

    seat: str
    generation: str
    connected: bool
    idle_seconds: float | None  # since the last media packet; None before the first
    rtt_seconds: float | None
    loss_up: float  # share lost on the way to us, last report
    loss_down: float  # share lost on the way to the browser, its last report
    bitrate_up: float
    bitrate_down: float
    packets_up: int
    packets_down: int
    bytes_up: int
    bytes_down: int
    nacks_up: int  # sequence numbers that we asked for
    nacks_down: int  # sequence numbers that the browser asked for
    retransmitted: int
    key_frames_asked: int
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BridgeTotals:
    """One process's bridge since its start."""

    calls: int
    legs: int
    packets_in: int
    packets_out: int
    dropped: Mapping[str, int]


class Forwarding(Protocol):
    """A bridge, in this process or in others. `Bridge` says what each does and raises."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def answer(self, call: str, seat: str, generation: str, description: str) -> str: ...

    def plan(
        self,
        call: str,
        hears: Mapping[str, Sequence[str | None]],
        sees: Mapping[str, Sequence[str | None]] | None = None,
    ) -> None: ...

    def withhold(self, call: str, seat: str, kinds: Collection[str], *, quiet: bool) -> None: ...

    def move(self, call: str, seat: str, to: str) -> None: ...

    def leave(self, call: str, seat: str, generation: str | None = None) -> None: ...

    def close_call(self, call: str) -> None: ...

    def calls(self) -> list[str]: ...

    def stats(self, call: str) -> list[LegStats]: ...

    def totals(self) -> BridgeTotals: ...

"""The bridge: forwards encoded media between the legs of a call. Knows no people and no queue."""

from media.api import (
    BridgeSettings,
    BridgeTotals,
    Forwarding,
    LegEvent,
    LegEventKind,
    LegStats,
)
from media.bridge import Bridge
from media.errors import (
    BadDescription,
    MediaError,
    NoSocket,
    NotStarted,
    ProcessLost,
    RelayRefused,
    TooManyCalls,
    TooManyLegs,
)
from media.pool import BridgePool
from media.quality import Measured, Window, Word, worst
from media.turn import Relay, TurnUrl, there_and_back

__all__ = [
    "BadDescription",
    "Bridge",
    "BridgePool",
    "BridgeSettings",
    "BridgeTotals",
    "Forwarding",
    "LegEvent",
    "LegEventKind",
    "LegStats",
    "Measured",
    "MediaError",
    "NoSocket",
    "NotStarted",
    "ProcessLost",
    "Relay",
    "RelayRefused",
    "TooManyCalls",
    "TooManyLegs",
    "TurnUrl",
    "Window",
    "Word",
    "there_and_back",
    "worst",
]

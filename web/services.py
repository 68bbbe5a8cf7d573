"""What the pages need from the rest of the server, put together by the composition at the door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auth.tokens import Tokens
from records.crypto import Vault
from records.engine import Database
from signaling.settings import Settings

if TYPE_CHECKING:
    from signaling.desk import Desk  # with the bridge behind it; pages only need its surface


@dataclass(frozen=True, slots=True)
class Services:
    """The running parts. `clock` gives UTC epoch seconds."""

    settings: Settings
    db: Database
    vault: Vault
    tokens: Tokens
    desk: Desk
    clock: Callable[[], float]

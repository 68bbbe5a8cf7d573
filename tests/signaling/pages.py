"""Pages without a browser, for tests of the desk: real sockets, and a header says who it is."""

from __future__ import annotations

import aiohttp

from tests.robots import BOUND, Refused
from tests.robots import Page as AnyPage

__all__ = ["BOUND", "Page", "Refused"]


class Page(AnyPage):
    """A page of one of the cast."""

    def __init__(self, http: aiohttp.ClientSession, url: str, page: str, who: str) -> None:
        headers = {"X-Test-Actor": who, "Origin": "http://test"}
        super().__init__(http, url, page, who, headers)

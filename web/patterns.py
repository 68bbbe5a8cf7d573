"""GET /-/patterns: every component of the design system on one page, for eyes and for axe."""

from __future__ import annotations

from aiohttp import web

from web import answers


async def show(request: web.Request) -> web.Response:
    """The components, in all states. Only in the demo."""
    return answers.page(request, "patterns")

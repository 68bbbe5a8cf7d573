"""The public halves of the keys that sign tokens, for whoever wants to check one."""

from __future__ import annotations

import json
from typing import Final

from aiohttp import web

from records.token_keys import PUBLISHED_SECONDS, jwk
from web.keys import services_of

# half of the time that a key is published before it signs: a copy is never too old
CACHE: Final = {"Cache-Control": f"public, max-age={int(PUBLISHED_SECONDS // 2)}"}


async def show(request: web.Request) -> web.Response:
    """GET /.well-known/jwks.json"""
    services, signing = services_of(request), services_of(request).tokens.signing
    if signing is not None:
        async with services.db.read() as conn:
            await signing.meet(conn, None)
    keys = [jwk(one) for one in signing.published()] if signing is not None else []
    return web.Response(
        text=json.dumps({"keys": keys}), content_type="application/jwk-set+json", headers=CACHE
    )

"""What tests of programs of others need: a token, and asking with it."""

from __future__ import annotations

import html
import re
from typing import Any

from tests.web.cast import Site
from web.dev import cast as demo

PAGE = "/manager/integrations"
EVERYTHING = ("log.read", "session.read", "followup.read", "report.read", "export", "log.names")


async def token(site: Site, *scopes: str, member: demo.Member = demo.LENA, **typed: str) -> str:
    """A token as a manager makes it on the page. The browser is signed out afterwards."""
    await site.sign_in(member)
    form = {"name": "County dashboard", "agency": "", "provider": "", "expires": "2027-03-01"}
    ticked = {f"scope:{one}": "1" for one in scopes or EVERYTHING}
    response = await site.post(f"{PAGE}/tokens", {**form, **ticked, **typed}, page=PAGE)
    text = await response.text()
    assert response.status == 200, text
    site.client.session.cookie_jar.clear()
    return secret_in(text)


def secret_in(page: str) -> str:
    """The secret that a page shows once."""
    found = re.search(r'id="secret"[^>]*value="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


async def ask(site: Site, path: str, secret: str | None) -> tuple[int, Any]:
    """Status and JSON of one question."""
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    response = await site.client.get(f"/api/v1/{path}", headers=headers)
    assert response.content_type == "application/json", await response.text()
    return response.status, await response.json()

"""A browser between our pages and a directory's, and what the record says afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import func, select

from records import schema
from records.schema_signin import issuer_link
from tests.directory import trip
from tests.web.cast import ORIGIN, Site

EVERYBODY = frozenset({"clinician", "supervisor", "manager", "admin"})
MFA = {"second_factor_amr": '["otp"]'}
BEGIN = "/sign-in/with/prairie"
Opened = Callable[..., Any]


class Browser:
    """One browser at our pages and at the directory's."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.jar = aiohttp.CookieJar(unsafe=True)

    async def there(self, path: str = BEGIN) -> str:
        response = await self.site.client.get(path, allow_redirects=False)
        assert response.status == 303, await response.text()
        return response.headers["Location"]

    async def back(self, address: str) -> str:
        """Take the directory's answer to us; where that leads."""
        parts = urlsplit(address)
        assert address.startswith(ORIGIN) or parts.hostname == "127.0.0.1"
        response = await self.site.client.get(f"{parts.path}?{parts.query}", allow_redirects=False)
        assert response.status == 303, await response.text()
        return response.headers["Location"]

    async def through(self, who: str, path: str = BEGIN, say: str = "yes") -> str:
        self.jar.clear()
        return await self.back(await trip(self.jar, await self.there(path), who, say))


async def person(site: Site, sub: str) -> Any:
    async with site.services.db.read() as conn:
        found = await conn.execute(
            select(schema.person)
            .join(issuer_link, issuer_link.c.person_id == schema.person.c.id)
            .where(issuer_link.c.subject == sub)
        )
        return found.first()


async def roles(site: Site, person_id: str) -> set[str]:
    grant = schema.role_grant
    async with site.services.db.read() as conn:
        return set(
            (
                await conn.execute(select(grant.c.role).where(grant.c.person_id == person_id))
            ).scalars()
        )


async def count(site: Site, table: Any) -> int:
    async with site.services.db.read() as conn:
        number: int = (await conn.execute(select(func.count()).select_from(table))).scalar_one()
        return number


async def recorded(site: Site, kind: str) -> list[tuple[str, str, str | None]]:
    table = schema.audit
    async with site.services.db.read() as conn:
        rows = await conn.execute(
            select(table.c.action, table.c.outcome, table.c.object_id)
            .where(table.c.object_kind == kind)
            .order_by(table.c.no)
        )
        return [(row.action, row.outcome, row.object_id) for row in rows]

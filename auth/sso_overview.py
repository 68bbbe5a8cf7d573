"""What an administrator sees of the directories: which groups give what, and whether it works.

The settings' file decides; nothing is changed here. Of each directory only the groups of the
reader's own organisation are shown, and a directory without any is not there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.actors import Actor
from auth.sso_rules import PLACES, GroupRule, Issuer
from records import directory, schema
from records.engine import Database


@dataclass(frozen=True, slots=True)
class Gives:
    """A group, the roles that whoever is in it has, and the names of where."""

    group: str
    roles: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """One directory. Times are UTC epoch seconds; None: never, as far as is kept."""

    issuer: Issuer
    gives: tuple[Gives, ...]
    worked_at: float | None
    failed_at: float | None

    @property
    def failing(self) -> bool:
        """Whether the newest try failed or was refused, be it a stranger without a group."""
        return self.failed_at is not None and self.failed_at > (self.worked_at or 0.0)


async def overviews(
    db: Database, actor: Actor, issuers: Collection[Issuer]
) -> tuple[Overview, ...]:
    """The directories of the actor's organisation, by name. The caller has asked the policy."""
    if not issuers:
        return ()
    login, audit = schema.login, schema.audit
    async with db.read() as conn:
        names = await _names(conn)
        worked = await conn.execute(
            select(login.c.issuer_id, func.max(login.c.created_at)).group_by(login.c.issuer_id)
        )
        worked_at = {str(row[0]): float(row[1]) for row in worked}
        failed = await conn.execute(
            select(audit.c.object_id, func.max(audit.c.at))
            .where(
                audit.c.object_id.in_([one.id for one in issuers]),
                audit.c.object_kind == "issuer",
                audit.c.outcome == "refused",
            )
            .group_by(audit.c.object_id)
        )
        failed_at = {str(row[0]): float(row[1]) for row in failed}
    found = []
    for issuer in sorted(issuers, key=lambda one: one.name):
        mine = [rule for rule in issuer.rules if _about(rule, actor)]
        if mine:
            gives = tuple(_gives(rule, names) for rule in mine)
            one = Overview(issuer, gives, worked_at.get(issuer.id), failed_at.get(issuer.id))
            found.append(one)
    return tuple(found)


def _about(rule: GroupRule, actor: Actor) -> bool:
    """Whether a group's people are of an organisation that the actor is of."""
    return any(
        getattr(rule, place) is not None and getattr(rule, place) == getattr(actor, place)
        for place in PLACES
    )


async def _names(conn: AsyncConnection) -> dict[str, str]:
    """Of all organisations, by id."""
    who = await directory.read(conn)
    programs = await conn.execute(select(schema.program.c.id, schema.program.c.name))
    return {
        **{one.id: one.name for one in who.agencies.values()},
        **{one.id: one.name for one in who.providers.values()},
        **{row[0]: row[1] for row in programs},
    }


def _gives(rule: GroupRule, names: Mapping[str, str]) -> Gives:
    places = [id_ for place in PLACES if (id_ := getattr(rule, place)) is not None]
    return Gives(
        rule.group, tuple(sorted(rule.roles)), tuple(names.get(id_, id_) for id_ in places)
    )

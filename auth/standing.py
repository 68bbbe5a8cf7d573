"""A person as they are now, for what goes on in their name while they are not there."""

from __future__ import annotations

from auth.actors import Actor
from records.directory import Directory


def standing(who: Directory, person_id: str) -> Actor | None:
    """Somebody with the rights that they have today; None for who has left."""
    person = who.people.get(person_id)
    if person is None or not person.active:
        return None
    return Actor(
        kind="person",
        id=person.id,
        name=person.name,
        short_name=person.short_name,
        roles=person.roles,
        agency_id=person.agency_id,
        provider_id=person.provider_id,
        program_id=person.program_id,
    )

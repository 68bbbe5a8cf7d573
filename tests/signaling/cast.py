"""The people of these tests, as actors."""

from __future__ import annotations

from auth.actors import Actor


def clinician(person_id: str = "per_dana") -> Actor:
    return Actor(
        kind="person",
        id=person_id,
        name="Dana Whitefeather",
        short_name="Dana",
        roles=frozenset({"clinician"}),
        provider_id="prv_1",
    )


def tablet(tablet_id: str = "tab_12") -> Actor:
    return Actor(
        kind="tablet",
        id=tablet_id,
        name="Unit 12",
        short_name="Unit 12",
        roles=frozenset({"tablet"}),
        agency_id="agy_1",
        officer_id="per_sam",
    )

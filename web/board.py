"""The four numbers: waiting and longest, in call, clinicians ready, tablets not ready."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

import msgspec

from auth.actors import Actor
from auth.policy import Action, Target, allows
from records.log import Board
from web.readiness import is_ready

if TYPE_CHECKING:
    from signaling.views import Picture


class Numbers(msgspec.Struct, frozen=True):
    """Counts and seconds only; nobody can be recognised in them."""

    waiting: int
    longest_wait: float | None  # seconds; None while nobody waits
    in_call: int
    wrap_up: int
    clinicians_ready: int
    clinicians_rostered: int
    tablets: int
    tablets_not_ready: int


def numbers(
    counted: Board, picture: Picture, actor: Actor, now: float, troubled: Container[str] = ()
) -> Numbers:
    """The numbers within the actor's scope. `troubled`: tablets that said that something fails."""
    agencies = {
        agency.id
        for agency in picture.directory.agencies.values()
        if allows(
            actor, Action.BOARD_READ, Target(agency.id, agency.provider_id, agency.program_id)
        )
    }
    providers = {picture.directory.agencies[one].provider_id for one in agencies} - {None}
    rostered = {
        person.id
        for provider in providers
        for person in picture.directory.clinicians(provider or "")
        if (state := picture.clinicians.get(person.id)) is not None and state.tier is not None
    }
    tablets = [
        tablet
        for tablet in picture.directory.tablets.values()
        if tablet.agency_id in agencies and not tablet.revoked
    ]
    ready = {
        tablet.id
        for tablet in tablets
        if is_ready(
            online=tablet.id in picture.tablets_online,
            officer=tablet.officer_id is not None,
            troubled=tablet.id in troubled,
        )
    }
    oldest = counted.oldest_pressed_at
    return Numbers(
        waiting=counted.waiting,
        longest_wait=None if oldest is None else max(0.0, now - oldest),
        in_call=counted.in_call,
        wrap_up=counted.wrap_up,
        clinicians_ready=sum(picture.ready_clinicians(provider) for provider in providers),
        clinicians_rostered=len(rostered),
        tablets=len(tablets),
        tablets_not_ready=len(tablets) - len(ready),
    )

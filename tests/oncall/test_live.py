"""The embedded live store: the contract, and the bounds of its memory."""

from __future__ import annotations

import pytest

from oncall.errors import LiveStoreFull
from oncall.facts import Activity
from oncall.live import EmbeddedLiveStore, LiveStore
from tests.oncall.live_contract import LiveContract, T


@pytest.fixture
def store() -> LiveStore:
    return EmbeddedLiveStore()


class TestEmbedded(LiveContract):
    """All of the contract."""


async def test_a_newcomer_too_many_is_refused_and_changes_nothing() -> None:
    store = EmbeddedLiveStore(most_people=2)
    await store.beat("dana", "one", T)
    await store.beat("miguel", "two", T)
    for refused in (
        store.beat("priya", "three", T),
        store.set_activity("priya", Activity.AVAILABLE, None, T),
    ):
        with pytest.raises(LiveStoreFull) as error:
            await refused
        assert (error.value.code, error.value.status) == ("live-store-full", 503)
    assert sorted(await store.snapshot(T)) == ["dana", "miguel"]
    await store.beat("dana", "one", T + 5)


async def test_who_left_long_ago_makes_room_with_their_choice() -> None:
    store = EmbeddedLiveStore(most_people=2)
    await store.beat("dana", "one", T)
    await store.set_activity("dana", Activity.OFFLINE, None, T)
    await store.beat("miguel", "two", T + 4000)
    await store.beat("priya", "three", T + 4000)
    assert sorted(await store.snapshot(T + 4000)) == ["miguel", "priya"]


async def test_choices_without_a_page_are_bounded_too() -> None:
    store = EmbeddedLiveStore(most_people=2)
    for n in range(50):
        await store.set_activity(f"p{n}", Activity.OFFLINE, None, T)
    await store.beat("dana", "one", T)
    assert list(await store.snapshot(T)) == ["dana"]

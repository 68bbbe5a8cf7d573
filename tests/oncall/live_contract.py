"""What every live store keeps. A module of tests gives `store` and inherits `LiveContract`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from oncall.facts import Activity
from oncall.live import LiveClinician, LiveStore
from oncall.presence import PresenceState

T = 1_800_000_000.0
BOUND = 30.0  # far beyond anything a wake-up takes


class LiveContract:
    """Presence and choice as snapshots; wake-ups that may be merged but are never lost."""

    async def test_nobody_is_here_at_first(self, store: LiveStore) -> None:
        assert await store.snapshot(T) == {}
        assert await store.next_deadline(T) is None

    async def test_who_comes_and_has_chosen_nothing_is_available(self, store: LiveStore) -> None:
        await store.beat("dana", "one", T)
        assert await store.snapshot(T) == {
            "dana": LiveClinician(Activity.AVAILABLE, None, PresenceState.CONNECTED)
        }

    async def test_presence_goes_by_the_leases(self, store: LiveStore) -> None:
        await store.beat("dana", "one", T)
        await store.drop("dana", "one", T + 1)
        assert _presence(await store.snapshot(T + 1)) == {"dana": PresenceState.GRACE}
        assert await store.next_deadline(T + 1) == T + 12
        lost = (await store.snapshot(T + 20))["dana"]
        assert (lost.presence, lost.lost_since) == (PresenceState.LOST, T + 12)

    async def test_one_of_two_pages_keeps_the_person_here(self, store: LiveStore) -> None:
        await store.beat("dana", "one", T)
        await store.beat("dana", "two", T)
        await store.drop("dana", "one", T + 1)
        assert _presence(await store.snapshot(T + 1)) == {"dana": PresenceState.CONNECTED}

    async def test_late_news_of_an_older_connection_changes_nothing(self, store: LiveStore) -> None:
        await store.beat("dana", "one", T + 5)
        await store.drop("dana", "one", T + 4)
        assert _presence(await store.snapshot(T + 5)) == {"dana": PresenceState.CONNECTED}
        await store.drop("dana", "one", T + 6)
        await store.beat("dana", "one", T + 5.5)
        assert _presence(await store.snapshot(T + 6)) == {"dana": PresenceState.GRACE}

    async def test_a_choice_stays_when_its_page_goes_and_comes_back(self, store: LiveStore) -> None:
        await store.beat("dana", "one", T)
        await store.set_activity("dana", Activity.PAUSED, "break", T)
        await store.drop("dana", "one", T + 1)
        await store.beat("dana", "two", T + 600)
        there = (await store.snapshot(T + 600))["dana"]
        assert (there.activity, there.reason) == (Activity.PAUSED, "break")

    async def test_a_reason_goes_with_not_being_available_only(self, store: LiveStore) -> None:
        await store.beat("dana", "one", T)
        await store.set_activity("dana", Activity.OFFLINE, "idle", T)
        assert (await store.snapshot(T))["dana"].reason == "idle"
        await store.set_activity("dana", Activity.AVAILABLE, "idle", T)
        assert (await store.snapshot(T))["dana"].reason is None

    async def test_a_snapshot_does_not_change_afterwards(self, store: LiveStore) -> None:
        await store.beat("dana", "one", T)
        seen = await store.snapshot(T)
        await store.beat("miguel", "two", T)
        await store.set_activity("dana", Activity.OFFLINE, None, T)
        assert list(seen) == ["dana"]
        assert seen["dana"].activity is Activity.AVAILABLE

    async def test_a_wake_up_ends_the_wait(self, store: LiveStore) -> None:
        waiting = asyncio.create_task(store.wait(BOUND))
        await asyncio.sleep(0)
        await store.wake()
        assert await waiting is True

    async def test_wake_ups_before_the_wait_are_kept_and_merged(self, store: LiveStore) -> None:
        await store.wake()
        await store.wake()
        assert await store.wait(BOUND) is True
        assert await store.wait(0.01) is False

    async def test_without_a_wake_up_the_wait_ends_at_its_deadline(self, store: LiveStore) -> None:
        assert await store.wait(0.01) is False
        assert await store.wait(-1) is False

    async def test_a_cancelled_wait_loses_no_wake_up(self, store: LiveStore) -> None:
        waiting = asyncio.create_task(store.wait(BOUND))
        await asyncio.sleep(0)
        await store.wake()
        waiting.cancel()
        [ended] = await asyncio.gather(waiting, return_exceptions=True)
        assert ended is True or await store.wait(BOUND) is True

    async def test_what_the_line_may_act_on_wakes_it(self, store: LiveStore) -> None:
        await store.beat("dana", "one", T)
        assert await store.wait(BOUND) is True
        await store.set_activity("dana", Activity.PAUSED, "break", T)
        assert await store.wait(BOUND) is True
        await store.drop("dana", "one", T + 1)
        assert await store.wait(BOUND) is True

    async def test_what_changes_nothing_wakes_nobody(self, store: LiveStore) -> None:
        await store.beat("dana", "one", T)
        await store.set_activity("dana", Activity.PAUSED, "break", T)
        assert await store.wait(BOUND) is True
        await store.beat("dana", "one", T + 5)
        await store.set_activity("dana", Activity.PAUSED, "break", T + 5)
        await store.drop("miguel", "nine", T + 5)
        assert await store.wait(0.01) is False


def _presence(seen: Mapping[str, LiveClinician]) -> dict[str, PresenceState]:
    return {person_id: one.presence for person_id, one in seen.items()}

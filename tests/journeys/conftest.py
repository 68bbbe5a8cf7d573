"""What the journeys stand on: a running demo, and people with browsers of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from tests.journeys.chromium import People
from tests.journeys.firefox import Firefox
from tests.journeys.harness import Demo

expect.set_options(timeout=15_000)  # ms: a bound for a machine that does much else, not a measure


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One running demo for the tests of a module."""
    running = Demo(tmp_path_factory.mktemp("demo") / "data").prepared()
    running.start()
    yield running
    if running.running:
        running.stop()


@pytest.fixture
def fresh_demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo that this test may stop and start; not yet running."""
    demo = Demo(tmp_path / "data").prepared()
    yield demo
    if demo.running:
        demo.kill()


@pytest.fixture
async def people(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[People]:
    """Browsers by person, closed at the end."""
    whole = request.node.get_closest_marker("whole_browser") is not None
    async with async_playwright() as playwright:
        everybody = People(playwright, tmp_path / "profiles", whole=whole)
        yield everybody
        await everybody.close_all()


@pytest.fixture
async def firefox(tmp_path: Path) -> AsyncIterator[Firefox]:
    """A Firefox of its own."""
    async with Firefox(tmp_path / "firefox") as fox:
        yield fox

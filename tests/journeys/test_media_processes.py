"""Sound and picture in processes of their own, and what happens to a call when one is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.journeys.chromium import People
from tests.journeys.harness import Demo
from tests.journeys.steps import Clinician, Officer, picture_moves

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]

TABLET = (1024, 768)


def media_processes(server: int) -> list[psutil.Process]:
    found = []
    for one in psutil.Process(server).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # ended, as one of them is meant to
            if "media.process" in one.cmdline():
                found.append(one)
    return found


async def test_a_call_outlives_the_process_that_carried_it(
    fresh_demo: Demo, people: People, tmp_path: Path
) -> None:
    fresh_demo.settings = {"CRISISBRIDGE_MEDIA_PROCESSES": "2"}
    await asyncio.to_thread(fresh_demo.start)
    assert len(media_processes(fresh_demo.pid)) == 2
    officer = Officer(await people.page("sam", size=TABLET), fresh_demo.card["tablet"])
    dana = Clinician(await people.page("dana"), fresh_demo.card["clinicians"][0])
    await officer.enrol()
    await dana.arrive()
    await officer.press()
    await dana.accept()
    await picture_moves(officer.page, "#remote-video", 40)
    await picture_moves(dana.page, "#remote-video", 40)
    busiest = max(media_processes(fresh_demo.pid), key=lambda one: sum(one.cpu_times()[:2]))
    os.kill(busiest.pid, signal.SIGKILL)
    async with asyncio.timeout(20):  # the picture has stopped by then
        while len([one for one in media_processes(fresh_demo.pid) if one != busiest]) < 2:
            await asyncio.sleep(0.05)
    await picture_moves(officer.page, "#remote-video", 20)
    await picture_moves(dana.page, "#remote-video", 20)
    left = media_processes(fresh_demo.pid)
    await asyncio.to_thread(fresh_demo.stop)
    assert not psutil.wait_procs(left, timeout=10)[1], "no media process outlives its server"

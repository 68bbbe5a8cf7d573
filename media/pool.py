"""Several bridges, each in a process of its own and on a port of its own, as one.

A call stays in the process that it was placed in: the one with the fewest calls. A process that
ends, or is not heard of for some seconds, takes its calls' legs with it and nothing else: each leg
is told to be closed, and its page describes itself anew, to another process or to the new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from media import errors, words
from media.api import BridgeSettings, BridgeTotals, LegEvent, LegEventKind, LegStats
from media.errors import MediaError, NotStarted, ProcessLost, TooManyCalls

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
START_SECONDS = 20.0
END_SECONDS = 5.0
LOOK_SECONDS, MOST_SILENT = 1.0, 5  # a process that is well reports each second; looks without one
AGAIN_SECONDS = (0.1, 0.5, 2.0, 5.0)  # before a process is started again, by failures in a row
STEADY_SECONDS = 60.0  # a process that lived as long did not fail at its start
MOST_WAITING = 8 << 20  # bytes that a process has not read
LOST = "process-lost"
NONE = BridgeTotals(0, 0, 0, 0, {})
_ERRORS: dict[str, type[MediaError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, MediaError)
}


@dataclass(slots=True)
class _Call:
    """What another process must be told to go on with the call."""

    at: _Child | None = None  # None: nowhere yet, or its process has ended
    plan: words.Plan | None = None
    # seat -> generations: the first that was told of and may still carry, and the newest
    legs: dict[str, list[str]] = field(default_factory=dict)


class _Child:
    """One media process, started again whenever it ends."""

    def __init__(self, pool: BridgePool, number: int, settings: BridgeSettings) -> None:
        self.number = number
        self.totals = NONE
        self.legs: dict[str, list[LegStats]] = {}
        self.port = 0
        self.pid: int | None = None
        self._pool = pool
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._asked: dict[int, asyncio.Future[str]] = {}
        self._over = asyncio.Event()

    @property
    def up(self) -> bool:
        return self._process is not None and self.port != 0

    async def keep(self, began: asyncio.Future[None]) -> None:
        """Run it until `end`. `began` hears of the first start, or why there was none."""
        failures, loop = 0, asyncio.get_running_loop()
        while not self._over.is_set():
            started = loop.time()
            try:
                await self._live(began)
            except (OSError, EOFError, TimeoutError, MediaError, msgspec.MsgspecError) as error:
                if not began.done():
                    began.set_exception(error if isinstance(error, MediaError) else ProcessLost())
                    return
                if self._over.is_set():
                    return
                log.warning("media.process_lost number=%d error=%s", self.number, _short(error))
            except Exception:
                # the supervisor of a process: what went wrong here must not leave it dead for good
                log.exception("media.process_failed number=%d", self.number)
                if not began.done():
                    began.set_exception(ProcessLost())
                    return
            finally:
                await self._bury()
            failures = 0 if loop.time() - started > STEADY_SECONDS else failures + 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS) - 1)]):
                    await self._over.wait()

    async def _live(self, began: asyncio.Future[None]) -> None:
        """From its start to its end. Raises what ended it."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "media.process",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the server, which ends it in its turn
        )  # fmt: skip
        reader = process.stdout
        if reader is None or self._over.is_set():
            raise ProcessLost
        self.pid = process.pid
        self.say(words.Begin(self._settings, logging.getLogger().level))
        async with asyncio.timeout(START_SECONDS):
            while not self.port:
                self._hear(await words.next_report(reader))
        if not began.done():
            began.set_result(None)
        await self._listen(reader)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Hear every report. Raises TimeoutError when there is none any more.

        Looks are counted, not seconds: if this server itself was held up, its processes were not.
        """
        silent = 0
        report = asyncio.ensure_future(words.next_report(reader))
        try:
            while silent < MOST_SILENT:
                done, _ = await asyncio.wait({report}, timeout=LOOK_SECONDS)
                silent = 0 if done else silent + 1
                if done:
                    self._hear(report.result())
                    report = asyncio.ensure_future(words.next_report(reader))
        finally:
            report.cancel()
            await asyncio.gather(report, return_exceptions=True)
        raise TimeoutError

    def end(self) -> None:
        """Let the process end, and none come after it."""
        self._over.set()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _hear(self, report: words.Report) -> None:
        match report:
            case words.Began(port):
                self.port = port
            case words.Answered(no, description):
                if (waiting := self._asked.pop(no, None)) is not None and not waiting.done():
                    waiting.set_result(description)
            case words.Refused(0, code, text):
                raise _ERRORS.get(code, MediaError)(text)
            case words.Refused(no, code, text):
                if (waiting := self._asked.pop(no, None)) is not None and not waiting.done():
                    waiting.set_exception(_ERRORS.get(code, MediaError)(text))
            case words.Told(event):
                self._pool.heard(event)
            case words.Figures(legs, totals):
                self.legs, self.totals = legs, totals
            case words.Line(level, logger, text):
                logging.getLogger(logger).log(level, "%s", text)

    async def _bury(self) -> None:
        """Let go of a process that has ended, or end it."""
        process, self._process, self.port, self.legs = self._process, None, 0, {}
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(ProcessLost())
        self._asked.clear()
        self._pool.lost(self)

    async def ask(self, no: int, order: words.Describe) -> str:
        """The bridge's answer. Raises what it raises, and ProcessLost."""
        waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asked[no] = waiting
        self.say(order)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await waiting
        except TimeoutError as error:
            raise ProcessLost from error
        finally:
            self._asked.pop(no, None)

    def say(self, order: words.Order) -> None:
        """Orders are obeyed one after another. To a process that is gone nothing is said."""
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return
        if process.stdin.transport.get_write_buffer_size() > MOST_WAITING:
            process.kill()  # it does not read: whoever waits for it hears so
            return
        process.stdin.write(words.packed(order))


class BridgePool:
    """A bridge as `media.Bridge` is one, of `processes` processes."""

    def __init__(
        self, settings: BridgeSettings, processes: int, on_event: Callable[[LegEvent], None]
    ) -> None:
        self._on_event = on_event
        self._max_calls = settings.max_calls
        self._children = [
            _Child(self, n, replace(settings, port=settings.port + n if settings.port else 0))
            for n in range(processes)
        ]
        self._calls: dict[str, _Call] = {}
        self._numbers = itertools.count(1)
        self._keeping: list[asyncio.Task[None]] = []

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start every process. Raises NoSocket, ProcessLost; then none is left."""
        if self._keeping:
            return
        loop = asyncio.get_running_loop()
        began = [loop.create_future() for _ in self._children]
        self._keeping = [
            asyncio.create_task(child.keep(one), name=f"media {child.number}")
            for child, one in zip(self._children, began, strict=True)
        ]
        found = await asyncio.gather(*began, return_exceptions=True)
        for error in found:
            if isinstance(error, BaseException):
                await self.close()
                raise error

    async def close(self) -> None:
        """End every process. Safe to call twice."""
        self._calls.clear()  # nobody is told of legs that end with the server
        for child in self._children:
            child.end()
        if self._keeping:
            _, late = await asyncio.wait(self._keeping, timeout=END_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        self._keeping = []

    @property
    def ports(self) -> list[int]:
        """The UDP port of each process; 0 of one that is not there now."""
        return [child.port for child in self._children]

    @property
    def pids(self) -> list[int | None]:
        """The processes; None for one that is not there now."""
        return [child.pid if child.up else None for child in self._children]

    # --- calls ------------------------------------------------------------------------------------

    async def answer(self, call: str, seat: str, generation: str, description: str) -> str:
        """Answer a browser's offer for its seat, as `Bridge.describe` does.

        Raises what that raises, and ProcessLost when the process ended meanwhile: describe again.
        """
        known = self._known(call)
        child = known.at or self._place(known)
        no = next(self._numbers)
        text = await child.ask(no, words.Describe(no, call, seat, generation, description))
        described = known.legs.get(seat, [])
        if generation not in described:
            known.legs[seat] = [*described[:1], generation]
        return text

    def plan(
        self,
        call: str,
        hears: Mapping[str, Sequence[str | None]],
        sees: Mapping[str, Sequence[str | None]] | None = None,
    ) -> None:
        """Who hears and who sees whom. Raises TooManyCalls."""
        known = self._known(call)
        known.plan = words.Plan(call, hears, sees)
        self._say(known, known.plan)

    def withhold(self, call: str, seat: str, kinds: Collection[str], *, quiet: bool) -> None:
        """A side sends no sound, no picture, or neither: nobody gets any of it."""
        known = self._calls.get(call)
        if known is not None:
            self._say(known, words.Withhold(call, seat, sorted(kinds), quiet))

    def move(self, call: str, seat: str, to: str) -> None:
        """A leg goes on in another seat."""
        known = self._calls.get(call)
        if known is None or seat == to:
            return
        self._say(known, words.Move(call, seat, to))
        if seat in known.legs:
            known.legs[to] = known.legs.pop(seat)

    def leave(self, call: str, seat: str, generation: str | None = None) -> None:
        """Put a leg out; with `generation`, only if that is the current one."""
        known = self._calls.get(call)
        if known is None:
            return
        self._say(known, words.Leave(call, seat, generation))
        left = [one for one in known.legs.pop(seat, []) if generation not in (None, one)]
        if left:
            known.legs[seat] = left

    def close_call(self, call: str) -> None:
        """End a call and all its legs."""
        known = self._calls.pop(call, None)
        if known is not None:
            self._say(known, words.Close(call))

    @staticmethod
    def _say(known: _Call, order: words.Order) -> None:
        if known.at is not None:
            known.at.say(order)

    def _known(self, call: str) -> _Call:
        """The call, made if there is room for it anywhere. Raises TooManyCalls."""
        if call not in self._calls:
            if len(self._calls) >= self._max_calls * len(self._children):
                raise TooManyCalls
            self._calls[call] = _Call()
        return self._calls[call]

    def _place(self, known: _Call) -> _Child:
        """Where the call is carried from now on. Raises TooManyCalls, NotStarted."""
        carried = Counter(one.at.number for one in self._calls.values() if one.at is not None)
        there = [child for child in self._children if child.up]
        if not there:
            raise NotStarted
        child = min(there, key=lambda one: carried[one.number])
        if carried[child.number] >= self._max_calls:
            raise TooManyCalls
        known.at = child
        if known.plan is not None:
            child.say(known.plan)
        return child

    # --- what is told of them ---------------------------------------------------------------------

    def calls(self) -> list[str]:
        """The calls that are carried now."""
        return list(self._calls)

    def stats(self, call: str) -> list[LegStats]:
        """The call's legs, as they were within the last second; empty for an unknown call."""
        known = self._calls.get(call)
        return known.at.legs.get(call, []) if known is not None and known.at is not None else []

    def totals(self) -> BridgeTotals:
        """All processes that run now, each since its start."""
        dropped: Counter[str] = Counter()
        for child in self._children:
            dropped.update(child.totals.dropped)
        return BridgeTotals(
            calls=sum(child.totals.calls for child in self._children),
            legs=sum(child.totals.legs for child in self._children),
            packets_in=sum(child.totals.packets_in for child in self._children),
            packets_out=sum(child.totals.packets_out for child in self._children),
            dropped=dict(dropped),
        )

    def heard(self, event: LegEvent) -> None:
        """A process told something of a leg."""
        known = self._calls.get(event.call)
        if known is not None and event.generation in known.legs.get(event.seat, []):
            if event.kind is LegEventKind.CONNECTED:  # it carries: those before it are gone
                known.legs[event.seat] = [event.generation]
            elif event.kind is LegEventKind.CLOSED:
                known.legs[event.seat].remove(event.generation)
        self._tell(event)

    def lost(self, child: _Child) -> None:
        """A process has ended: so have the legs that it carried."""
        child.totals = NONE
        for name, call in list(self._calls.items()):
            if call.at is not child:
                continue
            legs, call.legs, call.at = call.legs, {}, None
            for seat, generation in [(seat, one) for seat, many in legs.items() for one in many]:
                self._tell(LegEvent(name, seat, generation, LegEventKind.CLOSED, reason=LOST))

    def _tell(self, event: LegEvent) -> None:
        try:
            self._on_event(event)
        except Exception:
            # a fault of whoever listens is no fault of the process, whose other calls go on
            log.exception("media.event_failed kind=%s", event.kind)


def _short(error: Exception) -> str:
    """What ended a process, in one word."""
    return error.code if isinstance(error, MediaError) else type(error).__name__

"""A slow, breakable wire: a port on this machine that passes what it gets to another, later.

What one side sends leaves at `rate` bytes a second, in its order, and arrives `delay` seconds
after that.  As much as travels and `QUEUE` waits here; then nothing more is read.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Self

CHUNK = 1 << 14
QUEUE = 1 << 18
"""Bytes that may wait to leave, as in a router."""

Travelling = asyncio.Queue[tuple[float, bytes]]
"""When what is under way arrives."""


@dataclass
class Way:
    """One direction of all connections: when it is free again, and what it has carried."""

    free: float = 0.0
    carried: int = 0


class Proxy:
    """A context manager; `port` is where to call.  `there` and `back` count bytes from and to callers."""

    def __init__(self, target: int, *, delay: float = 0.0, rate: float = float("inf")) -> None:
        """Pass connections on to a port; delay in seconds one way, rate in bytes a second each way."""
        self.there, self.back = Way(), Way()
        self.port = 0
        self._target, self._delay, self._rate = target, delay, rate
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._whole = asyncio.Event()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._whole.set()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def fall_silent(self) -> None:
        """Pass nothing on, and say nothing of it."""
        self._loop.call_soon_threadsafe(self._whole.clear)

    def hang_up(self) -> None:
        """End all connections and refuse others."""
        self._do(self._close())

    def mend(self) -> None:
        """Be a whole wire again."""
        self._loop.call_soon_threadsafe(self._whole.set)
        if self._server is None:
            self._do(self._listen())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in self._open:
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(self, *caller: Any) -> None:
        try:
            called = await asyncio.open_connection("127.0.0.1", self._target, limit=CHUNK)
        except OSError:
            caller[1].transport.abort()
            return
        self._begin(caller[0], called[1], self.there)
        self._begin(called[0], caller[1], self.back)

    def _begin(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: Way) -> None:
        task = self._loop.create_task(self._carry(source, sink, way))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._open.add(sink)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: Way) -> None:
        """Pass one direction of one connection on, until it ends."""
        travelling: Travelling = asyncio.Queue()
        arrivals = self._loop.create_task(self._arrive(travelling, sink))
        try:
            while data := await source.read(CHUNK):
                now = self._loop.time()
                way.free = max(way.free, now) + len(data) / self._rate
                way.carried += len(data)
                travelling.put_nowait((way.free + self._delay, data))
                await asyncio.sleep(max(0.0, way.free - now - QUEUE / self._rate))
            travelling.put_nowait((way.free + self._delay, b""))
            await arrivals
        except OSError:
            sink.transport.abort()
        finally:
            arrivals.cancel()
            self._open.discard(sink)

    async def _arrive(self, travelling: Travelling, sink: asyncio.StreamWriter) -> None:
        while True:
            due, data = await travelling.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await self._whole.wait()
            if not data:
                sink.close()
                return
            sink.write(data)
            await sink.drain()

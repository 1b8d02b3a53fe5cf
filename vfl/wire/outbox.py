"""The frames that wait to be written to a stream: a few, so that who sends too fast has to wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

CAPACITY = 8
"""Frames that wait before `put` does."""


class Outbox:
    """A bounded queue with an end; whoever iterates over it is the writer of the stream."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._finished = False

    def put(self, frame: bytes, timeout: float) -> bool:
        """Add a frame, or return False once finished; raise TimeoutError when full for so long."""
        with self._changed:
            if not self._changed.wait_for(self._takes_or_finished, timeout):
                raise TimeoutError
            if not self._finished:
                self._frames.append(frame)
                self._changed.notify_all()
            return not self._finished

    def finish(self, last: bytes) -> None:
        """Add the last frame, however many wait."""
        self._end(last, drop=False)

    def break_off(self, last: bytes = b"") -> None:
        """Forget what waits and end with this frame, or with none."""
        self._end(last, drop=True)

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frames or self._finished)
                if not self._frames:
                    return
                frame = self._frames.popleft()
                self._changed.notify_all()
            yield frame

    def _takes_or_finished(self) -> bool:
        return self._finished or len(self._frames) < CAPACITY

    def _end(self, last: bytes, *, drop: bool) -> None:
        with self._changed:
            if drop:
                self._frames.clear()
            if last and not self._finished:
                self._frames.append(last)
            self._finished = True
            self._changed.notify_all()

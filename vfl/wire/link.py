"""A link: one authenticated stream to one peer, both directions, as blocking calls.

    send -> Outbox -> the stream's writer          (a few frames wait; then `send` waits)
    receive <- inbox <- reader thread <- the stream (a few hundred MB wait; then the peer waits)

The reader takes messages off the stream while the party computes, so two parties that both send
before they receive do not block each other.  It also notices at once that a stream breaks.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from vfl.errors import LostError, PeerError, ProtocolError
from vfl.wire.codec import MAX_MESSAGE
from vfl.wire.frames import (
    Assembler,
    Hello,
    Kind,
    abort_frame,
    ack_frame,
    bye_frame,
    cut,
    kind_of,
    open_abort,
    open_ack,
)
from vfl.wire.outbox import Outbox

INBOX_BYTES = MAX_MESSAGE
"""Bytes of messages nobody has asked for yet, beyond which nothing more is read."""

MESSAGE_COST = 4096
"""Bytes that a waiting message counts for besides its own, so that empty ones are bounded too."""

FAREWELL = 60.0
"""Seconds that `close` gives a live peer to confirm that it got everything."""

ABORT_PATIENCE = 2.0
"""Seconds that `abort` gives a peer to take notice."""


class Link:
    """One authenticated stream to one peer.  `hello` is what the peer said first.

    `frames` yields what the peer sends after its hello, raises PeerError where the stream breaks
    and ends where it ends; `hang_up` ends it by force.  Before its hello is `answered` a peer may
    send nothing: nobody has asked for what would have to be kept.
    """

    def __init__(
        self,
        peer: str,
        hello: Hello,
        outbox: Outbox,
        frames: Iterator[bytes],
        hang_up: Callable[[], object],
        *,
        answered: bool = True,
    ) -> None:
        self.peer = peer
        self.hello = hello
        self.answered = answered
        self.acknowledged = 0
        """Messages that the peer will never ask for again."""
        self._outbox = outbox
        self._frames = frames
        self._hang_up = hang_up
        self._changed = threading.Condition()
        self._inbox: deque[bytes] = deque()
        self._held = 0
        self._heard = 0.0
        self._assembler = Assembler()
        self._error: PeerError | None = None
        self._news: Exception | None = None
        self._told = False
        self._left = False
        self._closing = False
        self._holds_bye = False
        self._surplus = False
        self._on_loss: Callable[[PeerError], None] | None = None
        self._over = threading.Event()
        threading.Thread(target=self._read, name=f"link to {peer}", daemon=True).start()

    @property
    def lost(self) -> bool:
        """Whether nothing more can be expected of this link."""
        return self._over.is_set() or self._error is not None

    @property
    def broken(self) -> bool:
        """Whether the stream ended without a word of the peer's."""
        return isinstance(self._error, LostError)

    @property
    def unread(self) -> bool:
        """Whether the peer has sent what nobody has asked for."""
        return bool(self._inbox) or self._surplus

    def send(self, data: bytes, timeout: float = 600.0) -> None:
        """Send a message; return once the last of it waits in the outbox.

        Raises PeerError where the link is lost or the peer takes nothing for so many seconds.
        """
        for frame in cut(data):
            try:
                taken = self._outbox.put(frame, timeout)
            except TimeoutError:
                error = PeerError(self.peer, f"has taken nothing for {timeout:g} s")
                self._give_up(error)
                raise error from None
            if not taken:
                self._raise_if_lost("more was sent to it")
                raise AssertionError("send after close")

    def receive(self, timeout: float, awaited: str = "a message") -> bytes:
        """Return the peer's next message; raise PeerError when the link is silent for so long or lost."""
        begun = time.monotonic()
        with self._changed:
            while not self._inbox:
                self._raise_if_lost(f"{awaited} was awaited")
                left = max(begun, self._heard) + timeout - time.monotonic()
                if left <= 0:
                    raise PeerError(self.peer, f"silent for {timeout:g} s while {awaited} was awaited")
                self._changed.wait(left)
            message = self._inbox.popleft()
            self._held -= len(message) + MESSAGE_COST
            self._changed.notify_all()
        return message

    def acknowledge(self, count: int, timeout: float = 600.0) -> None:
        """Tell the peer that so many of its messages need never be sent again; a lost link hears nothing."""
        with suppress(TimeoutError):
            self._outbox.put(ack_frame(count), timeout)

    def drop(self) -> None:
        """End the stream without a word, as if this process had died: the peer may call again."""
        with self._changed:
            self._told = self._closing = True
            self._error = self._error or LostError(self.peer, "was left")
            self._changed.notify_all()
        self._outbox.break_off()
        self._hang_up()

    def abort(self, reason: str, *, forbidden: bool = False) -> None:
        """Tell the peer that the run is over and why; return once it knows, soon in any case.

        `forbidden`: because of what was agreed.
        """
        with self._changed:
            self._told = self._closing = True
            self._error = self._error or PeerError(self.peer, f"was told to stop: {reason}")
            self._changed.notify_all()
        self._outbox.break_off(abort_frame(reason, forbidden=forbidden))
        if not self._over.wait(ABORT_PATIENCE):
            self._hang_up()

    def close(self, timeout: float = FAREWELL) -> None:
        """Say bye; return once the peer has everything that was sent, else raise PeerError.

        A loss that `send` or `receive` raised before is not raised again.
        """
        self.say_bye()
        if not self._over.wait(timeout if self._error is None else ABORT_PATIENCE):
            self._lose(PeerError(self.peer, f"did not confirm within {timeout:g} s that it got everything"))
            self._hang_up()
        if self._error is not None and not self._told:
            self._told = True
            raise self._error

    def say_bye(self) -> None:
        """Tell the peer that everything has been sent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._outbox.finish(bye_frame())

    def parted(self, timeout: float) -> bool:
        """Tell whether the stream is over, within so many seconds."""
        return self._over.wait(timeout)

    def watch(self, on_loss: Callable[[PeerError], None]) -> None:
        """Call back, from the reader's thread, when this link is lost."""
        with self._changed:
            self._on_loss = on_loss
            error = self._error
        if error is not None:
            on_loss(error)

    def interrupt(self, news: Exception) -> None:
        """Make who waits on this link learn at once that another peer was lost, or the disk."""
        with self._changed:
            self._news = news
            self._changed.notify_all()

    def hold_bye(self) -> None:
        """Leave a bye unanswered until `close`: until then the peer must be ready to send again."""
        with self._changed:
            self._holds_bye = True

    def calm(self) -> None:
        """Forget the news of another peer: it is back."""
        with self._changed:
            self._news = None

    def wait_until_over(self) -> None:
        """Return once the peer's side of the stream has ended."""
        self._over.wait()

    def _give_up(self, error: PeerError) -> None:
        """Expect nothing more of the peer; it can still be told why."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def _raise_if_lost(self, doing: str) -> None:
        if self._error is not None:
            self._told = True
            raise self._error
        if self._news is not None:
            raise self._news
        if self._left:
            raise PeerError(self.peer, f"ended its part of the run while {doing}")

    def _read(self) -> None:
        try:
            for frame in self._frames:
                self._heard = time.monotonic()
                if self._error is None:
                    self._take(frame)
        except PeerError as error:
            if not self._left:
                self._lose(error)
        finally:
            if not self._left:
                self._lose(LostError(self.peer, "is gone: it ended the stream without a bye"))
            self._over.set()
            with self._changed:
                self._changed.notify_all()

    def _take(self, frame: bytes) -> None:
        try:
            kind = kind_of(frame)
            if kind is Kind.HELLO or self._left or not self.answered:
                raise ValueError("a frame out of turn")
            if kind is Kind.ABORT:
                self._lose(open_abort(frame, self.peer))
            elif kind is Kind.ACK:
                self.acknowledged = max(self.acknowledged, open_ack(frame))
            elif kind is Kind.BYE:
                self._hear_bye()
            elif (message := self._assembler.add(frame)) is not None:
                self._keep(message)
        except ValueError as error:
            what = f"sent a malformed frame: {error}"
            self._lose(ProtocolError(self.peer, what), abort_frame(what))

    def _keep(self, message: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._held < INBOX_BYTES or self._closing)
            if self._closing:
                self._surplus = True
                return
            self._inbox.append(message)
            self._held += len(message) + MESSAGE_COST
            self._changed.notify_all()

    def _hear_bye(self) -> None:
        with self._changed:
            self._left = True
            self._changed.notify_all()
            holds = self._holds_bye and not self._closing
        if not holds:
            self._outbox.finish(bye_frame())

    def _lose(self, error: PeerError, last: bytes = b"") -> None:
        with self._changed:
            if self._error is not None:
                return
            self._error = error
            self._changed.notify_all()
            on_loss = None if self._closing else self._on_loss
        self._outbox.break_off(last)
        if on_loss is not None:
            on_loss(error)

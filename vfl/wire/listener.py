"""Waiting for peers that call: who they are is checked before anyone waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from vfl.errors import ConfigError, LostError
from vfl.wire.certificates import Identity, fingerprint, trusted_pem
from vfl.wire.channel import (
    GREETING,
    METHOD,
    SERVICE,
    certificate_shown,
    grpc,
    incoming,
    server_credentials,
    server_options,
)
from vfl.wire.frames import Hello, abort_frame, hello_frame, open_hello, short_hash
from vfl.wire.greeting import answering
from vfl.wire.link import Link
from vfl.wire.outbox import Outbox

P = ParamSpec("P")
T = TypeVar("T")

MAX_LINKS = 64
"""Links at a time, in use or waiting to be accepted; more are refused."""

GRACE = 2.0
"""Seconds that `close` leaves to streams that are about to end."""


@dataclass(frozen=True, slots=True)
class _Caller:
    link: Link
    outbox: Outbox


class Listener:
    """One port at which the named parties can call.  A context manager."""

    def __init__(self, address: str, identity: Identity, certificates: Mapping[str, bytes]) -> None:
        """Listen at "host:port" (port 0: any free one) for the parties of these certificates."""
        roots = {party: trusted_pem(pem, party) for party, pem in certificates.items()}
        self.address = address
        self._identity = identity
        self._pins = {party: fingerprint(pem) for party, pem in roots.items()}
        self._waiting: list[_Caller] = []
        self._accepted: list[_Caller] = []
        self._refused: dict[str, str] = {}
        self._changed = threading.Condition()
        self._server = grpc.server(
            _DaemonThreads(), options=server_options(), maximum_concurrent_rpcs=MAX_LINKS
        )
        handler = grpc.stream_stream_rpc_method_handler(self._hold)
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    SERVICE, {METHOD: handler, GREETING: answering(self._pins)}
                ),
            )
        )
        trusted_pem(identity.certificate_pem, identity.name)
        try:
            credentials = server_credentials(identity, b"".join(roots.values()))
            self.port = self._server.add_secure_port(address, credentials)
        except RuntimeError:
            raise ConfigError(
                address, "cannot listen here", "is the port in use, or the address not of this machine?"
            ) from None
        self._server.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening; links that are still open end without a word, and their peers may call again."""
        with self._changed:
            callers, self._waiting, self._accepted = self._waiting + self._accepted, [], []
        for caller in callers:
            if not caller.link.lost:
                caller.link.drop()
        self._server.stop(GRACE).wait()

    def accept(
        self,
        party: str,
        *,
        contract: str,
        run: str | None = None,
        timeout: float | None,
        have: Callable[[str], int] = lambda run: 0,
    ) -> Link:
        """Return a link that this party opened for this contract, and this run if one is named.

        `have`: how many of the party's messages of a run were taken already.

        A link under another contract is refused and the wait goes on; links of others, and of
        other runs, wait until they are asked for.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while (caller := self._take(party, contract, run)) is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise self._nobody(party, timeout)
                self._changed.wait(left)
            self._refused.pop(party, None)
            self._accepted = [c for c in self._accepted if not c.link.lost] + [caller]
        caller.link.answered = True
        caller.outbox.put(self._answer(caller, contract, have(caller.link.hello.run)), 0)
        return caller.link

    def calls_for_another(self, party: str, run: str) -> bool:
        """Tell whether this party waits to be accepted for another run than this one."""
        with self._changed:
            waiting = [c.link for c in self._waiting if not c.link.lost]
        return any(link.peer == party and link.hello.run != run for link in waiting)

    def _take(self, party: str, contract: str, run: str | None) -> _Caller | None:
        self._waiting = [c for c in self._waiting if not c.link.lost]
        for caller in [c for c in self._waiting if c.link.peer == party]:
            hello = caller.link.hello
            if hello.contract != contract:
                self._waiting.remove(caller)
                self._refuse(caller, contract)
            elif run is None or hello.run == run:
                self._waiting.remove(caller)
                return caller
        return None

    def _refuse(self, caller: _Caller, contract: str) -> None:
        self._refused[caller.link.peer] = caller.link.hello.contract
        caller.outbox.put(self._answer(caller, contract), 0)
        caller.outbox.finish(abort_frame("the contracts differ", forbidden=True))

    def _answer(self, caller: _Caller, contract: str, have: int = 0) -> bytes:
        hello = caller.link.hello
        return hello_frame(Hello(contract, hello.run, hello.task, self._identity.name, have))

    def _nobody(self, party: str, waited: float | None) -> LostError:
        hint = f"is {party} running, and does it call port {self.port}?"
        if party in self._refused:
            hint = f"{party} called with another contract: {short_hash(self._refused[party])}"
        return LostError(party, f"did not call within {waited:g} s", hint)

    def _hold(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Hold the stream of one caller from its hello to its end, in a thread of its own."""
        try:
            hello = open_hello(next(requests))
        except (ValueError, StopIteration, grpc.RpcError) as error:
            return _refuse_stream(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        shown = fingerprint(certificate_shown(context))
        if self._pins.get(hello.party) != shown:
            return _refuse_stream(
                context, grpc.StatusCode.PERMISSION_DENIED, f"{shown} is not the certificate of {hello.party}"
            )
        outbox = Outbox()
        frames = incoming(requests, hello.party, lambda: None)
        link = Link(hello.party, hello, outbox, frames, context.cancel, answered=False)
        with self._changed:
            self._waiting.append(_Caller(link, outbox))
            self._changed.notify_all()
        return _until_over(outbox, link)


def _until_over(outbox: Outbox, link: Link) -> Iterator[bytes]:
    yield from outbox
    # To return is to end the stream in both directions.
    link.wait_until_over()


def _refuse_stream(context: grpc.ServicerContext, code: grpc.StatusCode, why: str) -> Iterator[bytes]:
    context.set_code(code)
    context.set_details(why)
    return iter(())


class _DaemonThreads(ThreadPoolExecutor):
    """A thread for each stream, which does not keep the program from ending as a pool's would."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, name="link", daemon=True).start()
        return future

"""`vfl guest online`: scores over HTTP, one customer a request.

    POST /score {"id": "0042"}                     a customer of the guest's table
    POST /score {"id": "0042", "age": 31, ...}     one that is told of: all columns of the guest's half
    200 {"id", "pd", "points", "run"}              the score, as a batch gives it; run: the model's training;
                                                   and "band", "reason_1", "lost_1", .. where asked for
    400 {"error"}                                  the request is malformed, or a column is
    404 {"error"}                                  the guest or the host does not hold the id: there is no PD
    429, 503 {"error"}                             today's questions are used up; the host is not there now
    GET /health                                    200 while questions are answered, else 503

Nobody is asked who they are: it listens on this machine alone unless told otherwise, and belongs
behind whatever guards the institution's other services.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parties.config.job import Job
from parties.config.party import Party
from parties.contract.mandate import Mandate
from parties.online.asking import BusyError, Line
from parties.online.customers import Customers
from parties.programs.links import Contacts
from parties.programs.model import Half
from parties.programs.run import Run, load_kernels
from parties.programs.scores import check_reasons, score_columns
from parties.progress import Progress
from vfl.errors import ConfigError, ContractError, DataError
from vfl.table.table import Table

MODEL = "model.json"
MOST_BYTES = 1 << 16
"""Bytes of the longest request."""

Answer = tuple[int, dict[str, Any]]


class Scores:
    """What the service knows, and how it answers."""

    def __init__(self, customers: Customers, line: Line, half: Half, run: Run) -> None:
        self._customers, self._line, self._half, self._run = customers, line, half, run

    async def score(self, body: bytes) -> Answer:
        """Return the status and the JSON that answer a request."""
        try:
            asked = json.loads(body)
            id = self._customers.id(asked.pop("id"))
            own = self._customers.told(asked) if asked else self._customers.known(id)
        except DataError as error:
            return 400, {"error": str(error)}
        except (ValueError, TypeError, KeyError, AttributeError):
            return 400, {"error": 'send {"id": text}, with or without the columns of the model'}
        if own is None or not id:
            return 404, {"error": "the table has no such id"}
        try:
            theirs = await asyncio.wrap_future(self._line.ask(id))
        except ContractError as error:
            return 429, {"error": str(error)}
        except BusyError:
            return 503, {"error": "the partner cannot be asked now"}
        if theirs is None:
            return 404, {"error": "the partner does not hold the id"}
        return 200, {"id": id, **self._scored(own, theirs), "run": self._half.run}

    def health(self) -> Answer:
        """Return whether questions are answered."""
        return (200, {"ready": True}) if self._line.ready else (503, {"ready": False})

    def _scored(self, own: Table, theirs: float) -> dict[str, Any]:
        joint = self._half.calibrated(self._half.logit(own) + theirs)
        columns = score_columns(self._run, self._half, own, joint)
        found = {name: values.tolist()[0] for name, values in columns.items() if name != "id"}
        return {name: None if value != value else value for name, value in found.items()}  # NaN is no JSON


def serve(
    job: Job, party: Party, out: Path, progress: Progress, *, listen: str, port_file: Path | None = None
) -> None:
    """Answer requests until told to stop; raise what keeps the host from ever being asked again."""
    uvicorn = _uvicorn()
    half = Half.load(out / MODEL)
    check_reasons(party, half)
    Mandate(job, party, run="", task="online").check_model(half.run)
    assert party.data is not None
    customers, contacts = Customers(job, party.data, half), Contacts.load(job, party)
    load_kernels(party, ids=True)
    line = Line(contacts, half.run, out, progress)
    first = line.begin()
    with _socket(listen) as opened:
        port = opened.getsockname()[1]
        if port_file:
            port_file.write_text(str(port))
        application = _application(Scores(customers, line, half, first[0]))
        settings = uvicorn.Config(application, log_level="warning", access_log=False, lifespan="off")
        server = uvicorn.Server(settings)

        def stop() -> None:
            server.should_exit = True

        held = threading.Thread(target=line.hold, args=(stop, first), name="online session")
        held.start()
        progress.phase(f"answering on port {port}, for {len(customers)} customers and any that are told of")
        try:
            server.run(sockets=[opened])
        finally:
            line.close()
            held.join()
    if line.failure:
        raise line.failure


def _application(scores: Scores) -> Callable[..., Any]:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def score(request: Request) -> JSONResponse:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return JSONResponse({"error": f"more than {MOST_BYTES} bytes"}, 413)
        status, content = await scores.score(body)
        return JSONResponse(content, status)

    async def health(_: Request) -> JSONResponse:
        status, content = scores.health()
        return JSONResponse(content, status)

    return Starlette(routes=[Route("/score", score, methods=["POST"]), Route("/health", health)])


def _uvicorn() -> Any:
    try:
        import starlette  # noqa: F401  # found missing before anything is begun
        import uvicorn
    except ImportError:
        what = "needs starlette and uvicorn, which are not installed"
        raise ConfigError("vfl guest online", what, "pip install 'vfl[serve]'") from None
    return uvicorn


def _socket(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        return socket.create_server((host.strip("[]"), int(port)))
    except (OSError, ValueError, OverflowError) as error:
        what = f"{listen} cannot be listened on: {error}"
        raise ConfigError("--listen", what, "give host:port, such as 127.0.0.1:8080") from None

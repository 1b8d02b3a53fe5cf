"""Three parties that have signed one job, each with a folder of its own, and links between them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from network_fixtures import PARTIES, linked, together

from parties.config.data import Data
from parties.config.job import Job
from parties.config.party import Identity, Party
from parties.config.resources import Timeouts
from parties.config.schema import validated
from parties.config.yaml import parse
from parties.contract.approval import approve
from parties.programs.consent import agreed_session
from parties.programs.run import Run
from parties.progress import Silent
from vfl.wire.certificates import fingerprint, save_identity
from vfl.wire.network import Link, Session

NAMES = ("guest", "host", "arbiter")
RULES = "model: {tolerance: 0.1}"

TRAINING = {"guest": ("host", "arbiter"), "host": ("guest", "arbiter"), "arbiter": ("guest", "host")}
SCORING: dict[str, tuple[str, ...]] = {"guest": ("host",), "host": ("guest",)}


@dataclass
class Signed:
    """A job, its parties' files, and what becomes of its runs."""

    folder: Path
    job: Job
    parties: dict[str, Party]

    def approve(self, name: str, *, expires: date | None = None, runs: int = 100) -> None:
        """Let a party approve the job."""
        approve(self.job, PARTIES[name], self.parties[name].approvals, expires=expires, runs=runs)

    def document(self, name: str, at: str | None = None) -> Path:
        """Return where a party's approval lies: at that party, or at another."""
        return self.parties[at or name].approvals / self.job.job / f"{name}.json"

    def runs(
        self, id: str, *, task: str = "train", then: Callable[[str, Session], Any] | None = None
    ) -> dict[str, Any]:
        """Begin a run; return what each party gets: a session or what `then` makes of it, or its error."""
        met = TRAINING if task == "train" else SCORING
        with ExitStack() as stack:
            links: dict[str, dict[str, Link]] = {name: {} for name in met}
            for one in met:
                for other in met[one]:
                    if other not in links[one]:
                        ends = stack.enter_context(linked(one, other))
                        links[one][other], links[other][one] = ends
            return together({name: lambda n=name: self._begin(n, id, task, links[n], then) for name in met})

    def _begin(
        self,
        name: str,
        id: str,
        task: str,
        links: dict[str, Link],
        then: Callable[[str, Session], Any] | None,
    ) -> Any:
        peers = {peer: links[peer] for peer in TRAINING[name] if peer in links}
        session = agreed_session(Run.begin(self.job, self.parties[name], id, task, Silent()), peers)
        result = then(name, session) if then else session
        session.close()
        return result


def job_of(more: str = RULES) -> Job:
    """Return a job of the three parties, with their certificates pinned."""
    parties = "".join(
        f'  {name}: {{role: {name}, certificate: "{fingerprint(PARTIES[name].certificate_pem)}"}}\n'
        for name in NAMES
    )
    text = f'vfl: 1\njob: signed\npurpose: "Tests."\nparties:\n{parties}{more}\n'
    return validated(Job, parse(text, Path("job.yaml")))


def signed(folder: Path, more: str = RULES) -> Signed:
    """Return a job that all three have approved, each in a folder of its own."""
    parties = {}
    for name in NAMES:
        own = folder / name
        key, certificate = save_identity(PARTIES[name], own)
        parties[name] = Party(
            vfl=1,
            party=name,
            data=None if name == "arbiter" else Data(table=own / "table.csv"),
            identity=Identity(certificate=certificate, key=key),
            peers={},
            timeouts=Timeouts(message=20),
            out=own / "out",
            approvals=own / "approvals",
            state=own / "state",
        )
    site = Signed(folder, job_of(more), parties)
    for name in NAMES:
        site.approve(name)
    return site

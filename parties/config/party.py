"""The party's own file: its table, its addresses, its keys.  No other party sees it.

Paths are relative to the file's folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from parties.config.data import Data, check_data
from parties.config.generalised import GeneralisedRules
from parties.config.job import Job
from parties.config.place import Place, store
from parties.config.policy import PolicyRules
from parties.config.resources import Compute, Timeouts, check_compute
from parties.config.schema import Section, validated
from parties.config.scores import ScoreRules, check_scores
from parties.config.yaml import Document, dump, load


def address(text: str) -> str:
    """Return host:port if the text is one, else raise ValueError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f'"{text[:60]}" is no address: host:port')
    return text


Address = Annotated[str, AfterValidator(address)]


class Identity(Section):
    """What the party proves itself with."""

    certificate: Place = Field(description="The party's certificate (PEM).", examples=["bank.crt"])
    key: Place = Field(
        description="Its private key (PEM), readable by the owner alone.", examples=["bank.key"]
    )


class Link(Section):
    """How another party is reached and known."""

    dial: Address | None = Field(
        default=None, description="The peer's host:port; empty waits until the peer dials this party."
    )
    certificate: Place = Field(
        description="The peer's certificate (PEM), which must be the one the job pins.",
        examples=["insurer.crt"],
    )


class Tracking(Section):
    """Where the guest's trainings are logged besides its own folder."""

    mlflow: Annotated[str, AfterValidator(store)] = Field(
        description="MLflow's tracking server, database or folder: https://.., sqlite:///FILE, a path.",
        examples=["https://mlflow.example.org"],
    )
    experiment: str = Field(default="vfl", description="Experiment under which runs are kept.")


class Report(Section):
    """What the guest's report is to show."""

    cutoff: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="PD from which customers are refused, for the counts at a cutoff and for the swap set. "
        "Empty takes the bad rate of the rows that are measured.",
    )


class Party(Section):
    """A party's file."""

    vfl: Literal[1] = Field(description="Version of this file's format.", examples=[1])
    party: str = Field(description="Which party of the job this is.", examples=["bank"])
    data: Data | None = Field(default=None, description="The party's table. The arbiter has none.")
    listen: Address | None = Field(
        default=None,
        description="Address on which other parties reach this one. Not needed where nobody dials.",
        examples=["0.0.0.0:7443"],
    )
    identity: Identity = Field(description="The party's certificate and key.")
    peers: dict[str, Link] = Field(
        description="Every other party of the job by its name; of a host, every one but the other hosts.",
        examples=[
            {
                "insurer": {"dial": "insurer.example.org:7443", "certificate": "insurer.crt"},
                "trustee": {"dial": "trustee.example.org:7443", "certificate": "trustee.crt"},
            }
        ],
    )
    compute: Compute = Field(default=Compute(), description="Where the party's work is done.")
    timeouts: Timeouts = Field(default=Timeouts(), description="How long to wait.")
    out: Place = Field(
        default=Path("runs"),
        validate_default=True,
        description="Folder in which models, scores and reports are put.",
    )
    report: Report = Field(default=Report(), description="What the guest's report is to show.")
    tracking: Tracking | None = Field(
        default=None,
        description="Logs the guest's trainings with MLflow: terms, measures, and what is in its own folder. "
        "Needs `pip install 'vfl[mlflow]'`.",
    )
    scores: ScoreRules = Field(
        default=ScoreRules(), description="What the guest's scores say besides PD and points."
    )
    policy: PolicyRules = Field(
        default=PolicyRules(),
        description="What this party takes part in at all: a job that goes beyond it is refused.",
    )
    approvals: Place = Field(
        default=Path("approvals"),
        validate_default=True,
        description="Folder of signed approvals: this party's own, by `vfl approve`, and the others'.",
    )
    state: Place = Field(
        default=Path("state"),
        validate_default=True,
        description="Folder in which the party keeps what outlasts its runs, under its name and for its "
        "owner alone: its audit log, runs counted, approvals withdrawn.",
    )

    @classmethod
    def load(cls, path: Path, job: Job) -> Party:
        """Return the party in a file, which must have its part in the job."""
        document = load(path)
        party = validated(cls, document, {"folder": path.parent})
        _check_part(party, job, document)
        check_data(party.data, job.parties[party.party].role, job, document)
        _check_peers(party, job, document)
        check_compute(party.compute, document)
        check_scores(party.scores, job.guest == party.party, job, document)
        if party.tracking and job.guest != party.party:
            raise document.error(("tracking",), "only the guest's trainings are logged", "remove the section")
        if party.report != Report() and job.guest != party.party:
            raise document.error(("report",), "only the guest has a report", "remove the section")
        if party.report.cutoff is not None and isinstance(job.model, GeneralisedRules):
            what = f"kind {job.model.kind} has no PD to cut off at"
            raise document.error(("report", "cutoff"), what, "remove the key")
        return party

    def dump(self, path: Path) -> None:
        """Write the party with every default filled in and its paths made absolute."""
        dump(self.model_dump(mode="json"), path)


def _check_part(party: Party, job: Job, document: Document) -> None:
    if party.party not in job.parties:
        raise document.error(
            ("party",),
            f'the job {job.job} has no party "{party.party}"',
            f"its parties are {', '.join(sorted(job.parties))}",
        )


def _check_peers(party: Party, job: Job, document: Document) -> None:
    others = set(job.peers_of(party.party))
    for name in party.peers:
        if name not in others:
            what = f"is no party of the job {job.job}"
            if name in job.parties:
                what = "is this party itself" if name == party.party else "is a host too: hosts do not meet"
            raise document.error(("peers", name), what, f"the peers are {', '.join(sorted(others))}")
    for name in sorted(others - set(party.peers)):
        raise document.error(("peers",), f"{name} is missing", "say how each other party is reached")
    for name, link in party.peers.items():
        if link.dial is None and party.listen is None:
            raise document.error(
                ("peers", name),
                f"{name} cannot be reached: this party neither dials it nor listens",
                f"give peers.{name}.dial, or listen",
            )
    _check_directions(party, job, document)


def _check_directions(party: Party, job: Job, document: Document) -> None:
    """Refuse a guest that waits for a peer, and anybody else on whom the guest cannot call."""
    if job.parties[party.party].role == "guest":
        for name, link in party.peers.items():
            if link.dial is None:
                hint = f"give the address on which {name} listens: peers.{name}.dial"
                raise document.error(("peers", name), "the guest begins every run, so it dials", hint)
    elif party.listen is None:
        hint = "give the address on which this party listens"
        raise document.error(("listen",), "missing: the guest dials this party", hint)

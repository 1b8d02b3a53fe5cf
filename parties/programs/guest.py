"""The guest: aligns, bins, fits its half and its own model, evaluates, reports and scores."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parties.config.job import Job
from parties.config.party import Party
from parties.contract.mandate import Mandate
from parties.inspection import clean_ids, training_rows
from parties.programs import lasting
from parties.programs.batch import Batch, Scored, Told, guest_matched
from parties.programs.consent import agreed_session, publish_results
from parties.programs.earlier import Earlier
from parties.programs.effort import Effort
from parties.programs.files import check_folder
from parties.programs.links import Contacts
from parties.programs.masking import hosts_logits
from parties.programs.model import Half
from parties.programs.points import card_facts
from parties.programs.run import Run, load_kernels
from parties.programs.scores import check_reasons, id_frames, score_frames
from parties.programs.trees import batches, warm
from parties.programs.trees_model import TreeHalf
from parties.progress import Progress
from parties.sources import batch_source, check_sink, keep_scores, read_training
from parties.tracking import check_tracking, track
from vfl.errors import VflError
from vfl.table.read import check_columns, write_frames
from vfl.table.table import Table
from vfl.trees.model import GuestTrees
from vfl.wire.flow import Role
from vfl.wire.network import Link, Session

if TYPE_CHECKING:
    from parties.programs.training import Trained

MODEL = "model.json"
SCORES = "scores.parquet"
Vector = np.ndarray[Any, np.dtype[np.float64]]


def train(
    job: Job, party: Party, out: Path, progress: Progress, *, resumed: str | None = None
) -> dict[str, Any]:
    """Fit the joint model; leave run.json, model.json, ledger.json and report.html in `out`.

    `resumed`: the run to go on with, instead of a new one.
    """
    effort, contacts = Effort(), Contacts.load(job, party)
    with lasting.pausable(contacts, out):
        table = _read(job, party)
        if not resumed:
            check_folder(out)
            warm.check_model(job, out / MODEL)
        load_kernels(party, ids=True)
        id = resumed or secrets.token_hex(8)
        inputs = lasting.inputs(party, table)
        if resumed:
            journal = lasting.found(contacts, out, id, inputs)
        else:
            Mandate(job, party, id, "train").own_document()
            journal = lasting.begin(contacts, out, id, inputs, contacts.absent())
        absent = lasting.absent_from(journal)
        with lasting.alone(journal):
            rng, earlier = lasting.Recorded(journal), Earlier.of(party)
            run = Run.begin(
                job, party, id, "train", progress, rng=rng, steps=journal, earlier=earlier, absent=absent
            )
            links = {} if resumed else _met(contacts, run)
            lasts = lasting.lasting(contacts, journal, "train")
            with lasting.over(journal) as over:
                session = agreed_session(run, links, lasts, _peers(run))
                if not over:
                    trained = session.run(_training(run, table, out / MODEL))
                    _publish(run, session, trained, out, effort)
                    lasting.deliver(journal)
                session.close()
    summary: dict[str, Any] = json.loads((out / "run.json").read_text(encoding="utf-8"))
    if party.tracking:
        try:
            track(party.tracking, job, summary, out)
        except VflError as error:  # the training is done, whatever becomes of its copy
            progress.warn(str(error))
    return summary


def _read(job: Job, party: Party) -> Table:
    assert party.data is not None
    check_tracking(party.tracking)
    table = read_training(party.data)
    check_columns(table)
    training_rows(table)
    clean_ids(job, table)
    return table


def _training(run: Run, table: Table, model: Path) -> Role[Trained]:
    # Imported while the arbiter makes its key: scikit-learn takes as long.
    if run.job.model.kind == "trees":
        from parties.programs.trees.guest import training as growing

        return growing(run, table, model)
    if run.family:
        from parties.programs.outcomes import training as regressing

        return regressing(run, table)
    from parties.programs.training import training

    return training(run, table)


def _publish(run: Run, session: Session, trained: Trained, out: Path, effort: Effort) -> None:
    from parties.report.page import render  # with matplotlib, which no training needs before

    ledger = run.ledger(session)
    summary = run.books(session, effort) | trained.facts | card_facts(run.job, trained.half)
    files = {
        MODEL: trained.half.as_json(),
        "ledger.json": ledger,
        "run.json": summary,
        "curves.json": trained.curves,
        "report.html": render(summary, [{"party": run.party.party, "entries": ledger}], trained.curves),
    }
    publish_results(session, out, files)


def score(
    job: Job, party: Party, out: Path, progress: Progress, *, input: Path | None, output: Path | None
) -> dict[str, Any]:
    """Score the common customers of a batch; leave the scores and the ids not matched."""
    effort = Effort()
    assert party.data is not None
    half = _loaded(job, out / MODEL)
    check_reasons(party, half)
    Mandate(job, party, run="", task="score").check_model(half.run)
    check_sink(party.data, output, out / SCORES)
    data = party.data
    batch = Batch.for_model(half.levels, data, input or batch_source(data), lambda: read_training(data))
    clean_ids(job, batch)
    contacts = Contacts.load(job, party)
    load_kernels(party, ids=True)
    absent = tuple(name for name in job.optional if name in half.absent)
    run = Run.begin(job, party, secrets.token_hex(8), "score", progress, absent=absent)
    Mandate(job, party, run.id, "score").own_document()
    session = agreed_session(run, _met(contacts, run))
    progress.phase("scoring")
    scored = session.run(_scoring(run, batch, half))
    session.close()
    frames = score_frames(run, half, scored.common, scored.logit)
    target = keep_scores(frames, run.id, party.data, output, out / SCORES)
    unmatched = (target or out / "scores").with_name("unmatched.csv")
    write_frames(unmatched, id_frames(scored.others))
    database = party.data.database
    facts: dict[str, Any] = {
        "model": half.run,
        "scores": str(target or (database and database.scores)),
        "scored": len(scored.common),
        "unmatched": len(scored.others),
        **scored.stability,
    }
    books = run.books(session, effort)
    files = {"score-ledger.json": run.ledger(session), "score.json": books | facts}
    publish_results(session, out, files, written=(target, unmatched) if target else (unmatched,))
    return facts | {"warnings": run.warnings}


def _loaded(job: Job, path: Path) -> Half | TreeHalf[GuestTrees]:
    if job.model.kind == "trees":
        return TreeHalf.load(path, GuestTrees)
    return Half.load(path, job.model.kind)


def _scoring(run: Run, batch: Batch, half: Half | TreeHalf[GuestTrees]) -> Role[Scored]:
    if isinstance(half, TreeHalf):
        return batches.guest(run, batch, half)
    return scoring_batch(run, batch, half)


async def scoring_batch(run: Run, batch: Batch, half: Half) -> Scored:
    """Return the common customers, the others, and the logits of the joint model."""
    common, others = await guest_matched(run, batch, half)
    told = Told(run, half)
    own = told.numbers(common, half.logit)
    theirs = await hosts_logits(run, len(common))
    logit = half.calibrated(own + half.unit * theirs)
    return Scored(common, others, logit, told.stability())


def _met(contacts: Contacts, run: Run) -> dict[str, Link]:
    """Dial whoever takes part in a run."""
    return {name: contacts.meet(name, run.id, run.task, absent=run.absent) for name in _peers(run)}


def _peers(run: Run) -> tuple[str, ...]:
    """Return whom the guest meets: in a scoring no arbiter."""
    if run.task != "train":
        return run.host_names
    return tuple(name for name in run.job.peers_of(run.job.guest) if name not in run.absent)

"""The host: aligns, bins, fits its half, and answers scores with its part of the logit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.config.job import Job
from parties.config.party import Party
from parties.contract.mandate import Mandate
from parties.inspection import clean_ids
from parties.online.answering import answering
from parties.programs import lasting
from parties.programs.alignment import align_host, measured_rows
from parties.programs.batch import Told, host_matched
from parties.programs.consent import publish_results
from parties.programs.disclosed import host_coefficients, show_names
from parties.programs.effort import Effort
from parties.programs.errors import host_errors
from parties.programs.features import check_signs, host_features, without
from parties.programs.fitting import host_fits, host_keys, told_units
from parties.programs.folds import host_path
from parties.programs.masking import send_logits
from parties.programs.model import Features, Half, columns_of, levels_in, unseen
from parties.programs.overlap import host_without_overlap
from parties.programs.points import card_facts
from parties.programs.precedents import check_earlier
from parties.programs.run import Run
from parties.programs.serving import Service
from parties.programs.serving import serve as serve_runs
from parties.programs.signs import Inputs, host_fitted
from parties.programs.stability import held_out_stability, monthly, population_of
from parties.programs.stored import stored
from parties.programs.trees import batches
from parties.programs.trees import host as trees
from parties.progress import Progress
from parties.sources import read_training
from vfl.table.read import check_columns
from vfl.table.table import Table
from vfl.wire.flow import Role
from vfl.wire.network import Session

MODEL = "model.json"
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training leaves at the host."""

    half: Half
    facts: dict[str, Any]


def serve(job: Job, party: Party, out: Path, progress: Progress, service: Service) -> None:
    """Take part in trainings and scorings until told to stop."""
    assert party.data is not None
    table = read_training(party.data)
    check_columns(table)
    clean_ids(job, table)

    def take_part(run: Run, session: Session) -> None:
        progress.phase("training" if run.task == "train" else "scoring")
        match run.task:
            case "train":
                _train(run, session, table, out)
            case "online":
                _serve_scores(run, session, answering(run, table, out / MODEL), out, "online")
            case _:
                _serve_scores(run, session, _scoring(run, table, out / MODEL), out, "score")

    arbiters = (job.arbiter,) if job.arbiter else ()
    others: dict[str, tuple[str, ...]] = {"train": arbiters, "score": (), "online": ()}
    inputs = lasting.inputs(party, table)
    serve_runs(job, party, out, progress, service, others=others, take_part=take_part, table=inputs)


def _train(run: Run, session: Session, table: Table, out: Path) -> None:
    effort = Effort()
    grows = run.job.model.kind == "trees"
    role: Role[Trained | trees.Trained] = (
        trees.training(run, table, out / MODEL) if grows else training(run, table)
    )
    trained = session.run(role)
    books = run.books(session, effort)
    files = {
        MODEL: trained.half.as_json(),
        "ledger.json": run.ledger(session),
        "run.json": books | trained.facts | card_facts(run.job, trained.half),
    }
    publish_results(session, out, files)


def _serve_scores(run: Run, session: Session, role: Role[dict[str, Any]], out: Path, name: str) -> None:
    """Play a role; leave the facts that it ends with in NAME.json, and its ledger beside it."""
    effort = Effort()
    facts = session.run(role)
    books = run.books(session, effort)
    files = {f"{name}-ledger.json": run.ledger(session), f"{name}.json": books | facts}
    publish_results(session, out, files)


async def _scoring(run: Run, table: Table, model: Path) -> dict[str, Any]:
    """Answer with the host's part of each score, of a model that the contract lets it score."""
    if model.exists():  # else the guest is told that there is none
        with stored(model, run.job.model.kind) as data:
            Mandate(run.job, run.party, run.id, run.task).check_model(data["run"])
    scores = batches.host if run.job.model.kind == "trees" else scoring_batch
    return await scores(run, table, model)


async def training(run: Run, table: Table) -> Trained:
    """Fit the host's half."""
    keys = await host_keys(run)
    common = await align_host(run, table)
    await show_names(run, table)
    await check_earlier(run, common)
    features, described = await host_features(run, common, keys.labels)
    features = await host_without_overlap(run, common, keys.labels, features, described)
    x = features.transform(columns_of(common.table))
    told = await told_units(run)
    inputs = _inputs(run, features, x[common.train], told.mean_variance)
    fits = await host_fits(run, common, inputs.columns(run.gradient_bits), keys)
    if run.job.cv:
        chosen = await host_path(run, fits, common, inputs)
        inputs = inputs.part(slice(None), chosen.C, chosen.start)
    values = described.get("information_value", {}).get("host", {})
    fitted = await host_fitted(run, fits, inputs, values, table.source)
    if fitted.left:
        described["left_out"] = {"host": described.get("left_out", {}).get("host", {}) | fitted.left}
    features, x = without(features, x, fitted.left)
    fit = fitted.fit
    errors = await host_errors(run, features.names, fitted.columns, fits.guests.sums, keys.labels)
    half = Half(
        run.id,
        features,
        dict(zip(features.names, (told.scale * fit.coefficients).tolist(), strict=True)),
        levels_in(common.training, features),
        population=population_of(common, features),
        absent=run.absent,
        kind=run.job.regression.kind,
        unit=told.scale,
    )
    check_signs(run, table.source, half.weights)
    run.warn(*unseen(half.levels, common.table))
    facts = common.facts | {"iterations": fit.gradients} | described
    facts |= held_out_stability(run, common, half) | monthly(common.table, half.population)
    if errors:
        facts |= {"coefficients": half.weights, "standard_errors": errors}
    facts |= await host_coefficients(run, table, features, half.weights)
    await send_logits(run, (x @ fit.coefficients)[measured_rows(run.job, common.train)])
    return Trained(half, facts)


def _inputs(run: Run, features: Features, x: Matrix, variance: float) -> Inputs:
    """Return the host's columns as the fit begins with them: at 0."""
    penalty = np.full(x.shape[1], 1 / run.job.regression.C)
    return Inputs(features.names, x, penalty, np.zeros(x.shape[1]), variance)


async def scoring_batch(run: Run, table: Table, model: Path) -> dict[str, Any]:
    """Answer with the host's part of each common customer's logit."""
    half = Half.load(model, run.job.regression.kind) if model.exists() else None
    common = await host_matched(run, table, half)
    assert half is not None
    told = Told(run, half)
    logit = told.numbers(common, half.logit)
    await send_logits(run, logit / half.unit)
    return {"model": half.run, "scored": len(common)} | told.stability()

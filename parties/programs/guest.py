"""The guest: aligns, bins, fits its half and its own model, evaluates, reports and scores."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

import psi.ecdh
from parties.config.job import Job
from parties.config.party import Party
from parties.inspection import read_training
from parties.programs import run as shared
from parties.progress import Progress
from parties.report.page import render
from vfl.arbitration import receive_key
from vfl.crypto.randomness import Randomness
from vfl.errors import ConfigError
from vfl.features import split, woe
from vfl.gates import FEW_EVENTS
from vfl.linear import logistic, scoring
from vfl.linear.columns import Columns
from vfl.linear.sigmoid import sigmoid
from vfl.stats.metrics import evaluate
from vfl.stats.scorecard import Scorecard
from vfl.stats.standard import Standardiser
from vfl.stats.woe import bin_counts, information_value
from vfl.stats.woe import woe as woe_of
from vfl.table.read import check_columns, read_table, write_scores
from vfl.table.table import Categorical, Table
from vfl.wire.flow import Peer
from vfl.wire.network import Session, dial


def train(job: Job, party: Party, out: Path, progress: Progress) -> dict[str, Any]:
    """Fit the joint model; leave run.json, model.json, ledger.json and report.html in `out`."""
    begun = time.monotonic()
    assert party.data is not None
    table = read_training(party.data)
    check_columns(table)
    run, session = _session(job, party, "train", [job.arbiter, *job.hosts])
    model, facts, curves = session.run(_train(job, party, table, run, progress))
    session.close()
    ledger = session.ledger.as_json()
    summary: dict[str, Any] = shared.books(job, run, "train", session, time.monotonic() - begun) | facts
    shared.write_json(out / "model.json", model)
    shared.write_json(out / "ledger.json", ledger)
    shared.write_json(out / "run.json", summary)
    render(summary, [{"party": party.party, "entries": ledger}], curves, out / "report.html")
    return summary


def score(
    job: Job, party: Party, out: Path, progress: Progress, *, input: Path | None, output: Path | None
) -> dict[str, Any]:
    """Score the common customers of a batch; leave the scores and the ids not matched."""
    path = out / "model.json"
    if not path.exists():
        raise ConfigError(str(path), "no model", "train first: vfl guest train")
    model = json.loads(path.read_text(encoding="utf-8"))
    assert party.data is not None
    trained = read_training(party.data)
    batch = input or party.data.score
    table = trained
    if batch is not None:
        levels = [n for n, c in trained.columns.items() if isinstance(c, Categorical)]
        table = read_table(batch, id=party.data.id, columns=list(trained.columns), categorical=levels)
    run, session = _session(job, party, "score", list(job.hosts))
    progress.phase("scoring")
    ids, rows = shared.cleaned(job, table)
    common, theirs = session.run(_score(job, party, ids, run))
    session.close()
    card = Scorecard(**job.scorecard.model_dump())
    w = np.array(list(model["coefficients"].values()))
    logit = w[0] + shared.design(model, rows.take(common)) @ w[1:] + theirs
    frame = pd.DataFrame({"id": ids[common], "pd": sigmoid(logit), "points": card.whole_points(logit)})
    target = output or out / "scores.parquet"
    write_scores(target, frame.sort_values("id", ignore_index=True))
    unmatched = np.setdiff1d(ids, ids[common])
    write_scores(target.with_name("unmatched.csv"), pd.DataFrame({"id": unmatched}))
    shared.write_json(out / "score-ledger.json", session.ledger.as_json())
    return {"scores": str(target), "scored": len(frame), "unmatched": len(unmatched)}


def _session(job: Job, party: Party, task: str, peers: list[str]) -> tuple[str, Session]:
    own, known, run = shared.identity(job, party), shared.certificates(job, party), secrets.token_hex(8)
    links = {}
    for name in peers:
        address = party.peers[name].dial
        if address is None:
            raise ConfigError(f"peers.{name}.dial", "missing", "this version's guest dials its peers")
        links[name] = dial(
            address,
            own,
            name,
            known[name],
            shared.hello(job, party, run, task),
            connect_timeout=party.timeouts.connect,
        )
    return run, Session(links, timeout=party.timeouts.message)


async def _train(job: Job, party: Party, table: Table, run: str, progress: Progress) -> tuple[Any, Any, Any]:
    rng, gates = Randomness(), job.open_gates()
    host, arbiter = Peer(job.hosts[0]), Peer(job.arbiter)
    key = shared.public_key(job, party, await receive_key(job.encryption.bits, arbiter=arbiter))
    progress.phase("finding common customers")
    ids, rows = shared.cleaned(job, table)
    common = await psi.ecdh.guest(
        ids,
        rng,
        host=host,
        minimum=job.alignment.min_intersection,
        domain=shared.domain(job, run),
        workers=shared.workers(party),
    )
    aligned = rows.take(common.rows)
    assert aligned.label is not None
    in_train = np.ones(len(aligned), bool) if aligned.split is None else aligned.split == "train"
    await split.guest(np.asarray(in_train, bool), host=host)
    shared.check_training(aligned, in_train)
    y, y_train = aligned.label, aligned.label[in_train]
    if min(y_train.sum(), len(y_train) - y_train.sum()) < FEW_EVENTS:
        gates.refuse("few_events", table.source, f"{int(y_train.sum())} events in {len(y_train)} rows")
    progress.phase("binning")
    bins, standard, tables = None, None, []
    ivs: dict[str, dict[str, float]] = {"guest": {}, "host": {}}
    if job.features.kind == "woe":
        bins = shared.Bins.fit(aligned, in_train, job.features.bins)
        events = int(y_train.sum())
        for (name, b), codes in zip(bins.binnings.items(), bins.codes(aligned), strict=True):
            pos, neg = bin_counts(codes[in_train], y_train, b.slots)
            tables.append(woe_of(pos, neg, events, len(y_train) - events))
            ivs["guest"][name] = information_value(pos, neg, events, len(y_train) - events)
        found = await woe.guest(y_train, key=key, rng=rng, gates=gates, host=host, arbiter=arbiter)
        ivs["host"] = {f"{host.name} column {j + 1}": iv for j, iv in enumerate(found)}
        names = list(bins.binnings)
    else:
        standard = Standardiser.fit({n: c.values for n, c in aligned.columns.items()}, in_train)
        names = list(standard.names)
    features = shared.features_json(job.features.kind, bins, tables, standard)
    model: dict[str, Any] = {"features_kind": job.features.kind, "features": features}
    x = shared.design(model, aligned)
    alone = LogisticRegression(C=job.model.C, solver="newton-cholesky", tol=1e-10, max_iter=500)
    alone.fit(x[in_train], y_train)
    start = np.concatenate([alone.intercept_, alone.coef_[0]])
    own = np.column_stack([np.ones(len(x)), x])
    penalty = np.concatenate([[0.0], np.full(x.shape[1], 1 / job.model.C)])
    progress.phase("fitting", float(job.model.max_iter))
    fit = await logistic.guest(
        Columns(own[in_train], penalty, start),
        y_train,
        shared.fit_rules(job),
        key=key,
        rng=rng,
        host=host,
        arbiter=arbiter,
        report=lambda k, q, part: progress.advance(k - 1 + part, f"gradient {k}, degree {q}"),
    )
    one_point = Scorecard(**job.scorecard.model_dump()).one_point
    exact = job.disclosure.scores == "exact"
    theirs = await scoring.guest(len(x), one_point=one_point, exact=exact, host=host)
    joint, guest_only = sigmoid(own @ fit.coefficients + theirs), sigmoid(own @ start)
    model["coefficients"] = dict(zip(["intercept", *names], fit.coefficients.tolist(), strict=True))
    parts = {"train": in_train, "test": ~in_train}
    curves = {
        s: {"y": y[m], "joint": joint[m], "guest_only": guest_only[m]} for s, m in parts.items() if m.any()
    }
    facts = {
        "intersection": len(aligned),
        "rows": {s: int(m.sum()) for s, m in parts.items()},
        "splits": {
            s: {k: evaluate(c["y"], c[k]) for k in ("joint", "guest_only")} for s, c in curves.items()
        },
        "iterations": fit.gradients,
        "converged": fit.converged,
        "degrees": list(fit.degrees),
        "coefficients": model["coefficients"],
        "guest_only_coefficients": dict(zip(["intercept", *names], start.tolist(), strict=True)),
        "information_value": ivs,
        "gates_overridden": gates.overridden,
        "warnings": [] if fit.converged else ["the fit did not converge within model.max_iter"],
    }
    return model, facts, curves


async def _score(job: Job, party: Party, ids: Any, run: str) -> tuple[Any, Any]:
    (name,) = job.hosts
    common = await psi.ecdh.guest(
        ids,
        Randomness(),
        host=Peer(name),
        minimum=1,
        domain=shared.domain(job, run),
        workers=shared.workers(party),
    )
    theirs = await scoring.guest(
        len(common),
        one_point=Scorecard(**job.scorecard.model_dump()).one_point,
        exact=job.disclosure.scores == "exact",
        host=Peer(name),
    )
    return common.rows, theirs

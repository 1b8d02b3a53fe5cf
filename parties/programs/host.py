"""The host: aligns, bins, fits its half, and answers scores with its part of the logit."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import psi.ecdh
from parties.config.job import Job
from parties.config.party import Party
from parties.inspection import read_training
from parties.programs import run as shared
from parties.progress import Progress
from vfl.arbitration import receive_key
from vfl.crypto.randomness import Randomness
from vfl.errors import ConfigError
from vfl.features import split, woe
from vfl.gates import FEW_HOST_COLUMNS, Gates
from vfl.linear import logistic, scoring
from vfl.linear.columns import Columns
from vfl.stats.scorecard import Scorecard
from vfl.stats.standard import Standardiser
from vfl.table.read import check_columns, read_table
from vfl.table.table import Categorical, Table
from vfl.wire.flow import Peer
from vfl.wire.network import Listener, Session, dial


def serve(
    job: Job, party: Party, out: Path, progress: Progress, *, once: bool, port_file: Path | None
) -> None:
    """Take part in trainings and scorings until told to stop."""
    own, known = shared.identity(job, party), shared.certificates(job, party)
    assert party.data is not None
    assert party.listen is not None
    table = read_training(party.data)
    check_columns(table)
    with Listener(party.listen, own, known) as listener:
        if port_file:
            port_file.write_text(str(listener.port))
        while True:
            progress.phase("waiting for the guest")
            link = listener.accept(job.guest, contract=job.contract_hash(), timeout=None)
            begun, run, task = time.monotonic(), link.hello.run, link.hello.task
            links = {job.guest: link}
            if task == "train":
                peer = party.peers[job.arbiter]
                greeting = shared.hello(job, party, run, task)
                links[job.arbiter] = (
                    dial(
                        peer.dial,
                        own,
                        job.arbiter,
                        known[job.arbiter],
                        greeting,
                        connect_timeout=party.timeouts.connect,
                    )
                    if peer.dial
                    else listener.accept(
                        job.arbiter,
                        contract=job.contract_hash(),
                        run=run,
                        timeout=party.timeouts.connect,
                    )
                )
            session = Session(links, timeout=party.timeouts.message)
            progress.phase("training" if task == "train" else "scoring")
            if task == "train":
                model, facts = session.run(_train(job, party, table, run))
                books = shared.books(job, run, task, session, time.monotonic() - begun)
                shared.write_json(out / "model.json", model)
                shared.write_json(out / "run.json", books | facts)
                shared.write_json(out / "ledger.json", session.ledger.as_json())
            else:
                session.run(_score(job, party, table, run, out))
                shared.write_json(out / "score-ledger.json", session.ledger.as_json())
            session.close()
            if once:
                return


async def _train(job: Job, party: Party, table: Table, run: str) -> tuple[dict[str, Any], dict[str, Any]]:
    rng, gates = Randomness(), job.open_gates()
    guest, arbiter = Peer(job.guest), Peer(job.arbiter)
    key = shared.public_key(job, party, await receive_key(job.encryption.bits, arbiter=arbiter))
    ids, rows = shared.cleaned(job, table)
    common = await psi.ecdh.host(
        ids,
        rng,
        guest=guest,
        minimum=job.alignment.min_intersection,
        domain=shared.domain(job, run),
        workers=shared.workers(party),
    )
    aligned = rows.take(common.rows)
    train = await split.host(len(aligned), guest=guest)
    shared.check_training(aligned, train)
    _check_width(gates, len(aligned.columns), int(train.sum()))
    bins, standard, tables = None, None, []
    if job.features.kind == "woe":
        bins = shared.Bins.fit(aligned, train, job.features.bins)
        codes = [c[train] for c in bins.codes(aligned)]
        tables = await woe.host(codes, bins.slots, key=key, rng=rng, gates=gates, guest=guest)
    else:
        standard = Standardiser.fit({n: c.values for n, c in aligned.columns.items()}, train)
    features = shared.features_json(job.features.kind, bins, tables, standard)
    names = list(bins.binnings) if bins else list(standard.names) if standard else []
    model: dict[str, Any] = {"features_kind": job.features.kind, "features": features}
    x = shared.design(model, aligned)
    d = x.shape[1]
    columns = Columns(x[train], np.full(d, 1 / job.model.C), np.zeros(d))
    fit = await logistic.host(columns, shared.fit_rules(job), key=key, rng=rng, guest=guest, arbiter=arbiter)
    model["coefficients"] = dict(zip(names, fit.coefficients.tolist(), strict=True))
    one_point = Scorecard(**job.scorecard.model_dump()).one_point
    await scoring.host(
        x @ fit.coefficients, one_point=one_point, exact=job.disclosure.scores == "exact", guest=guest
    )
    facts = {
        "intersection": len(aligned),
        "rows": {"train": int(train.sum()), "test": int((~train).sum())},
        "iterations": fit.gradients,
        "gates_overridden": gates.overridden,
    }
    return model, facts


def _check_width(gates: Gates, columns: int, rows: int) -> None:
    if columns < FEW_HOST_COLUMNS:
        gates.refuse("few_host_columns", "host", f"{columns} columns take part")
    if rows < 10 * columns:
        gates.refuse("few_rows", "host", f"{rows} training rows for {columns} host columns")


async def _score(job: Job, party: Party, table: Table, run: str, out: Path) -> None:
    path = out / "model.json"
    if not path.exists():
        raise ConfigError(str(path), "no model", "train first: vfl guest train")
    model = json.loads(path.read_text(encoding="utf-8"))
    assert party.data is not None
    if party.data.score is not None:
        levels = [n for n, c in table.columns.items() if isinstance(c, Categorical)]
        table = read_table(
            party.data.score, id=party.data.id, columns=list(table.columns), categorical=levels
        )
    ids, rows = shared.cleaned(job, table)
    common = await psi.ecdh.host(
        ids,
        Randomness(),
        guest=Peer(job.guest),
        minimum=1,
        domain=shared.domain(job, run),
        workers=shared.workers(party),
    )
    logits = shared.design(model, rows.take(common.rows)) @ np.array(list(model["coefficients"].values()))
    await scoring.host(
        logits,
        one_point=Scorecard(**job.scorecard.model_dump()).one_point,
        exact=job.disclosure.scores == "exact",
        guest=Peer(job.guest),
    )

"""One customer's score online is the batch's; of whom nobody holds there is none; the contract has a say."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from contract_fixtures import Signed, signed
from network_fixtures import plain_environment

from parties.config.data import Data
from parties.config.party import Link, Party
from parties.config.scores import ScoreRules
from parties.contract.tally import Tally
from parties.online.answering import check_online
from parties.online.quota import Quota
from parties.programs.files import publish
from parties.programs.guest import score
from parties.programs.model import Half, columns_of, levels_in
from parties.programs.reasons import averages_of
from parties.programs.run import Run
from parties.progress import Silent
from vfl.errors import ContractError
from vfl.stats.standard import Standardiser
from vfl.table.read import read_table

RUN = "00112233445566aa"
ONLINE = "disclosure: {online: true, online_per_day: 9}\nscorecard: {bands: [520, 480]}"
N = 40


def site_in(folder: Path) -> Signed:
    """Return a job whose parties hold halves of a model and tables with 30 customers in common."""
    site = signed(folder, ONLINE)
    publish(
        site.document("arbiter", at="guest").parent, {"arbiter.json": site.document("arbiter").read_text()}
    )
    rng = np.random.default_rng(4)
    for name, ids in (("guest", range(N)), ("host", range(10, N + 10))):
        party = site.parties[name]
        rows = pd.DataFrame(
            {
                "id": [f"{k:04d}" for k in ids],
                "age": rng.normal(40, 9, N).round(1),
                "region": rng.choice(["north", "south"], N),
                "label": rng.integers(0, 2, N),
            }
        )
        rows.loc[12, "age"] = None
        path = folder / name / "table.csv"
        (rows if name == "guest" else rows.drop(columns="label")).to_csv(path, index=False)
        table = read_table(path, id="id", label="label" if name == "guest" else None)
        features = Standardiser.fit(columns_of(table), np.ones(N, np.bool_))
        base = {"intercept": -1.5} if name == "guest" else {}
        weights = base | dict.fromkeys(features.names, 0.75)
        half = Half(RUN, features, weights, levels_in(table))
        if name == "guest":
            half = replace(half, averages=averages_of(half, table, np.linspace(-2, -1, N)))
        publish(party.out, {"model.json": half.as_json()})
        Tally.of(site.job, party).begin((), RUN, "train", datetime.now(UTC))
    return site


def party_file(site: Signed, name: str, port: int = 0) -> tuple[Path, Party]:
    """Return a party with its peers' addresses, and its file."""
    peers = {
        other: Link(
            dial=f"127.0.0.1:{port or 1}" if name == "guest" else None,
            certificate=site.parties[other].identity.certificate,
        )
        for other in site.job.peers_of(name)
    }
    label = "label" if name == "guest" else None
    data = Data(table=site.folder / name / "table.csv", label=label)
    listen = "127.0.0.1:0" if name == "host" else None
    scores = ScoreRules(reasons=3 if name == "guest" else 0)
    own = {"peers": peers, "data": data, "listen": listen, "scores": scores}
    party = site.parties[name].model_copy(update=own)
    path = site.folder / f"{name}.yaml"
    party.dump(path)
    return path, party


@contextmanager
def process(folder: Path, name: str, *arguments: str) -> Iterator[int]:
    """Run a command that serves; yield the port that it has written down, and see it end in order."""
    ports = folder / f"{name}.port"
    command = [sys.executable, "-m", "parties", *arguments, "--port-file", str(ports)]
    with (folder / f"{name}.log").open("w") as log:
        running = subprocess.Popen(command, stderr=log, env=plain_environment())
    try:
        yield int(waited_for(lambda: ports.exists() and ports.read_text(), running))
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0, (folder / f"{name}.log").read_text()
    finally:
        running.kill()
        running.wait()


def waited_for(found: Any, running: subprocess.Popen[bytes]) -> Any:
    """Return what is found in the end, while the process runs."""
    deadline = time.monotonic() + 120
    while not (value := found()):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def test_a_score_online_is_that_of_the_batch(tmp_path: Path) -> None:
    site = site_in(tmp_path)
    job = tmp_path / "job.yaml"
    site.job.dump(job)
    host_file, _ = party_file(site, "host")
    with process(tmp_path, "host", "host", "serve", str(job), "--party", str(host_file)) as port:
        guest_file, guest = party_file(site, "guest", port)
        score(site.job, guest, guest.out, Silent(), input=None, output=tmp_path / "scores.csv")
        batch = pd.read_csv(tmp_path / "scores.csv", dtype={"id": str}).set_index("id")
        rows = pd.read_csv(tmp_path / "guest" / "table.csv", dtype={"id": str}).set_index("id")
        assert len(batch) == 30
        arguments = ("guest", "online", str(job), "--party", str(guest_file), "--listen", "127.0.0.1:0")
        with (
            process(tmp_path, "guest", *arguments) as http,
            httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=60) as client,
        ):
            while client.get("/health").status_code != 200:
                time.sleep(0.02)

            def asked(**body: Any) -> httpx.Response:
                return client.post("/score", json=body)

            reasons = set[Any]()
            for id in ("0010", "0012", "0039"):
                for told in ({}, {"age": rows.age[id], "region": rows.region[id]}):
                    told = {k: None if pd.isna(v) else v for k, v in told.items()}
                    got = asked(id=f" {id} ", **told).json()
                    assert abs(got["pd"] - batch.pd[id]) < 1e-12
                    assert (got["id"], got["points"], got["run"]) == (id, batch.points[id], RUN)
                    row = batch.loc[id].astype(object)
                    assert set(got) == {"id", "run", *row.index}
                    for name in row.index[2:]:
                        assert (got[name] is None) == pd.isna(row[name])
                        assert got[name] in (None, row[name], pytest.approx(row[name]))
                    reasons |= {got[name] for name in row.index if name.startswith("reason")}
            assert {"age", "partner: host", None} <= reasons
            assert asked(id="0003").status_code == 404  # the host does not hold it
            assert asked(id="0049").status_code == 404  # nor the guest, that one
            assert asked(id="0049", age=30, region="north").status_code == 200
            for wrong in ({"id": 12}, {"id": "0012", "age": "old"}, {"id": "0012", "colour": 1}):
                assert asked(**wrong).status_code == 400
            assert asked(id="0012").status_code == 200
            refused = asked(id="0012")
            assert (refused.status_code, "pd" in refused.json()) == (429, False)
    books = {
        name: json.loads((site.parties[name].out / "online.json").read_text()) for name in ("guest", "host")
    }
    assert [(book["asked"], book["scored"]) for book in books.values()] == [(9, 8), (9, 8)]
    told = {entry["message"]: entry for entry in ledger(site, "guest")}
    assert told["FoundId"]["plain_numbers"] == 9
    assert {entry["message"] for entry in ledger(site, "host")} >= {
        "LogitPoints",
        "RaisedId",
        "DirectoryPart",
    }


def ledger(site: Signed, name: str) -> list[dict[str, Any]]:
    """Return what a party has disclosed."""
    entries: list[dict[str, Any]] = json.loads((site.parties[name].out / "online-ledger.json").read_text())
    return entries


def test_the_days_questions_are_counted_across_restarts_and_days(tmp_path: Path) -> None:
    site = signed(tmp_path, ONLINE)
    today, tomorrow = datetime(2027, 6, 30, 23, 59, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)
    for _ in range(9):
        Quota(site.job, site.parties["host"]).take(today)
    with pytest.raises(ContractError, match="all 9 ids of 2027-06-30 have been asked for"):
        Quota(site.job, site.parties["host"]).take(today)
    Quota(site.job, site.parties["host"]).take(tomorrow)


def test_a_contract_without_it_keeps_scores_to_batches(tmp_path: Path) -> None:
    site = signed(tmp_path, "")
    with pytest.raises(ContractError, match="customers are scored in batches alone"):
        check_online(Run.begin(site.job, site.parties["host"], "run", "online", Silent()))

"""A host that the contract calls optional stays away: who is told, what is fitted, what is refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from network_fixtures import CERTIFICATES, GUEST, PARTIES, listening
from program_runs import BANK, INSURER, job, party, pinned
from test_several_regression import TABLES

from parties.audit.verify import verify
from parties.config.job import Job, JobParty
from parties.config.party import Identity, Link
from parties.config.resources import Timeouts
from parties.config.schema import validated
from parties.config.yaml import parse
from parties.contract.approval import approve
from parties.contract.mandate import Mandate
from parties.contract.words import in_words
from parties.doctor.peers import peers
from parties.programs import arbiter, host
from parties.programs.files import publish
from parties.programs.links import Contacts
from parties.programs.run import Run
from parties.programs.training import training
from parties.progress import Silent
from scripts.benchmarks.staged.stage import (
    TWO_HOSTS,
    Stage,
    cut_after_alignment,
    free_port,
    ports_in,
    prepared,
)
from vfl.errors import (
    ConfigError,
    ContractError,
    LostError,
    PeerError,
    ProtocolError,
    RefusedError,
    SecurityError,
)
from vfl.table.table import Table
from vfl.wire.certificates import load_identity
from vfl.wire.memory import Transcript, run_in_memory
from vfl.wire.network import Hello, dial
from vfl.wire.network import Link as NetworkLink

MORE = ("clerk", "lender")
"""Hosts beside the insurer, both optional."""


def agreed(folder: Path) -> Job:
    """Return the small job with three hosts, of whom two may stay away, all pinned."""
    plain = job("disclosure: {scores: exact}", ["small_bins"])
    parties = plain.parties | {name: JobParty(role="host", optional=True) for name in MORE}
    return pinned(plain.model_copy(update={"parties": parties}), folder)


def run_of(rules: Job, folder: Path, name: str, task: str, absent: tuple[str, ...]) -> Run:
    """Return a party's run, with its identity."""
    files = Identity(certificate=folder / f"{name}.crt", key=folder / f"{name}.key")
    own = party(name).model_copy(update={"identity": files})
    return Run.begin(rules, own, "run 1", task, Silent(), absent=absent)


def trained(folder: Path, tables: dict[str, Table], absent: tuple[str, ...]) -> tuple[Job, Transcript]:
    """Return a training of the bank and the hosts with a table here."""
    rules = agreed(folder)
    of = {name: run_of(rules, folder, name, "train", absent) for name in (*tables, "trustee")}
    roles: dict[str, Any] = {"bank": training(of["bank"], BANK), "trustee": arbiter.training(of["trustee"])}
    roles |= {name: host.training(of[name], table) for name, table in tables.items() if name != "bank"}
    return rules, run_in_memory(roles)


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Job, Transcript]:
    """A training without the clerk, and the folder of the identities and of the insurer's half."""
    folder = tmp_path_factory.mktemp("optional")
    rules, told = trained(folder, TABLES, ("clerk",))
    publish(folder, {"model.json": told.results["insurer"].half.as_json()})
    return folder, rules, told


def test_two_hosts_that_are_there_mask_and_take_turns_as_if_there_were_no_third(of_two: Any) -> None:
    folder, rules, told = of_two
    for name in ("insurer", "lender"):
        kinds = {entry["message"] for entry in told.ledgers[name].as_json()}
        assert "MaskedLogits" in kinds
        assert "ExactLogits" not in kinds
    of = run_of(rules, folder, "lender", "train", ("clerk",))
    assert (of.place.before, of.place.after, of.host_names) == (1, 0, ("insurer", "lender"))
    assert told.results["bank"].half.absent == told.results["lender"].half.absent == ("clerk",)


def test_no_host_answers_where_one_that_has_a_half_of_the_model_is_left_out(of_two: Any) -> None:
    folder, rules, _ = of_two
    of = run_of(rules, folder, "insurer", "score", MORE)
    with pytest.raises(ContractError, match="bank: scores without lender, which took part in the model"):
        run_in_memory({"insurer": host.scoring_batch(of, INSURER, folder / "model.json")})


@pytest.mark.parametrize(
    ("parties", "said"),
    [
        ("bank: {role: guest, optional: true}, insurer: {role: host}", "only a host may be optional"),
        ("bank: {role: guest}, insurer: {role: host, optional: true}", "only host cannot be optional"),
    ],
)
def test_a_job_that_could_be_left_without_a_party_it_needs_is_refused(parties: str, said: str) -> None:
    text = f'vfl: 1\njob: small\npurpose: "A test."\nparties: {{{parties}, trustee: {{role: arbiter}}}}\n'
    with pytest.raises(ConfigError, match=said):
        validated(Job, parse(text, Path("job.yaml")))


def test_only_optional_hosts_are_done_without_and_never_all_of_them(tmp_path: Path) -> None:
    rules = agreed(tmp_path)
    rules.check_absent(MORE, "bank")
    with pytest.raises(ContractError, match="bank: begins without insurer, which this contract does not"):
        rules.check_absent(("insurer",), "bank")
    parties = {name: own.model_copy(update={"optional": True}) for name, own in rules.parties.items()}
    every = rules.model_copy(update={"parties": parties})
    with pytest.raises(ContractError, match="bank: begins without any host"):
        every.check_absent(every.hosts, "bank")


def test_the_contract_says_in_words_who_may_stay_away(tmp_path: Path) -> None:
    lines = [line for line in in_words(agreed(tmp_path)) if "it may stay away" in line]
    assert len(lines) == 2


def test_an_absent_hosts_approval_is_not_asked_for(tmp_path: Path) -> None:
    rules = agreed(tmp_path)
    approvals = {"approvals": tmp_path / "approvals", "state": tmp_path / "state"}
    own = party("bank").model_copy(update=approvals)
    for name in ("bank", "insurer", "lender", "trustee"):
        approve(rules, load_identity(name, tmp_path / f"{name}.key", tmp_path / f"{name}.crt"), own.approvals)
    without = Mandate(rules, own, "run 1", "train", ("clerk",))
    without.check(without.held_documents())
    without.begin(without.held_documents())
    assert sorted(without.terms) == ["bank", "insurer", "lender", "trustee"]
    with pytest.raises(ContractError, match="clerk"):
        everybody = Mandate(rules, own, "run 2", "train")
        everybody.check(everybody.held_documents())


def contacts(rules: Job, ports: dict[str, int]) -> Contacts:
    """Return the guest's contacts of hosts at these ports, for whom it waits a short while."""
    peers = {name: Link(dial=f"127.0.0.1:{port}", certificate=Path("x")) for name, port in ports.items()}
    own = party("guest").model_copy(update={"peers": peers, "timeouts": Timeouts(optional=0.1)})
    return Contacts(rules, own, GUEST, CERTIFICATES)


def test_the_guest_finds_who_is_absent_and_names_all_where_nobody_is_left(tmp_path: Path) -> None:
    plain = job().model_copy(update={"parties": {"guest": JobParty(role="guest")}})
    both = {name: JobParty(role="host", optional=True) for name in ("host1", "host2")}
    rules = plain.model_copy(update={"parties": plain.parties | both})
    with listening(PARTIES["host1"]) as listener:
        ports = {"host1": listener.port, "host2": free_port()}
        assert contacts(rules, ports).absent() == ("host2",)
        with pytest.raises(SecurityError, match="presents the certificate"):
            contacts(rules, ports | {"host2": listener.port}).absent()
    nowhere = contacts(rules, {"host1": free_port(), "host2": free_port()})
    with pytest.raises(LostError, match=r"host1, host2: no host answers within 0\.1 s") as nobody:
        nowhere.absent()
    with pytest.raises(LostError, match="host2: no answer at") as one:
        nowhere.meet("host2", "run 1", "train", timeout=0.1)
    assert nobody.value.exit_code == one.value.exit_code == 4


@pytest.mark.parametrize("told", [(), ("host2",)])
def test_a_guest_that_tells_each_party_of_other_absent_hosts_is_blamed(told: tuple[str, ...]) -> None:
    rules = job()
    peers = {"host1": Link(certificate=Path("x"))}
    own = party("arbiter").model_copy(update={"peers": peers})
    said = Hello(rules.contract_hash(), "run 1", "train", "host1", 0, told)
    arbiters = Contacts(rules, own, PARTIES["arbiter"], CERTIFICATES)
    with listening(PARTIES["arbiter"]) as listener, ThreadPoolExecutor(1) as pool:
        met = pool.submit(arbiters.meet, "host1", "run 1", "train", listener, timeout=60.0, absent=("host2",))
        address, pem = f"127.0.0.1:{listener.port}", CERTIFICATES["arbiter"]
        called = partial(dial, address, PARTIES["host1"], "arbiter", pem, said, connect_timeout=60.0)
        if told:
            called().abort("the test is over")
            met.result().abort("the test is over")
            return
        with pytest.raises(PeerError, match="bank told host1 of other hosts"):
            called().receive(60.0, "anything")  # the abort may come before the arbiter's hello
        with pytest.raises(ProtocolError, match="bank: told host1 of other hosts that stay away than arbit"):
            met.result()


def test_the_doctor_is_not_alarmed_by_an_optional_host_that_is_away(tmp_path: Path) -> None:
    rules = agreed(tmp_path)
    links = {n: Link(dial=f"127.0.0.1:{free_port()}", certificate=tmp_path / "x") for n in rules.hosts}
    found = {f.subject: f for f in peers(rules, party("bank").model_copy(update={"peers": links}))}
    assert [found[f"peer {name}"].verdict for name in rules.hosts] == ["warn", "fail", "warn"]
    assert found["peer lender"].seen.endswith("it is optional")


def staged(folder: Path, model: str, roles: dict[str, str], away: str) -> Stage:
    """Return parties' processes that train while one host is away, which has not approved either.

    Those of trees are all killed on the way, and go on.
    """
    source = prepared(folder, model, 600, {"optional": 0.5, "connect": 60.0}, roles=roles, optional=[away])
    (approval,) = (folder / "approvals").rglob(f"*{away}*")
    approval.unlink()
    if model == "trees":
        cut_after_alignment(source, without=[away])
    stage = Stage(source)
    stage.start_all(again=True, without=[away])
    return stage


def read(path: Path) -> Any:
    """Return what a JSON file says."""
    return json.loads(path.read_text(encoding="utf-8"))


def called(folder: Path, name: str, absent: tuple[str, ...]) -> NetworkLink:
    """Return the link of a bank that begins a run without these hosts to one of its servers."""
    own = load_identity("bank", folder / "bank.key", folder / "bank.crt")
    said = Hello(Job.load(folder / "job.yaml").contract_hash(), 16 * "a", "train", "bank", 0, absent)
    address, pem = f"127.0.0.1:{ports_in(folder, [name])[name]}", (folder / f"{name}.crt").read_bytes()
    return dial(address, own, name, pem, said, connect_timeout=10.0)


@pytest.mark.parametrize(("model", "trustee"), [("logistic", True), ("trees", False)])
def test_a_training_begins_without_a_host_that_may_stay_away(
    model: str, trustee: bool, tmp_path: Path
) -> None:
    roles = {name: role for name, role in TWO_HOSTS.items() if trustee or role != "arbiter"}
    stage = staged(tmp_path / "files", model, roles, away="insurer")
    try:
        stage.finish()
        there = [name for name in roles if name != "insurer"]
        for name in there:
            run = read(stage.folder / name / "run.json")
            assert (run["absent"], sorted(run["parties"])) == (["insurer"], sorted(there))
            assert any("insurer stayed away" in warning for warning in run["warnings"])
            away = [e for e in read(stage.folder / name / "ledger.json") if e["to"] == "insurer"]
            assert [(e["messages"], e["reveals"]) for e in away] == [(0, "nothing: it stayed away")]
            log = stage.folder / "state" / name / "audit.jsonl"
            verify(log)
            assert '"absent":"insurer"' in log.read_text().replace(": ", ":")
        models = {name: read(stage.folder / name / "model.json") for name in ("bank", "lender")}
        assert [half["absent"] for half in models.values()] == [["insurer"], ["insurer"]]
        assert "insurer stayed away" in (stage.folder / "bank" / "report.html").read_text()
        stage.start("bank", words=["guest", "score"])
        stage.finish()
        scores = pd.read_parquet(stage.folder / "bank" / "scores.parquet")
        assert len(scores) == read(stage.folder / "bank" / "score.json")["scored"] > 500
        with pytest.raises(RefusedError, match="bank: begins without lender, which this contract"):
            called(stage.folder, "lender", ("lender",)).receive(10.0, "an approval")
    finally:
        stage.stop()
    assert not stage.traces()

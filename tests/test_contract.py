"""A run begins only when every party has signed exactly this job; else all of them end with exit code 5."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from contract_fixtures import NAMES, Signed, job_of, signed
from network_fixtures import PARTIES
from source import messages

from parties.audit.log import audit_path
from parties.config.policy import PolicyRules
from parties.config.schema import dotted_keys, validated
from parties.config.yaml import parse
from parties.contract import agreement
from parties.contract.approval import Approval, approve, document_path
from parties.contract.mandate import Mandate
from parties.contract.policy import check_policy
from parties.contract.status import standing, withdraw
from parties.contract.tally import Tally
from parties.contract.words import in_words
from vfl.errors import ConfigError, ContractError
from vfl.wire.certificates import create_identity
from vfl.wire.flow import Peer
from vfl.wire.memory import run_in_memory
from vfl.wire.message import Message
from vfl.wire.network import Session

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture
def site(tmp_path: Path) -> Signed:
    """A job that all three parties have approved."""
    return signed(tmp_path)


@dataclass(frozen=True, slots=True)
class Note(Message):
    """A number.  Reveals: it."""

    number: int


def refused(site: Signed, whose: str, said: str) -> None:
    """Expect a training that all end with exit code 5, `whose` in its own words."""
    found = site.runs("refused")
    assert {type(error) for error in found.values()} == {ContractError}, found
    assert {error.exit_code for error in found.values()} == {5}
    assert said in str(found[whose])
    for other in set(NAMES) - {whose}:
        assert said in str(found[other])
    for name in NAMES:
        assert whose_runs(site, name) == []
        assert sent(site, name) <= {kind.__name__ for kind in messages(agreement)}


def sent(site: Signed, name: str) -> set[str]:
    """Return the kinds of messages that ever left a party."""
    lines = map(json.loads, audit_path(site.parties[name]).read_text().splitlines())
    return {line["kind"] for line in lines if line["event"] == "sent"}


def whose_runs(site: Signed, name: str) -> list[str]:
    """Return the runs that a party has counted."""
    path = Tally.of(site.job, site.parties[name]).folder / "runs.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["run"] for line in lines]


def test_what_all_have_signed_begins_and_is_counted_by_each(site: Signed) -> None:
    found = site.runs("run 1")
    assert all(isinstance(session, Session) for session in found.values()), found
    assert {name: whose_runs(site, name) for name in NAMES} == {name: ["run 1"] for name in NAMES}


@pytest.mark.parametrize("whose", NAMES)
def test_an_expired_approval_is_refused(site: Signed, whose: str) -> None:
    site.approve(whose, expires=YESTERDAY)
    refused(site, whose, f"approval of {whose}: expired on {YESTERDAY}")


@pytest.mark.parametrize("whose", NAMES)
def test_an_approval_is_good_for_so_many_runs(site: Signed, whose: str) -> None:
    site.approve(whose, runs=1)
    assert isinstance(site.runs("run 1")["guest"], Session)
    used = f"approval of {whose}: has been used for its one run"
    found = site.runs("run 2")
    assert all(used in str(error) for error in found.values()), found
    assert {error.exit_code for error in found.values()} == {5}
    site.approve(whose, runs=1)
    assert isinstance(site.runs("run 2")["guest"], Session)


def test_a_run_that_is_resumed_counts_once(site: Signed) -> None:
    site.approve("host", runs=1)
    for _ in range(2):
        assert isinstance(site.runs("run 1")["host"], Session)
    assert whose_runs(site, "host") == ["run 1"]


@pytest.mark.parametrize("whose", NAMES)
def test_without_a_signature_of_everybody_nothing_begins(site: Signed, whose: str) -> None:
    site.document(whose).unlink()
    refused(site, whose, f"{whose} has not approved this contract")


@pytest.mark.parametrize("whose", NAMES)
def test_an_approval_of_another_contract_is_refused(site: Signed, whose: str) -> None:
    other = job_of("model: {tolerance: 0.05}")
    approve(other, PARTIES[whose], site.parties[whose].approvals)
    refused(site, whose, f"approval of {whose}: is of another contract: '{other.contract_hash()[:12]}'")


def forged(site: Signed, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the host's approval after it was signed."""
    path = site.document("host")
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_signature_of_somebody_else_is_refused(site: Signed) -> None:
    stranger = create_identity("host")
    own = Approval.sign(site.job, stranger, expires=date(2099, 1, 1), runs=1, now=datetime.now(UTC))
    site.document("host").write_text(own.text())
    refused(site, "host", "approval of host: is signed with a certificate that the job does not pin")


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "more runs": (lambda d: d["approval"].update(runs=10**6), "was changed after it was signed"),
    "later end": (lambda d: d["approval"].update(expires="2099-01-01"), "was changed after it was signed"),
    "no signature": (lambda d: d.update(signature=""), "was changed after it was signed"),
    "not base64": (lambda d: d.update(signature="\u00e9"), "was changed after it was signed"),
    "another's signature": (
        lambda d: d.update(signature=Approval.sign(
            job_of(), PARTIES["guest"], expires=date(2099, 1, 1), runs=1, now=datetime.now(UTC)
        ).signature),
        "was changed after it was signed, or signed by somebody else",
    ),
    "another role": (lambda d: d["approval"].update(role="arbiter"), "is that of the arbiter 'host'"),
    "another party": (lambda d: d["approval"].update(party="guest"), "is that of the host 'guest'"),
    "no runs": (lambda d: d["approval"].update(runs=0), "is no approval of this version"),
    "unknown key": (lambda d: d.update(more=1), "is no approval of this version"),
    "no certificate": (lambda d: d.update(certificate=""), "approval of host: "),
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_changed_approval_is_refused(site: Signed, forgery: str) -> None:
    change, said = FORGERIES[forgery]
    forged(site, change)
    refused(site, "host", said)


def test_each_party_verifies_all_signatures_itself(site: Signed) -> None:
    forged(site, lambda document: document["approval"].update(runs=10**6))
    documents = tuple(site.document(name).read_text() for name in sorted(NAMES))

    async def lying_guest() -> None:
        await Peer("arbiter").receive(agreement.OwnApproval)
        await Peer("arbiter").send(agreement.Approvals(documents, ""))
        told.append(await Peer("arbiter").receive(agreement.Consent))
        await Peer("arbiter").send(agreement.Start(""))

    told: list[agreement.Consent] = []
    mandate = Mandate(site.job, site.parties["arbiter"], "run 1", "train")
    arbiter = agreement.party(mandate, NAMES, guest=Peer("guest"))
    refusal = run_in_memory({"guest": lying_guest(), "arbiter": arbiter}).results["arbiter"]
    assert isinstance(refusal, ContractError)
    assert told[0].refusal == str(refusal)
    assert "approval of host: was changed after it was signed" in str(refusal)
    assert whose_runs(site, "arbiter") == []


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_a_guest_that_sends_too_few_approvals_or_too_many_begins_nothing(site: Signed, count: int) -> None:
    own = site.document("arbiter").read_text()

    async def guest() -> None:
        await Peer("arbiter").receive(agreement.OwnApproval)
        await Peer("arbiter").send(agreement.Approvals((own,) * count, ""))
        await Peer("arbiter").receive(agreement.Consent)
        await Peer("arbiter").send(agreement.Start(""))

    mandate = Mandate(site.job, site.parties["arbiter"], "run 1", "train")
    roles = {"guest": guest(), "arbiter": agreement.party(mandate, NAMES, guest=Peer("guest"))}
    assert isinstance(run_in_memory(roles).results["arbiter"], ContractError)


def test_a_withdrawn_approval_begins_nothing_even_if_its_file_is_put_back(site: Signed) -> None:
    withdraw(site.job, site.parties["host"])
    refused(site, "host", "approval of host: was withdrawn on ")
    site.approve("host", runs=3)
    assert isinstance(site.runs("run 1")["host"], Session)


def test_a_run_under_way_stops_at_the_next_message_of_who_withdraws(site: Signed) -> None:
    async def guest() -> None:
        for number in range(3):
            await Peer("host").send(Note(number))
            await Peer("host").receive(Note)

    async def host() -> None:
        for number in range(3):
            await Peer("guest").receive(Note)
            if number == 1:
                withdraw(site.job, site.parties["host"])
            await Peer("guest").send(Note(number))

    roles = {"guest": guest, "host": host}
    left: dict[str, int] = {}

    def notes(name: str, session: Session) -> None:
        try:
            session.run(roles[name]())
        finally:
            left[name] = sum(
                e.messages for (_, _, kind), e in session.ledger.entries.items() if kind == "Note"
            )

    found = site.runs("run 1", task="score", then=notes) if brought(site) else {}
    assert isinstance(found["host"], ContractError) and found["host"].exit_code == 5
    assert "stopped the run: approval of host: was withdrawn" in str(found["guest"])
    assert left == {"guest": 2, "host": 1}


def brought(site: Signed) -> bool:
    """Let a training bring every party's approval to the guest."""
    return isinstance(site.runs("the training")["guest"], Session)


def test_a_scoring_needs_the_arbiters_approval_too_and_the_guest_has_it_from_the_training(
    site: Signed,
) -> None:
    found = site.runs("too early", task="score")
    assert all("approval of arbiter: is missing" in str(error) for error in found.values()), found
    assert brought(site)
    assert isinstance(site.runs("run 2", task="score")["host"], Session)


def test_the_status_says_until_when_and_how_many_runs_are_left(site: Signed) -> None:
    host = site.parties["host"]
    assert standing(site.job, host, "guest")["standing"] == "no approval here yet"
    site.approve("host", expires=date(2099, 1, 1), runs=3)
    assert brought(site)
    found = standing(site.job, host, "host")
    assert found == {
        "party": "host",
        "role": "host",
        "expires": "2099-01-01",
        "runs": 3,
        "used": 1,
        "left": 2,
        "standing": "approved",
    }
    assert standing(site.job, host, "guest")["standing"] == "approved"
    withdraw(site.job, host)
    assert standing(site.job, host, "host")["standing"].startswith("was withdrawn on ")


def test_state_is_for_its_owner_alone(site: Signed) -> None:
    assert brought(site)
    for path in (site.parties["host"].state, *site.parties["host"].state.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_jobs_that_share_a_folder_keep_their_approvals_apart(tmp_path: Path) -> None:
    paths = {document_path(tmp_path, job_of().model_copy(update={"job": name}), "host") for name in "ab"}
    assert len(paths) == 2


POLICIES: dict[str, tuple[str, str, str]] = {
    "purposes": (
        "purposes: [Marketing.]",
        "",
        'policy.purposes: allows "Marketing.", and the job\'s purpose is "Tests."',
    ),
    "models": ("models: [trees]", "", "policy.models: allows trees, and the job's model.kind is logistic"),
    "min_intersection": (
        "min_intersection: 500",
        "",
        "policy.min_intersection: allows no fewer than 500, and the job's alignment.min_intersection is 100",
    ),
    "min_key_bits": (
        "min_key_bits: 3072",
        "",
        "policy.min_key_bits: allows no fewer than 3072, and the job's encryption.bits is 2048",
    ),
    "max_iter": (
        "max_iter: 10",
        "",
        "policy.max_iter: allows no more than 10, and the job's model.max_iter is 40",
    ),
    "scores": (
        "max_disclosure: {scores: point}",
        "disclosure: {scores: exact}",
        "policy.max_disclosure.scores: allows point alone, and the job's disclosure.scores is exact",
    ),
    "host_columns": (
        "max_disclosure: {host_columns: anonymous}",
        "disclosure: {host_columns: named}",
        "policy.max_disclosure.host_columns: allows anonymous alone, "
        "and the job's disclosure.host_columns is named",
    ),
    "woe_to_host": (
        "max_disclosure: {woe_to_host: false}",
        "",
        "policy.max_disclosure.woe_to_host: allows false alone, and the job's disclosure.woe_to_host is true",
    ),
    "gradient_bits": (
        "max_disclosure: {gradient_bits: 24}",
        "disclosure: {gradient_bits: 32}",
        "policy.max_disclosure.gradient_bits: allows no more than 24, "
        "and the job's disclosure.gradient_bits is 32",
    ),
    "gates": (
        "gates: {refuse: [few_rows, few_events]}",
        "gates: {allow: [small_bins, few_events]}",
        "policy.gates.refuse: allows none of few_rows, few_events, "
        "and the job's gates.allow is [few_events, small_bins]",
    ),
} | {
    key: (
        f"max_disclosure: {{{key}: false}}",
        f"disclosure: {{{key}: true}}",
        f"policy.max_disclosure.{key}: allows false alone, and the job's disclosure.{key} is true",
    )
    for key in ("joined_coefficients", "online", "standard_errors")
}


def policy(text: str) -> PolicyRules:
    """Return a policy as a party's file says it."""
    return validated(PolicyRules, parse(text, Path("party.yaml")))


def test_every_limit_of_a_policy_is_tried_here() -> None:
    keys = {key.rpartition(".")[2] for key in dotted_keys(PolicyRules)}
    assert keys - {"max_disclosure", "refuse"} == set(POLICIES)


@pytest.mark.parametrize("limit", POLICIES)
def test_a_policy_that_is_stricter_than_the_job_refuses_the_run(tmp_path: Path, limit: str) -> None:
    own, rules, said = POLICIES[limit]
    site = signed(tmp_path, rules)
    site.parties["host"] = site.parties["host"].model_copy(update={"policy": policy(own)})
    refused(site, "host", said)


def test_a_policy_as_strict_as_the_job_lets_it_run() -> None:
    own = """\
purposes: [other, "tests"]
models: [logistic]
min_intersection: 100
min_key_bits: 2048
max_iter: 40
max_disclosure: {woe_to_host: true, scores: point, host_columns: anonymous, joined_coefficients: false}
gates: {refuse: [few_rows]}
"""
    check_policy(job_of("gates: {allow: [few_events]}"), policy(own))
    with pytest.raises(ContractError, match=r"allows no more than 24, and .* is empty: all of them"):
        check_policy(job_of(), policy("max_disclosure: {gradient_bits: 24}"))
    with pytest.raises(ContractError, match=r'allows none, and the job\'s purpose is "Tests\."'):
        check_policy(job_of(), policy("purposes: []"))


def test_a_model_is_scored_under_its_own_contract_or_under_one_that_names_it(site: Signed) -> None:
    assert brought(site)
    guest = site.parties["guest"]
    Mandate(site.job, guest, "", "score").check_model("the training")
    with pytest.raises(ContractError, match="model: was not trained under this contract"):
        Mandate(site.job, guest, "", "score").check_model("another training")
    laxer = job_of("disclosure: {scores: exact}")
    with pytest.raises(ContractError, match="model: was not trained under this contract") as refusal:
        Mandate(laxer, guest, "", "score").check_model("the training")
    assert refusal.value.exit_code == 5
    named = job_of(f"disclosure: {{scores: exact}}\nmodel_contract: {site.job.contract_hash()}")
    Mandate(named, guest, "", "score").check_model("the training")
    assert f"scores the model of contract {site.job.contract_hash()}" in "\n".join(in_words(named))


def test_a_job_that_names_a_models_contract_trains_nothing(tmp_path: Path) -> None:
    site = signed(tmp_path, f"model_contract: {'ab' * 32}")
    refused(site, "host", "model_contract: names the contract of a model: this job scores it")
    with pytest.raises(ConfigError, match="model_contract: must be 64 digits of 0-9a-f"):
        job_of("model_contract: abc")

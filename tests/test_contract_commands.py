"""Operators sign, look, withdraw and change keys: what they type, what they read, and the exit code."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from test_programs_bad_input import NAMES, Site, until, vfl

from parties.config.job import Job
from parties.contract.approval import approve
from vfl.wire.certificates import fingerprint, load_identity


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three parties' files, with nothing approved."""
    place = Site(tmp_path)
    for name in NAMES:
        place.settle(name)
    for document in (tmp_path / "approvals").rglob("*.json"):
        document.unlink()
    yield place
    place.stop()


def files(site: Site, name: str) -> tuple[str, str, str]:
    """Return the arguments that name the job and a party."""
    return str(site.folder / "job.yaml"), "--party", str(site.folder / f"{name}.yaml")


def test_who_approves_reads_the_terms_first(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert vfl("approve", *files(site, "insurer"), "--expires", "2099-12-31", "--runs", "7") == 0
    said = capsys.readouterr().out
    contract = Job.load(site.folder / "job.yaml").contract_hash()
    assert said.startswith(
        f"job small, contract {contract}\n  purpose: Tests.\n  guest: bank, certificate sha256:"
    )
    assert "the host will learn\n" in said and "no limit is lifted\n" in said
    assert "insurer approves this until 2099-12-31, for 7 runs at most: " in said
    assert max(map(len, said.splitlines()[:-1])) <= 110
    assert vfl("job", "show", str(site.folder / "job.yaml"), "--format", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["contract"] == contract and shown["terms"]["purpose"] == "Tests."


def test_the_status_tells_who_is_missing(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert vfl("approve", *files(site, "bank"), "--expires", "2099-12-31") == 0
    capsys.readouterr()
    assert vfl("job", "status", *files(site, "bank")) == 0
    _, head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["party", "role", "until", "runs", "used", "left"]
    assert rows[0].split() == ["bank", "guest", "2099-12-31", "0", "100", "approved"]
    assert rows[1].split() == ["insurer", "host", *["no", "approval", "here", "yet"]]


def test_nobody_can_withdraw_what_was_never_given(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert vfl("job", "revoke", *files(site, "bank")) == 5
    assert "vfl: error: approval of bank: is missing" in capsys.readouterr().err
    assert vfl("approve", *files(site, "bank")) == 0
    assert vfl("job", "revoke", *files(site, "bank")) == 0
    capsys.readouterr()
    assert vfl("job", "status", *files(site, "bank")) == 0
    assert "was withdrawn on " in capsys.readouterr().out


def test_without_an_approval_a_command_ends_before_it_meets_anybody(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    job = str(site.folder / "job.yaml")
    for command in (("guest", "train"), ("host", "serve"), ("arbiter", "serve")):
        assert vfl(*command, job) == 5
        assert (
            "has not approved this contract\nvfl: hint: read it with `vfl job show`"
            in capsys.readouterr().err
        )


def test_a_policy_refuses_the_job_at_the_first_command(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    with (site.folder / "insurer.yaml").open("a") as file:
        file.write("policy: {min_intersection: 500}\n")
    for command in (("approve",), ("check",), ("host", "serve")):
        assert vfl(*command, *files(site, "insurer")) == 5
        assert "vfl: error: policy.min_intersection: allows no fewer than 500" in capsys.readouterr().err


def test_which_party_approves_is_asked_where_more_than_one_file_lies_here(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vfl("approve", str(site.folder / "job.yaml")) == 2
    assert "vfl: error: --party: 3 of the parties' files lie beside " in capsys.readouterr().err
    for name in ("bank", "trustee"):
        (site.folder / f"{name}.yaml").unlink()
    assert vfl("approve", str(site.folder / "job.yaml")) == 0


@pytest.mark.parametrize(("option", "value"), [("--runs", "0"), ("--expires", "tomorrow")])
def test_terms_that_mean_nothing_are_usage_errors(site: Site, option: str, value: str) -> None:
    assert vfl("approve", *files(site, "bank"), option, value) == 2


def test_an_approval_that_ends_before_today_is_not_given(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vfl("approve", *files(site, "bank"), "--expires", "2001-01-01") == 2
    assert "vfl: error: --expires: 2001-01-01 is over" in capsys.readouterr().err


def test_keys_are_made_shown_and_replaced(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert vfl("keys", "show", *files(site, "bank")) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in shown] == ["bank", "insurer", "trustee"]
    assert vfl("keys", "rotate", *files(site, "bank")) == 0
    said = capsys.readouterr()
    new = site.folder / "bank-2.crt"
    assert said.out.strip() == fingerprint(new.read_bytes()) != shown[0].split()[1]
    assert "--replace" in said.err
    assert (site.folder / "bank-2.key").stat().st_mode & 0o777 == 0o600
    assert vfl("audit", "verify", str(site.folder), "--certificate", str(new)) == 0
    assert vfl("keys", "rotate", *files(site, "bank")) == 0
    assert (site.folder / "bank-3.crt").exists()
    assert vfl("keys", "new", "lender", str(site.folder / "keys")) == 0
    assert vfl("keys", "new", "lender", str(site.folder / "keys")) == 2
    assert vfl("keys", "new", "../lender", str(site.folder / "keys")) == 2


def test_withdrawn_while_a_server_waits_the_guest_ends_with_exit_code_5(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.approve()
    site.serve("trustee")
    insurer = site.serve("insurer", "--once")
    site.settle("bank")
    assert vfl("job", "revoke", *files(site, "insurer")) == 0
    assert vfl("guest", "train", str(site.folder / "job.yaml")) == 5
    said = "vfl: error: insurer: refuses the run: approval of insurer: was withdrawn on"
    assert said in capsys.readouterr().err
    assert insurer.wait(60) == 5
    assert vfl("audit", "verify", str(site.folder / "state")) == 0


def signed(site: Site, name: str, **terms: Any) -> None:
    """Sign the job for a party, on terms that the command would not take as well."""
    identity = load_identity(name, site.folder / f"{name}.key", site.folder / f"{name}.crt")
    approve(Job.load(site.folder / "job.yaml"), identity, site.folder / "approvals", **terms)


def test_a_contract_that_does_not_hold_ends_the_guests_command_with_exit_code_5(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """One pair of servers throughout: they refuse, and wait for the next run."""

    def trained() -> tuple[int, str]:
        """Train with the servers that wait; return the exit code, and what the bank was told."""
        capsys.readouterr()
        return vfl("guest", "train", str(site.folder / "job.yaml")), capsys.readouterr().err

    site.approve()
    for name in ("trustee", "insurer"):
        site.serve(name)
    site.settle("bank")
    documents = site.folder / "approvals" / Job.load(site.folder / "job.yaml").job
    mend = "vfl: hint: the party gives a new one: vfl approve"

    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    signed(site, "insurer", expires=yesterday)
    code, said = trained()
    assert (code, f"insurer: refuses the run: approval of insurer: expired on {yesterday}" in said) == (
        5,
        True,
    )
    signed(site, "insurer")
    signed(site, "bank", expires=yesterday)
    code, said = trained()
    assert code == 5 and f"vfl: error: approval of bank: expired on {yesterday}\n{mend}" in said

    site.approve()
    (documents / "trustee.json").unlink()
    code, said = trained()
    assert code == 5 and "trustee has not approved this contract" in said

    site.approve()
    signed(site, "trustee", runs=1)
    assert trained()[0] == 0
    code, said = trained()
    assert code == 5 and "approval of trustee: has been used for its one run" in said

    site.approve()
    with (site.folder / "job.yaml").open("a") as file:
        file.write("scorecard: {pdo: 40}\n")
    site.approve()
    code, said = trained()
    assert code == 5 and "contract" in said
    assert vfl("audit", "verify", str(site.folder / "state")) == 0


def test_withdrawn_while_a_run_is_under_way_it_ends_with_exit_code_5(site: Site) -> None:
    job = site.folder / "job.yaml"
    job.write_text(
        job.read_text().replace("tolerance: 0.01, max_iter: 12", "tolerance: 1.0e-9, max_iter: 40")
    )
    site.approve()
    trustee = site.serve("trustee")
    site.serve("insurer")
    site.settle("bank")
    bank = site.start("bank", "train", "job.yaml")
    until(lambda: "vfl: fitting" in site.log("bank") or bank.poll() is not None)
    trustee.send_signal(signal.SIGSTOP)
    try:
        assert bank.poll() is None
        assert vfl("job", "revoke", *files(site, "insurer")) == 0
    finally:
        trustee.send_signal(signal.SIGCONT)
    code = bank.wait(60)
    assert code == 5, site.log("bank") + site.log("insurer") + site.log("trustee")
    assert "stopped the run: approval of insurer: was withdrawn on" in site.log("bank")
    assert not (site.folder / "bank" / "model.json").exists()
    assert vfl("audit", "verify", str(site.folder / "state")) == 0

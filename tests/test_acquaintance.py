"""Parties come to know each other: cards, fingerprints over the phone, pins in the job."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from test_programs_bad_input import vfl

from parties.config.job import Job
from parties.config.party import Party
from parties.meeting.card import heard, read_card, spoken
from vfl.errors import ConfigError

PARTIES = {
    "bank": ("guest", None),
    "insurer": ("host", "insurer.example.org:7443"),
    "trustee": ("arbiter", "trustee.example.org:7444"),
}


@pytest.fixture
def desks(tmp_path: Path) -> dict[str, Path]:
    """Three parties' folders as `vfl init` leaves them."""
    folders = {name: tmp_path / f"at {name}" for name in PARTIES}
    for name, (role, address) in PARTIES.items():
        where = ["--address", address] if address else []
        assert vfl("init", "--role", role, "--name", name, *where, str(folders[name])) == 0
    return folders


def add(desks: dict[str, Path], at: str, *cards: str, options: tuple[str, ...] = ()) -> int:
    """Let a party add cards that others sent it."""
    files = [str(desks[card] / f"{card}.crt") for card in cards]
    return vfl("peers", "add", str(desks[at] / "job.yaml"), *files, *options)


def test_three_parties_know_each_other_by_certificates_and_the_job_alone(
    desks: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(desks, "bank", "insurer", "trustee") == 0
    assert "send " in capsys.readouterr().err
    for name in ("insurer", "trustee"):
        shutil.copy(desks["bank"] / "job.yaml", desks[name])
        for card in desks["bank"].glob("*.crt"):
            shutil.copy(card, desks[name])
        assert vfl("peers", "add", str(desks[name] / "job.yaml"), *map(str, desks[name].glob("*.crt"))) == 0
        assert "send " not in capsys.readouterr().err  # the job has not changed
    jobs = [Job.load(folder / "job.yaml") for folder in desks.values()]
    assert len({job.contract_hash() for job in jobs}) == 1 and len(jobs[0].pins) == 3
    dials = {
        name: {peer: link.dial for peer, link in Party.load(folder / f"{name}.yaml", jobs[0]).peers.items()}
        for name, folder in desks.items()
    }
    assert dials == {
        "bank": {"insurer": "insurer.example.org:7443", "trustee": "trustee.example.org:7444"},
        "insurer": {"bank": None, "trustee": "trustee.example.org:7444"},
        "trustee": {"bank": None, "insurer": None},
    }
    assert Party.load(desks["trustee"] / "trustee.yaml", jobs[0]).listen == "0.0.0.0:7444"


def test_what_stands_in_the_files_besides_stays(desks: dict[str, Path]) -> None:
    before = (desks["bank"] / "job.yaml").read_text(encoding="utf-8")
    assert add(desks, "bank", "insurer", "trustee") == 0
    after = (desks["bank"] / "job.yaml").read_text(encoding="utf-8")
    entered = {line for line in after.splitlines() if line not in before.splitlines()}
    assert {line.strip().partition(":")[0] for line in entered} == {
        "insurer",
        "trustee",
        "role",
        "certificate",
    }
    assert [line for line in after.splitlines() if line not in entered] == before.splitlines()


def test_a_card_says_who_it_is_and_nothing_that_is_not_checked_counts(desks: dict[str, Path]) -> None:
    card = read_card(desks["insurer"] / "insurer.crt")
    assert (card.name, card.role, card.address) == ("insurer", "host", "insurer.example.org:7443")
    plain = card.certificate_pem
    (desks["bank"] / "insurer.crt").write_bytes(plain)
    bare = read_card(desks["bank"] / "insurer.crt")
    assert (bare.fingerprint, bare.role, bare.address) == (card.fingerprint, None, None)


def test_another_certificate_than_the_pinned_one_is_refused(
    desks: dict[str, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert add(desks, "bank", "insurer", "trustee") == 0
    assert vfl("keys", "new", "insurer", str(tmp_path / "false")) == 0
    other = str(tmp_path / "false" / "insurer.crt")
    job = str(desks["bank"] / "job.yaml")
    before = Job.load(Path(job))
    assert vfl("peers", "add", job, other) == 6
    assert "pins another certificate" in capsys.readouterr().err
    assert Job.load(Path(job)) == before
    assert vfl("peers", "add", job, other, "--replace") == 0
    assert Job.load(Path(job)).pins["insurer"] == read_card(Path(other)).fingerprint


def test_a_fingerprint_that_was_heard_otherwise_is_refused(
    desks: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    right = spoken(read_card(desks["insurer"] / "insurer.crt").fingerprint)
    wrong = ("1" if right[0] == "0" else "0") + right[1:]
    assert add(desks, "bank", "insurer", options=("--fingerprint", wrong)) == 6
    assert "not what you heard" in capsys.readouterr().err
    assert "insurer" not in (desks["bank"] / "job.yaml").read_text(encoding="utf-8")
    assert add(desks, "bank", "insurer", options=("--fingerprint", right.upper())) == 0


def test_too_few_digits_prove_nothing() -> None:
    pin = "sha256:" + "ab" * 32
    assert heard(pin, pin) and heard("abab " * 8, pin)
    for text in ("", "abab", "ab" * 15, "xy" * 16):
        with pytest.raises(ConfigError, match="first 32 digits"):
            heard(text, pin)


def test_what_a_card_does_not_say_is_asked_for(
    desks: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    card = desks["insurer"] / "insurer.crt"
    card.write_bytes(read_card(card).certificate_pem)
    assert add(desks, "bank", "insurer") == 2
    assert "--role guest | host | arbiter" in capsys.readouterr().err
    assert add(desks, "bank", "insurer", options=("--role", "host")) == 2
    assert "--dial HOST:PORT" in capsys.readouterr().err
    assert add(desks, "bank", "insurer", options=("--role", "host", "--dial", "nowhere")) == 2
    assert '"nowhere" is no address' in capsys.readouterr().err
    assert add(desks, "bank", "insurer", options=("--role", "host", "--dial", "10.0.0.2:7443")) == 0
    assert "trustee" not in capsys.readouterr().err  # trees do without an arbiter

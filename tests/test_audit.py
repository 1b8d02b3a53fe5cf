"""An audit log holds every message and no value, and whoever tampers with it is found, with the line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract_fixtures import NAMES, Signed, signed
from network_fixtures import PARTIES
from numpy.typing import NDArray
from test_programs_bad_input import vfl

from parties.audit.log import DOMAIN, SIGNATURE, AuditLog, audit_path
from parties.audit.verify import verify
from parties.contract.approval import signature_of
from parties.programs.consent import publish_results
from vfl.errors import ConfigError, SecurityError
from vfl.wire.certificates import create_identity, fingerprint
from vfl.wire.flow import Peer
from vfl.wire.message import Message
from vfl.wire.network import Session

Lines = list[bytes]


@dataclass(frozen=True, slots=True)
class Figures(Message):
    """Some numbers.  Reveals: them."""

    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flag(Message):
    """A bit.  Reveals: it."""

    up: bool


SECRET = np.array([271828.182845, 314159.265358])


async def guest() -> None:
    """Send numbers to both, and hear a bit of the host."""
    await Peer("host").send(Figures(SECRET))
    await Peer("arbiter").send(Figures(np.arange(5.0)))
    await Peer("host").receive(Flag)
    await Peer("host").send(Figures(np.arange(3.0)))


async def host() -> None:
    """Hear numbers twice, and say a bit."""
    await Peer("guest").receive(Figures)
    await Peer("guest").send(Flag(True))
    await Peer("guest").receive(Figures)


async def arbiter() -> None:
    """Hear numbers."""
    await Peer("guest").receive(Figures)


ROLES = {"guest": guest, "host": host, "arbiter": arbiter}
LEDGERS = "ledger.json"


def carry_out(site: Signed, run: str) -> dict[str, Any]:
    """Let the three speak, and leave their ledgers."""

    def take_part(name: str, session: Session) -> list[dict[str, Any]]:
        session.run(ROLES[name]())
        ledger = session.ledger.as_json()
        publish_results(session, site.parties[name].out, {LEDGERS: ledger})
        return ledger

    return site.runs(run, then=take_part)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """Three parties after two runs."""
    site = signed(tmp_path_factory.mktemp("audit"))
    for run in ("run 1", "run 2"):
        assert all(isinstance(ledger, list) for ledger in carry_out(site, run).values())
    return site


def log_of(site: Signed, name: str) -> list[dict[str, Any]]:
    """Return the lines of a party's log."""
    return [json.loads(line) for line in audit_path(site.parties[name]).read_text().splitlines()]


def test_every_ledger_entry_has_its_audit_lines(ran: Signed) -> None:
    for name in NAMES:
        ledger = json.loads((ran.parties[name].out / LEDGERS).read_text())
        summed: dict[tuple[str, str], Counter[str]] = {}
        for line in log_of(ran, name):
            if line["event"] == "sent" and line["run"] == "run 2":
                counts = {key: line[key] for key in ("bytes", "numbers", "bits", "sealed")}
                summed.setdefault((line["to"], line["kind"]), Counter()).update(counts | {"messages": 1})
        assert summed == {
            (entry["to"], entry["message"]): Counter(
                messages=entry["messages"],
                bytes=entry["bytes"],
                numbers=entry["plain_numbers"],
                bits=entry["plain_bits"],
                sealed=entry["sealed_values"],
            )
            for entry in ledger
        }


def test_what_one_party_sent_another_received_by_the_same_hash(ran: Signed) -> None:
    sent, received = Counter[Any](), Counter[Any]()
    for name in NAMES:
        for line in log_of(ran, name):
            if line["event"] == "sent":
                sent[line["run"], name, line["to"], line["kind"], line["sha256"]] += 1
            if line["event"] == "received":
                received[line["run"], line["from"], name, line["kind"], line["sha256"]] += 1
    assert sent == received and len(sent) > 10


def test_a_run_is_told_from_its_beginning_to_its_results(ran: Signed) -> None:
    lines = [line for line in log_of(ran, "guest") if line.get("run") == "run 1"]
    events = [line["event"] for line in lines]
    assert events[0] == "run begun" and events[-2:] == ["results published", "run ended"]
    assert lines[0]["contract"] == ran.job.contract_hash()
    assert [line["party"] for line in lines if line["event"] == "approval checked"] == sorted(NAMES)
    assert lines[-1]["sent"] == events.count("sent") and lines[-1]["received"] == events.count("received")
    assert list(lines[-2]["files"]) == [LEDGERS]


def test_no_value_is_in_any_log(ran: Signed) -> None:
    for name in NAMES:
        text = audit_path(ran.parties[name]).read_text()
        assert not any(repr(float(value)) in text for value in SECRET)


def test_a_whole_log_is_found_whole(ran: Signed) -> None:
    for name in NAMES:
        found = verify(audit_path(ran.parties[name]))
        assert found.party == name
        assert found.signed_by == [fingerprint(PARTIES[name].certificate_pem)]
        assert found.runs == {"run 1": "run ended", "run 2": "run ended"}
        assert found.lines == len(log_of(ran, name))


def number_of(lines: Lines, event: str) -> int:
    """Return the number of the first line of an event, from 1."""
    return next(k for k, line in enumerate(lines, start=1) if json.loads(line)["event"] == event)


def tampered(site: Signed, folder: Path, change: Callable[[Lines], object]) -> Path:
    """Return a copy of the guest's log after some change."""
    lines = audit_path(site.parties["guest"]).read_bytes().splitlines()
    change(lines)
    path = folder / "audit.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def altered(line: bytes, key: str, value: Any) -> bytes:
    """Return a line with another value, its signature kept."""
    return json.dumps(json.loads(line) | {key: value}, separators=(",", ":")).encode()


def swap(lines: Lines, k: int) -> None:
    """Exchange two neighbours."""
    lines[k], lines[k + 1] = lines[k + 1], lines[k]


def signed_by_a_stranger(line: bytes) -> bytes:
    """Return a line under another key's signature."""
    body = line.partition(SIGNATURE)[0] + b"}"
    signature = signature_of(create_identity("guest"), DOMAIN + body)
    return body[:-1] + SIGNATURE + signature.encode() + b'"}'


OTHER = create_identity("guest").certificate_pem.decode()
CHANGED, NO_LINE = "was changed after it was signed", "is no line of an audit log"

TAMPERING: dict[str, tuple[Callable[[Lines], object], int, str]] = {
    "one number": (lambda ls: ls.__setitem__(8, altered(ls[8], "bytes", 1)), 9, CHANGED),
    "the time": (lambda ls: ls.__setitem__(4, altered(ls[4], "at", "2020")), 5, CHANGED),
    "a blank": (lambda ls: ls.__setitem__(4, ls[4].replace(b":", b": ", 1)), 5, CHANGED),
    "the certificate": (lambda ls: ls.__setitem__(0, altered(ls[0], "certificate", OTHER)), 1, CHANGED),
    "another's signature": (lambda ls: ls.__setitem__(6, signed_by_a_stranger(ls[6])), 7, CHANGED),
    "more after the signature": (lambda ls: ls.__setitem__(4, altered(ls[4], "more", 1)), 5, NO_LINE),
    "no JSON": (lambda ls: ls.__setitem__(5, b"{}"), 6, NO_LINE),
    "no signature": (lambda ls: ls.__setitem__(5, ls[5].partition(SIGNATURE)[0] + b"}"), 6, NO_LINE),
    "dropped": (lambda ls: ls.pop(9), 10, "has the number 11, not 10"),
    "dropped at the head": (lambda ls: ls.pop(0), 1, "has the number 2, not 1"),
    "twice": (lambda ls: ls.insert(9, ls[9]), 11, "has the number 10, not 11"),
    "reordered": (lambda ls: swap(ls, 9), 10, "has the number 11, not 10"),
    "renumbered": (lambda ls: (ls.pop(9), ls.__setitem__(9, altered(ls[9], "n", 10))), 10, "does not follow"),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_tampering_is_found_with_its_line(ran: Signed, tmp_path: Path, what: str) -> None:
    change, number, said = TAMPERING[what]
    path = tampered(ran, tmp_path, change)
    with pytest.raises(SecurityError, match=said) as found:
        verify(path)
    assert found.value.exit_code == 6
    assert found.value.where == f"{path}:{number}"


def test_lines_taken_from_the_end_are_missed_wherever_the_run_was_cut(ran: Signed, tmp_path: Path) -> None:
    lines = audit_path(ran.parties["guest"]).read_bytes().splitlines()
    second = max(k for k, line in enumerate(lines) if json.loads(line)["event"] == "run begun")
    for kept in range(second + 1, len(lines)):
        path = tampered(ran, tmp_path, lambda ls, kept=kept: ls.__delitem__(slice(kept, None)))
        with pytest.raises(SecurityError, match="the log ends within the run run 2") as found:
            verify(path)
        assert found.value.where == f"{path}:{kept}"


def test_a_line_cut_off_and_an_empty_log_are_refused(ran: Signed, tmp_path: Path) -> None:
    path = tampered(ran, tmp_path, lambda ls: None)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SecurityError, match="is cut off") as found:
        verify(path)
    assert found.value.where.endswith(f":{len(log_of(ran, 'guest'))}")
    with pytest.raises(SecurityError, match="does not end with a whole line"):
        AuditLog(path, PARTIES["guest"]).append("run begun", {"run": "x"})
    path.write_bytes(b"")
    with pytest.raises(SecurityError, match="is empty"):
        verify(path)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        verify(tmp_path / "none")


def test_a_stopped_run_has_its_end_too_and_one_cut_off_is_told_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "state" / "audit.jsonl"
    log = AuditLog(path, PARTIES["guest"])
    log.append("run begun", {"run": "a"})
    with pytest.raises(SecurityError, match="the log ends within the run a"):
        verify(path)
    log.append("run begun", {"run": "b"})
    log.append("run stopped", {"run": "b", "why": "a test"})
    assert verify(path).runs == {"a": "cut off", "b": "run stopped"}
    log.append("run resumed", {"run": "a"})
    with pytest.raises(SecurityError, match="the log ends within the run a"):
        verify(path)
    log.append("run ended", {"run": "a"})
    log.append("run resumed", {"run": "a"})  # to tell its peers the rest
    assert verify(path).runs == {"a": "run ended", "b": "run stopped"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_refused_run_is_in_the_log_with_the_reason(tmp_path: Path) -> None:
    site = signed(tmp_path)
    site.document("host").unlink()
    site.runs("refused")
    for name in NAMES:
        last = log_of(site, name)[-1]
        assert last["event"] == "run stopped" and "host has not approved this contract" in last["why"]
        assert verify(audit_path(site.parties[name])).runs == {"refused": "run stopped"}


def test_two_writers_of_one_party_keep_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    one, other = (AuditLog(path, PARTIES["guest"]) for _ in range(2))
    for k in range(6):
        (one, other)[k % 2].append("approval checked", {"run": "a", "runs": k})
    assert verify(path).lines == 7


def test_a_key_takes_over_only_where_the_old_one_vouches_for_it(tmp_path: Path) -> None:
    path, old, new = tmp_path / "audit.jsonl", create_identity("bank"), create_identity("bank")
    log = AuditLog(path, old)
    with pytest.raises(SecurityError, match="was signed with another key"):
        AuditLog(path, new)
    log.vouch(new)
    log.append("run begun", {"run": "a"})  # the old key goes on until the new one is used
    log.append("run ended", {"run": "a"})
    AuditLog(path, new).append("run begun", {"run": "b"})
    AuditLog(path, new).append("run ended", {"run": "b"})
    found = verify(path)
    assert found.signed_by == [fingerprint(old.certificate_pem), fingerprint(new.certificate_pem)]
    with pytest.raises(SecurityError, match="was signed with another key"):
        AuditLog(path, old)
    log.append("run begun", {"run": "c"})  # a process that still holds the old key
    with pytest.raises(SecurityError, match="was changed after it was signed"):
        verify(path)


def test_the_command_says_what_is_whole_and_where_it_is_not(
    ran: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = ran.folder
    assert vfl("audit", "verify", str(site)) == 0
    said = capsys.readouterr().out
    assert said.count(": whole, ") == 3 and said.count("  2 ended, 0 stopped, 0 cut off") == 3
    own = ran.parties["guest"].identity.certificate
    assert vfl("audit", "verify", str(site / "guest"), "--certificate", str(own), "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["logs"][0]["party"] == "guest"
    assert vfl("audit", "verify", str(site / "host"), "--certificate", str(own)) == 6
    path = tampered(ran, tmp_path, lambda lines: lines.pop(4))
    assert vfl("audit", "verify", str(path)) == 6
    assert f"vfl: error: {path}:5: has the number 6, not 5" in capsys.readouterr().err
    assert vfl("audit", "verify", str(tmp_path / "no")) == 2

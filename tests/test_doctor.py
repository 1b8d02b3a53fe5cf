"""The doctor names what stands in the way, with its mend and the exit code that a run would have."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from network_fixtures import GUEST, PARTIES, listening
from test_programs_bad_input import NAMES, Site, vfl

from parties.doctor.peers import clock
from vfl.errors import LostError, SecurityError
from vfl.wire.certificates import create_identity, fingerprint, load_certificate, load_identity, save_identity
from vfl.wire.listener import Listener
from vfl.wire.network import Greeting, greet


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three parties' files; nobody serves."""
    place = Site(tmp_path)
    for name in NAMES:
        place.settle(name)
    yield place
    place.stop()


def served(site: Site, name: str) -> Listener:
    """Listen as a party of the site does."""
    own = load_identity(name, site.folder / f"{name}.key", site.folder / f"{name}.crt")
    others = {
        n: load_certificate(site.folder / f"{n}.crt") for n in ("bank", "insurer", "trustee") if n != name
    }
    listener = Listener("127.0.0.1:0", own, others)
    site.ports[name] = listener.port
    return listener


def examined(
    site: Site, capsys: pytest.CaptureFixture[str], name: str = "bank"
) -> tuple[int, dict[str, dict[str, str]]]:
    """Return the exit code and the findings by subject."""
    capsys.readouterr()
    files = (str(site.folder / "job.yaml"), "--party", str(site.folder / f"{name}.yaml"))
    code = vfl("doctor", *files, "--format", "json")
    return code, {found["subject"]: found for found in json.loads(capsys.readouterr().out)["findings"]}


def test_a_party_that_can_begin_is_well(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    with served(site, "insurer"), served(site, "trustee"):
        site.settle("bank")
        code, found = examined(site, capsys)
    assert code == 0 and not [f for f in found.values() if f["verdict"] == "fail"]
    assert "knows this party" in found["peer insurer"]["seen"]
    assert found["clock trustee"]["verdict"] == "ok"
    assert "agrees with python-paillier" in found["arithmetic"]["seen"]


def test_peers_that_are_absent_are_named_and_the_rest_is_told(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = examined(site, capsys)
    assert code == 4
    assert "nobody answers at 127.0.0.1:1" in found["peer insurer"]["seen"]
    assert "firewall" in found["peer insurer"]["mend"]
    assert found["certificate bank"]["verdict"] == "ok"


def test_a_name_that_nobody_knows_is_told_apart_from_a_peer_that_is_absent(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    own = site.folder / "bank.yaml"
    own.write_text(own.read_text().replace("127.0.0.1:1", "insurer.invalid:7443"), encoding="utf-8")
    code, found = examined(site, capsys)
    assert code == 4
    assert "nobody knows the name insurer.invalid" in found["name insurer"]["seen"]


def test_whoever_answers_with_another_certificate_is_not_believed(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening() as other, served(site, "trustee"):
        site.ports["insurer"] = other.port
        site.settle("bank")
        code, found = examined(site, capsys)
    assert code == 6 and "not the pinned one" in found["peer insurer"]["seen"]


def test_a_peer_that_does_not_know_our_certificate_is_told(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    own = load_identity("insurer", site.folder / "insurer.key", site.folder / "insurer.crt")
    false = create_identity("bank").certificate_pem
    with Listener("127.0.0.1:0", own, {"bank": false}) as listener, served(site, "trustee"):
        site.ports["insurer"] = listener.port
        site.settle("bank")
        code, found = examined(site, capsys)
    assert code == 6 and "does not accept our certificate" in found["peer insurer"]["seen"]
    assert found["peer trustee"]["verdict"] == "ok"


def test_a_port_is_free_or_ours_or_anothers(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    own = site.folder / "trustee.yaml"
    text = own.read_text(encoding="utf-8")
    _, found = examined(site, capsys, "trustee")
    assert "is free" in found["port"]["seen"]
    with served(site, "trustee") as listener:
        own.write_text(text.replace("127.0.0.1:0", f"127.0.0.1:{listener.port}"), encoding="utf-8")
        code, found = examined(site, capsys, "trustee")
        assert code == 0 and "serves here already" in found["port"]["seen"]
    with served(site, "insurer") as listener:
        own.write_text(text.replace("127.0.0.1:0", f"127.0.0.1:{listener.port}"), encoding="utf-8")
        code, found = examined(site, capsys, "trustee")
        assert code == 2 and "is in use by sha256:" in found["port"]["seen"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    own.write_text(text.replace("127.0.0.1:0", f"127.0.0.1:{port}"), encoding="utf-8")
    assert examined(site, capsys, "trustee")[0] == 0


def test_files_that_are_missing_or_open_to_others_are_named(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    (site.folder / "trustee.key").chmod(0o644)
    (site.folder / "state" / "trustee").mkdir(parents=True, mode=0o755)
    (site.folder / "bank.crt").unlink()
    shutil.copy(site.folder / "trustee.crt", site.folder / "insurer.crt")
    code, found = examined(site, capsys, "trustee")
    assert code == 6
    assert found["key"]["mend"] == f"chmod 600 {site.folder / 'trustee.key'}"
    assert found["state"]["mend"] == f"chmod 700 {site.folder / 'state' / 'trustee'}"
    assert (found["certificate bank"]["code"], found["certificate insurer"]["code"]) == (2, 6)
    (site.folder / "insurer.csv").unlink()
    _, found = examined(site, capsys, "insurer")
    assert found["table"]["code"] == 3


def test_a_certificate_that_ends_soon_is_to_be_replaced(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    job, old = site.folder / "job.yaml", site.folder / "trustee.crt"
    pin = fingerprint(old.read_bytes())
    for end in ("key", "crt"):
        (site.folder / f"trustee.{end}").unlink()
    save_identity(create_identity("trustee", days=10), site.folder)
    text = job.read_text(encoding="utf-8").replace(pin, fingerprint(old.read_bytes()))
    job.write_text(text, encoding="utf-8")
    code, found = examined(site, capsys, "trustee")
    assert code == 0 and found["certificate trustee"]["mend"].startswith("vfl keys rotate")


@pytest.mark.parametrize(
    ("ahead", "verdict"), [(0.2, "ok"), (-59.0, "ok"), (75.0, "warn"), (-7200.0, "warn")]
)
def test_a_clock_that_goes_wrong_is_noticed(ahead: float, verdict: str) -> None:
    found = clock("insurer", Greeting("0.1.0", ahead, 0.01))
    assert found.verdict == verdict
    assert ("NTP" in found.mend) == (verdict == "warn")


def test_strangers_and_those_who_borrow_a_name_are_not_greeted() -> None:
    with listening() as port:
        address, root = f"127.0.0.1:{port.port}", PARTIES["host"].certificate_pem
        assert abs(greet(address, GUEST, "host", root, 5).ahead) < 5
        stranger = create_identity("guest")
        with pytest.raises(SecurityError, match="does not accept our certificate"):
            greet(address, stranger, "host", root, 5)
        # The arbiter's key under the guest's name: the certificate shown is not that of the name.
        borrowed = type(GUEST)("guest", PARTIES["arbiter"].key_pem, PARTIES["arbiter"].certificate_pem)
        with pytest.raises(SecurityError, match="does not accept our certificate"):
            greet(address, borrowed, "host", root, 5)
    with pytest.raises((SecurityError, LostError)):
        greet(address, GUEST, "host", root, 5)

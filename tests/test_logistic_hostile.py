"""A joint fit with a party that departs from the protocol ends with that party's name."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hostile import INVALID, KEY, SHORT, Change, forged, tampered, with_ciphertexts
from hosts_runs import residuals_roles, several_logistic_roles
from protocol_runs import logistic_roles
from protocol_tables import ROWS
from seeded import Seeded

from vfl.arbitration import DecryptedSums, MaskedPlaintexts, MaskedSums
from vfl.errors import ContractError, ProtocolError, SecurityError
from vfl.linear import residuals
from vfl.linear.logistic import Content, GradientProducts, Rules, Step, Verdict
from vfl.linear.residuals import Approximation, EncryptedResiduals, LogitPowers, LogitRange, PartialPowers
from vfl.wire.memory import DeadlockError, run_in_memory
from vfl.wire.message import Message


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the rows travel in three blocks."""
    monkeypatch.setattr(residuals, "BLOCK", ROWS // 3)


def cheated(cheater: str, kind: type[Message], change: Change, *, nth: int = 1) -> None:
    """Run a fit with a party that changes its n-th message of a kind."""
    roles = logistic_roles()
    run_in_memory(roles | {cheater: tampered(roles[cheater], kind, change, nth=nth)})


LIMITS = "asked for powers outside of the agreed limits"
RANGE = "declared an impossible range of logits"
PRODUCTS = "sent other gradient products than there are gradients"
STEP = "sent a step of another length"
ROWS_TOLD = "asked for a gradient of other rows than were agreed"
ASTRAY = "made a step that leads to impossible logits"
ANSWER = "sent other decryptions than were asked for"

BLAMED: dict[str, tuple[str, type[Message], Change, str]] = {
    "a range turned round": ("host", LogitRange, lambda m: LogitRange(m.hi, m.lo), RANGE),
    "an empty range": ("host", LogitRange, lambda m: LogitRange(m.lo, m.lo), RANGE),
    "a huge range": ("host", LogitRange, lambda m: LogitRange(-1e9, m.hi), RANGE),
    "no range": ("host", LogitRange, lambda m: LogitRange(float("nan"), m.hi), "malformed LogitRange"),
    "an endless range": (
        "host",
        LogitRange,
        lambda m: LogitRange(m.lo, float("inf")),
        "malformed LogitRange",
    ),
    "degree 0": ("guest", Approximation, lambda m: replace(m, degree=0), LIMITS),
    "degree 65": ("guest", Approximation, lambda m: replace(m, degree=65), LIMITS),
    "a negative degree": ("guest", Approximation, lambda m: replace(m, degree=-1), LIMITS),
    "half a degree": ("guest", Approximation, lambda m: forged(m, degree=1.5), "malformed Approximation"),
    "a small spread": ("guest", Approximation, lambda m: replace(m, spread=0.99), LIMITS),
    "a negative spread": ("guest", Approximation, lambda m: replace(m, spread=-2.0), LIMITS),
    "an endless spread": (
        "guest",
        Approximation,
        lambda m: replace(m, spread=float("inf")),
        "malformed Approximation",
    ),
    "a centre outside": ("guest", Approximation, lambda m: replace(m, centre=50.0), LIMITS),
    "no centre": (
        "guest",
        Approximation,
        lambda m: replace(m, centre=float("nan")),
        "malformed Approximation",
    ),
    "products too many": (
        "host",
        GradientProducts,
        lambda m: GradientProducts(np.append(m.values, 1.0)),
        PRODUCTS,
    ),
    "products that are none": (
        "host",
        GradientProducts,
        lambda m: GradientProducts(m.values * np.nan),
        PRODUCTS,
    ),
    "a table of products": ("host", GradientProducts, lambda m: GradientProducts(m.values[None]), PRODUCTS),
    "a length below nought": (
        "host",
        GradientProducts,
        lambda m: GradientProducts(np.append(m.values[:-1], -1e9)),
        PRODUCTS,
    ),
    "products that overflow": (
        "host",
        GradientProducts,
        lambda m: GradientProducts(m.values + 1e200),
        PRODUCTS,
    ),
    "a step beyond all logits": (
        "guest",
        Step,
        lambda m: replace(m, coefficients=m.coefficients - 1e9),
        ASTRAY,
    ),
    "a step that overflows": (
        "guest",
        Step,
        lambda m: replace(m, coefficients=m.coefficients * 0 - 1e308),
        ASTRAY,
    ),
    "a long step": ("guest", Step, lambda m: replace(m, coefficients=np.append(m.coefficients, 1.0)), STEP),
    "no step": ("guest", Step, lambda m: replace(m, coefficients=m.coefficients[:0]), STEP),
    "a step that is none": ("guest", Step, lambda m: replace(m, coefficients=m.coefficients * np.nan), STEP),
    "a step to a gradient of other rows": ("guest", Step, lambda m: replace(m, rows=m.rows - 1), ROWS_TOLD),
    "an endless step": ("guest", Step, lambda m: replace(m, coefficients=m.coefficients + np.inf), STEP),
    "fewer decryptions": (
        "arbiter",
        DecryptedSums,
        lambda m: replace(m, values=MaskedPlaintexts(m.values.residues[1:])),
        ANSWER,
    ),
    "another word than content": (
        "host",
        Content,
        lambda m: Verdict(m.content),
        "sent Verdict, expected Content",
    ),
    "another word than the verdict": (
        "guest",
        Verdict,
        lambda m: Content(m.go_on),
        "sent Content, expected Verdict",
    ),
}


@pytest.mark.parametrize("cheat", BLAMED)
def test_who_breaks_the_protocol_is_blamed(cheat: str) -> None:
    cheater, kind, change, complaint = BLAMED[cheat]
    with pytest.raises(ProtocolError, match=complaint) as caught:
        cheated(cheater, kind, change)
    assert caught.value.peer == cheater


CIPHERTEXTS: dict[str, tuple[str, type[Message]]] = {
    "powers": ("host", LogitPowers),
    "residuals": ("guest", EncryptedResiduals),
}


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("cheat", [*INVALID, *SHORT])
@pytest.mark.parametrize("what", CIPHERTEXTS)
def test_who_sends_what_are_no_ciphertexts_or_too_few_is_named(what: str, cheat: str, nth: int) -> None:
    cheater, kind = CIPHERTEXTS[what]
    change, complaint = (INVALID | SHORT)[cheat]
    with pytest.raises(SecurityError, match=f"^{cheater}: sent .*{complaint}"):
        cheated(cheater, kind, with_ciphertexts("values", change), nth=nth)


@pytest.mark.parametrize("cheat", [*INVALID, *SHORT])
@pytest.mark.parametrize("cheater", ["guest", "host"])
def test_the_arbiter_names_who_asks_it_to_decrypt_what_are_no_ciphertexts(cheater: str, cheat: str) -> None:
    change, complaint = (INVALID | SHORT)[cheat]
    with pytest.raises(SecurityError, match=f"^{cheater}: sent .*{complaint}"):
        cheated(cheater, MaskedSums, with_ciphertexts("values", change))


@pytest.mark.parametrize(("quotas", "asker"), [((1, 99), "guest"), ((99, 1), "host")])
def test_who_asks_for_more_gradients_than_agreed_is_refused(quotas: tuple[int, int], asker: str) -> None:
    with pytest.raises(ContractError, match=f"^{asker}: asked for more decryptions than agreed"):
        run_in_memory(logistic_roles(rules=Rules(1e-12, 5), quotas=quotas))


def test_a_guest_that_never_ends_is_blamed_by_the_host() -> None:
    roles = logistic_roles(rules=Rules(1e-12, 9), host_rules=Rules(1e-12, 1))
    with pytest.raises(ProtocolError, match="asked for more than the 1 gradients that were agreed") as caught:
        run_in_memory(roles)
    assert caught.value.peer == "guest"


def test_nobody_waits_for_an_arbiter_that_the_guest_sent_home() -> None:
    with pytest.raises(DeadlockError) as caught:
        cheated("guest", Verdict, lambda m: Verdict(not m.go_on), nth=2)
    assert "guest waits for DecryptedSums of arbiter" in str(caught.value)
    assert "arbiter waits for Verdict of host" in str(caught.value)
    assert re.search(r"host waits for \w+ of guest", str(caught.value))


def several_cheated(cheater: str, kind: type[Message], change: Change) -> None:
    """Make the residuals of three hosts with a party that changes its first message of a kind."""
    roles = residuals_roles(3)
    run_in_memory(roles | {cheater: tampered(roles[cheater], kind, change)})


WIDTHS = "told impossible ranges of the hosts before"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda m: replace(m, before=1.0), WIDTHS),  # of the first host, the first to be told
        (lambda m: replace(m, before=-1.0), WIDTHS),
        (lambda m: replace(m, spread=2.0), "asked several hosts for powers of a bent map"),
    ],
)
def test_a_guest_that_misleads_several_hosts_is_blamed(change: Change, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint) as caught:
        several_cheated("guest", Approximation, change)
    assert caught.value.peer == "guest"


@pytest.mark.parametrize("cheat", [*INVALID, *SHORT])
@pytest.mark.parametrize(("cheater", "kind"), [("host2", LogitPowers), ("guest", PartialPowers)])
def test_who_passes_on_what_are_no_ciphertexts_is_named(
    cheater: str, kind: type[Message], cheat: str
) -> None:
    change, complaint = (INVALID | SHORT)[cheat]
    with pytest.raises(SecurityError, match=f"^{cheater}: sent .*{complaint}"):
        several_cheated(cheater, kind, with_ciphertexts("values", change))


def test_products_of_gradients_that_hold_no_sums_name_all_who_may_have_made_them() -> None:
    roles = several_logistic_roles(2)
    huge = with_ciphertexts("values", lambda c: KEY.encrypt(np.full(len(c), 1 << 61), Seeded(1)))
    with pytest.raises(ProtocolError, match="host1 or host2: sent what holds no sums"):
        run_in_memory(roles | {"host1": tampered(roles["host1"], LogitPowers, huge)})

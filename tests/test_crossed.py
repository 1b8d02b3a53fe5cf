"""Without an arbiter the fit is the same, and nobody meets a residual unmasked."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from crossed_runs import HOSTS_KEY, ROWS, crossed_roles
from hostile import INVALID, PRIVATE, SHORT, Change, tampered
from protocol_tables import X, Y
from seeded import Seeded
from sklearn.linear_model import LogisticRegression

from vfl.arbitration import DecryptedSums, MaskedSums
from vfl.crypto.modular import from_pairs
from vfl.crypto.paillier import Ciphertexts
from vfl.crypto.randomness import Randomness
from vfl.errors import ContractError, ProtocolError, SecurityError
from vfl.linear import residuals
from vfl.linear.crossed import SHARE_BITS, SharedResiduals, _packing
from vfl.linear.logistic import Rules
from vfl.linear.residuals import LogitPowers
from vfl.wire.memory import Transcript, run_in_memory
from vfl.wire.message import Message


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the rows travel in three blocks."""
    monkeypatch.setattr(residuals, "BLOCK", 20)


def test_two_parties_alone_reach_the_pooled_fit() -> None:
    run = run_in_memory(crossed_roles(rules=Rules(1e-5, 30)))
    pooled = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12).fit(X[:ROWS], Y[:ROWS])
    assert run.results["guest"].converged
    joint = np.concatenate([run.results["guest"].coefficients, run.results["host"].coefficients])
    np.testing.assert_allclose(joint, [*pooled.intercept_, *pooled.coef_[0]], atol=1e-4)


def shares(run: Transcript) -> list[int]:
    """Return what the host decrypts of residuals, in units of 2^-40."""
    found = []
    for sent in run.views["host"]:
        if isinstance(sent.message, SharedResiduals):
            packing = _packing(len(sent.message.masks), HOSTS_KEY.public)
            found += packing.unpack(HOSTS_KEY.decrypt(sent.message.shares))
    return found


def test_what_the_host_decrypts_of_residuals_is_uniform_and_the_difference_is_the_residuals() -> None:
    one = Rules(1e-9, 1)
    runs = [run_in_memory(crossed_roles(rngs=(Seeded(k), Seeded(52)), rules=one)) for k in range(4)]
    seen = np.array([[s / 2.0**SHARE_BITS for s in shares(run)] for run in runs])
    assert 0 <= seen.min() < 0.02
    assert 0.98 < seen.max() < 1
    assert abs(seen.mean() - 0.5) < 5 * np.sqrt(1 / 12 / seen.size)
    assert abs(np.corrcoef(seen.reshape(-1), np.tile(Y[:ROWS], 4))[0, 1]) < 5 / np.sqrt(seen.size)
    masks = [
        m
        for sent in runs[0].views["guest"]
        if isinstance(sent.message, SharedResiduals)
        for m in PRIVATE.decrypt(sent.message.masks)
    ]
    r = [(s - m) / 2.0**40 for s, m in zip(shares(runs[0]), masks, strict=True)]
    np.testing.assert_allclose(r, 0.5 - Y[:ROWS], atol=2e-3)


def test_the_guest_is_sent_nothing_under_its_own_key_but_masked_sums() -> None:
    run = run_in_memory(crossed_roles())
    for sent in run.views["guest"]:
        if sent.sender == "host" and not isinstance(sent.message, MaskedSums):
            held = [getattr(sent.message, f.name) for f in fields(sent.message)]  # type: ignore[arg-type]
            assert all(c.key == HOSTS_KEY.public.fingerprint for c in held if isinstance(c, Ciphertexts))


def test_no_ciphertext_opens_itself_or_is_met_twice() -> None:
    seen = []
    for _ in range(2):
        run = run_in_memory(crossed_roles(rngs=(Randomness(), Randomness())))
        for name, view in run.views.items():
            for sent in view:
                if sent.sender == name:
                    for f in fields(sent.message):  # type: ignore[arg-type]
                        c = getattr(sent.message, f.name)
                        if isinstance(c, Ciphertexts):
                            n = (PRIVATE if c.key == PRIVATE.public.fingerprint else HOSTS_KEY).public.n
                            seen += [(int(v), n) for v in from_pairs(c.pairs, n)]
    assert len(seen) > 500
    assert len(set(seen)) == len(seen)
    assert not any((c - 1) % n == 0 for c, n in seen)


def test_permuted_labels_change_nothing_that_the_host_sees_before_its_first_gradient() -> None:
    other = np.random.default_rng(3).permutation(Y[:ROWS])
    runs = [run_in_memory(crossed_roles(y)) for y in (Y[:ROWS], other)]
    seen = []
    for run in runs:
        kinds = [(s.sender, type(s.message).__name__, s.message.disclosed()) for s in run.views["host"]]
        first = [kind[:2] for kind in kinds].index(("guest", "DecryptedSums"))
        seen.append(kinds[:first])
    assert seen[0] == seen[1]


def cheated(cheater: str, kind: type[Message], change: Change) -> None:
    """Run a fit with a party that changes its first message of a kind."""
    roles = crossed_roles()
    run_in_memory(roles | {cheater: tampered(roles[cheater], kind, change)})


@pytest.mark.parametrize("field", ["shares", "masks"])
@pytest.mark.parametrize("cheat", ["one too few", "none"])
def test_shares_too_few_or_too_many_are_refused(field: str, cheat: str) -> None:
    change, _ = SHORT[cheat]
    with pytest.raises(SecurityError, match=r"^guest: sent"):
        cheated("guest", SharedResiduals, lambda m: replace(m, **{field: change(getattr(m, field))}))


def test_powers_under_another_key_are_refused() -> None:
    change, _ = INVALID["another key's"]
    with pytest.raises(SecurityError, match=r"^host: sent ciphertexts under another key"):
        cheated("host", LogitPowers, lambda m: replace(m, values=change(m.values)))


def test_shares_that_add_up_to_no_residuals_are_the_guests_fault() -> None:
    def change(m: SharedResiduals) -> SharedResiduals:
        other = PRIVATE.public.encrypt(np.zeros(len(m.masks), np.int64), Seeded(3))
        return replace(m, masks=other)

    with pytest.raises(ProtocolError, match="guest: sent shares that add up to no residuals"):
        cheated("guest", SharedResiduals, change)


@pytest.mark.parametrize("cheater", ["guest", "host"])
def test_other_decryptions_than_were_asked_for_are_refused(cheater: str) -> None:
    def change(m: DecryptedSums) -> DecryptedSums:
        return replace(m, values=type(m.values)(m.values.residues[1:]))

    with pytest.raises(ProtocolError, match=f"^{cheater}: sent other decryptions"):
        cheated(cheater, DecryptedSums, change)


@pytest.mark.parametrize(("quotas", "asker"), [((1, 99), "host"), ((99, 1), "guest")])
def test_who_asks_the_other_for_more_than_was_agreed_is_refused(quotas: tuple[int, int], asker: str) -> None:
    with pytest.raises(ContractError, match=f"^{asker}: asked for more decryptions than agreed"):
        run_in_memory(crossed_roles(quotas=quotas))

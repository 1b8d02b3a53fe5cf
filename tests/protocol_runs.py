"""Every protocol once, small and in memory: what the tests of flows, wires and views look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from crossed_runs import crossed_roles
from family_runs import generalised_roles, units_roles
from hostile import KEY, PRIVATE
from hosts_runs import (
    LOGITS,
    ONE_GRADIENT,
    masked_scoring_roles,
    pairing_roles,
    residuals_roles,
    several_logistic_roles,
)
from numpy.typing import NDArray
from protocol_tables import ARBITER, GUEST, HOST, PARTY, Roles, X, Y
from regression_runs import heldout_roles, sample_roles, signs_roles
from seeded import Seeded
from selection_runs import correlation_roles, kept_roles
from tree_runs import (
    GROWN,
    HIDDEN_TREES,
    SAMPLED_TREES,
    TREE_CODES,
    boosting_roles,
    hidden_roles,
    opening_roles,
    shown_roles,
    tree_scoring_roles,
)

from parties.contract import agreement
from psi import ecdh, lists, lookup, several
from vfl import arbitration
from vfl.arbitration import Quota, Shape
from vfl.crypto.packing import Packing
from vfl.crypto.paillier import PublicKey
from vfl.crypto.randomness import Randomness
from vfl.errors import ContractError
from vfl.features import correlation, kept, names, selected, split, woe
from vfl.gates import Gates
from vfl.linear import (
    allowance,
    coefficients,
    crossed,
    generalised,
    halves,
    heldout,
    inference,
    logistic,
    pairing,
    residuals,
    sample,
    scoring,
    signs,
    units,
)
from vfl.linear.columns import Columns
from vfl.linear.inference import Design
from vfl.trees import boosting, hidden, opening, shown
from vfl.trees import scoring as tree_scoring
from vfl.wire.flow import Peer
from vfl.wire.memory import Transcript, run_in_memory

CODES = [np.digitize(X[:, j], [-0.5, 0.4]) for j in (2, 3)]
"""The host's columns binned: two columns of three bins."""
SLOTS = [4, 3]
"""A slot of the first column, the one for blanks, is empty."""
SLOPES = np.array([-0.4, 0.8, -0.5, 0.6, 0.4, 0.2])
"""Coefficients of an intercept and all columns."""
RULES = logistic.Rules(tolerance=1e-2, max_iter=3)


class Willing:
    """An authority that has approved everything."""

    def own_document(self) -> str:
        return "signed"

    def held_documents(self) -> dict[str, str]:
        return {"guest": "signed", "party1": "", "party2": ""}

    def check(self, documents: Mapping[str, str]) -> None:
        for name in self.held_documents():
            if documents.get(name) != "signed":
                raise ContractError(name, "has not approved")

    def begin(self, documents: Mapping[str, str]) -> None:
        assert len(documents) == 3


def agreement_roles() -> Roles:
    """Three parties that have all approved."""
    others = (Peer("party1"), Peer("party2"))
    names = ("guest", "party1", "party2")
    return {"guest": agreement.guest(Willing(), parties=others)} | {
        peer.name: agreement.party(Willing(), names, guest=GUEST) for peer in others
    }


def psi_roles(guest_ids: list[str], host_ids: list[str]) -> Roles:
    """Alignment."""
    own, theirs = np.array(guest_ids, dtype=object), np.array(host_ids, dtype=object)
    return {
        "guest": ecdh.guest(own, Seeded(1), host=HOST, minimum=1, domain=b"contract"),
        "host": ecdh.host(theirs, Seeded(2), guest=GUEST, minimum=1, domain=b"contract"),
    }


async def asking(ids: list[str | None], most: int = lists.MAX_IDS) -> list[bool]:
    """A guest that asks for ids one by one, and returns whether each was found."""
    told: list[bool] = []

    async def answer(found: bool) -> None:
        told.append(found)

    await lookup.guest(ids, answer, Seeded(1), host=HOST, domain=b"contract", most=most)
    return told


async def listing(ids: list[str], allow: Callable[[], None] = lambda: None) -> list[int | None]:
    """A host that is asked for ids one by one, and returns the row of each."""
    told: list[int | None] = []

    async def answer(row: int | None) -> None:
        told.append(row)

    own = np.array(ids, object)
    await lookup.host(own, answer, allow, Seeded(2), guest=GUEST, domain=b"contract")
    return told


def lookup_roles(asked: list[str | None], host_ids: list[str]) -> Roles:
    """Ids asked for one by one."""
    return {"guest": asking(asked), "host": listing(host_ids)}


def several_roles(
    guest_ids: list[str], *host_ids: list[str], minimum: int = 1, seed: int = 1, most: int = lists.MAX_IDS
) -> Roles:
    """Alignment of the guest with host1, host2, ..."""
    hosts = tuple(Peer(f"host{p + 1}") for p in range(len(host_ids)))
    rules: dict[str, Any] = {"minimum": minimum, "domain": b"contract", "most": most}
    roles: Roles = {
        "guest": several.guest(np.array(guest_ids, object), Seeded(seed), hosts=hosts, **rules),
    }
    for p, (peer, ids) in enumerate(zip(hosts, host_ids, strict=True)):
        rng = Seeded(1000 * seed + p)
        roles[peer.name] = several.host(np.array(ids, object), rng, guest=GUEST, hosts=len(hosts), **rules)
    return roles


def arbitration_roles() -> Roles:
    """The key, then three sums of one party, then three that another has made for it."""
    packing = Packing(3, 40, PRIVATE.public.n)

    async def party() -> list[int]:
        modulus = await arbitration.receive_key(512, arbiter=ARBITER)
        key = PublicKey(modulus, minimum_bits=512, source=ARBITER.name)
        learned = list[int]()
        for sums in ([1, -2, 3], [4, 5, -6]):
            packed = key.lift(packing.pack(sums))
            learned += await arbitration.learn(packed, packing, key=key, rng=Seeded(3), arbiter=ARBITER)
        return learned

    async def arbiter() -> None:
        await arbitration.share_key(PRIVATE, parties=(PARTY,))
        quota = Quota(9)
        await quota.answer(PRIVATE, party=PARTY)
        await quota.answer_vouched(PRIVATE, party=PARTY, maker=Peer("maker"))

    return {"party": party(), "maker": arbitration.vouch(packing, arbiter=ARBITER), "arbiter": arbiter()}


def split_roles() -> Roles:
    """Which of three rows train."""
    train = np.array([True, False, True])
    return {"guest": split.guest(train, hosts=(HOST,)), "host": split.host(3, guest=GUEST)}


def woe_roles(
    y: NDArray[np.int8] = Y,
    *,
    told: bool = True,
    rngs: tuple[Randomness, Randomness] | None = None,
    quota: int = 9,
    guest_key: PublicKey = KEY,
    host_key: PublicKey = KEY,
) -> Roles:
    """WOE and IV of the host's two binned columns, all small bins allowed."""
    ours, theirs = rngs or (Seeded(4), Seeded(5))
    gates = Gates(frozenset({"small_bins"}))
    return {
        "guest": woe.guest(y, told=told, key=guest_key, rng=ours, gates=gates, host=HOST, arbiter=ARBITER),
        "host": woe.host(
            CODES, SLOTS, told=told, key=host_key, rng=theirs, gates=gates, guest=GUEST, arbiter=ARBITER
        ),
        "arbiter": woe.arbiter(PRIVATE, Quota(quota), guest=GUEST, host=HOST),
    }


def selected_roles() -> Roles:
    """Three columns, of which the host keeps two."""
    return {
        "guest": selected.guest(3, host=HOST),
        "host": selected.host([0.25, 0.01, 1.5], [True, False, True], guest=GUEST),
    }


def names_roles() -> Roles:
    """The names of two columns."""
    return {"guest": names.guest(host=HOST), "host": names.host(("age", "né"), guest=GUEST)}


def coefficients_roles() -> Roles:
    """Three coefficients, two of them the guest's."""
    return {
        "guest": coefficients.guest({"intercept": -2.0, "age": 0.5}, host=HOST),
        "host": coefficients.host({"claims": 0.25}, guest=GUEST),
    }


def halves_roles(asked: str = "run 1", held: str | None = "run 1") -> Roles:
    """The run that fitted each half."""
    return {"guest": halves.guest(asked, host=HOST), "host": halves.host(held, guest=GUEST)}


def logistic_roles(
    y: NDArray[np.int8] = Y,
    x: NDArray[np.float64] = X,
    *,
    rules: logistic.Rules = RULES,
    host_rules: logistic.Rules | None = None,
    rngs: tuple[Randomness, Randomness] | None = None,
    quotas: tuple[int, int] = (99, 99),
    key: PublicKey = KEY,
    start: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Roles:
    """A joint fit of an intercept and two columns of the guest with three of the host."""
    ours, theirs = rngs or (Seeded(6), Seeded(7))
    own = np.column_stack([np.ones(len(x)), x[:, :2]])
    return {
        "guest": logistic.guest(
            Columns(own, np.array([0.0, 1.0, 1.0]), np.array(start)),
            y,
            rules,
            key=key,
            rng=ours,
            hosts=(HOST,),
            arbiter=ARBITER,
            report=lambda *_: None,
        ),
        "host": logistic.host(
            Columns(x[:, 2:], np.ones(3), np.zeros(3)),
            host_rules or rules,
            key=key,
            rng=theirs,
            guest=GUEST,
            arbiter=ARBITER,
        ),
        "arbiter": logistic.arbiter(
            PRIVATE, (Quota(quotas[0]), Quota(quotas[1])), guest=GUEST, hosts=(HOST,)
        ),
    }


def inference_roles(
    x: NDArray[np.float64] = X,
    w: NDArray[np.float64] = SLOPES,
    *,
    rngs: tuple[Randomness, Randomness] | None = None,
    quotas: tuple[Quota, Quota] | None = None,
) -> Roles:
    """Standard errors of an intercept and two columns of the guest with three of the host."""
    ours, theirs = rngs or (Seeded(8), Seeded(9))
    own = np.column_stack([np.ones(len(x)), x[:, :2]])
    return {
        "guest": inference.guest(
            Design(own, np.array([0.0, 1.0, 1.0]), own @ w[:3]),
            3,
            key=KEY,
            rng=ours,
            host=HOST,
            arbiter=ARBITER,
            report=lambda *_: None,
        ),
        "host": inference.host(
            Design(x[:, 2:], np.ones(3), x[:, 2:] @ w[3:]),
            3,
            key=KEY,
            rng=theirs,
            guest=GUEST,
            arbiter=ARBITER,
        ),
        "arbiter": inference.arbiter(PRIVATE, quotas or (Quota(9), Quota(9)), guest=GUEST, host=HOST),
    }


def allowance_roles() -> Roles:
    """What a fit of three columns of the guest with two and three of hosts may have decrypted."""
    hosts = (Peer("host1"), Peer("host2"))

    def check(peer: Peer, shape: Shape, _mark: int) -> None:
        if shape.sums > len(Y):
            raise ContractError(peer.name, "has too many columns")

    roles: Roles = {
        "guest": allowance.guest(Shape(3, 90), check, hosts=hosts, arbiter=ARBITER),
        "arbiter": allowance.arbiter(guest=GUEST, hosts=hosts),
    }
    for k, peer in enumerate(hosts):
        own = Shape(2 + k, 88 + k)
        roles[peer.name] = allowance.host(own, 77, check, guest=GUEST, arbiter=ARBITER)
    return roles


def scoring_roles(logits: NDArray[np.float64] | None = None, *, exact: bool = False) -> Roles:
    """Four logits of the host."""
    b = np.array([-1.0, 0.02, 0.5, 3.0]) if logits is None else logits
    return {
        "guest": scoring.guest(4, one_point=0.05, exact=exact, hosts=(HOST,)),
        "host": scoring.host(b, one_point=0.05, exact=exact, guest=GUEST),
    }


RUNS: dict[ModuleType, tuple[Callable[[], Roles], ...]] = {
    agreement: (agreement_roles,),
    ecdh: (
        lambda: psi_roles(["a", "b", "c"], ["b", "c", "d", "e"]),
        lambda: psi_roles([str(k) for k in range(9)], ["3"]),
    ),
    several: (
        lambda: several_roles(["a", "b", "c"], ["b", "c", "d", "e"], ["x", "c", "b"]),
        lambda: several_roles(["3", "4"], [str(k) for k in range(9)], ["3"], ["4", "5", "3"], ["3", "8"]),
    ),
    lookup: (lambda: lookup_roles(["b", "x", "e"], ["b", "c", "d", "e", "a"]),),
    arbitration: (arbitration_roles,),
    split: (split_roles,),
    woe: (woe_roles, lambda: woe_roles(told=False)),
    selected: (selected_roles,),
    correlation: (correlation_roles,),
    kept: (kept_roles,),
    names: (names_roles,),
    allowance: (allowance_roles,),
    sample: (lambda: sample_roles(30, 30),),
    logistic: (
        logistic_roles,
        lambda: logistic_roles(rules=logistic.Rules(1e-9, 1, taylor=True)),
        lambda: logistic_roles(rules=logistic.Rules(1e-9, 2, sample=30)),
        lambda: several_logistic_roles(2),
    ),
    crossed: (crossed_roles,),
    units: (units_roles,),
    generalised: (
        lambda: generalised_roles("poisson", rules=ONE_GRADIENT),
        lambda: generalised_roles("linear", 2, rules=ONE_GRADIENT),
    ),
    residuals: (residuals_roles, lambda: residuals_roles(1)),
    boosting: (
        boosting_roles,
        lambda: boosting_roles(rules=SAMPLED_TREES),
        lambda: boosting_roles(rules=HIDDEN_TREES),
    ),
    shown: (shown_roles, lambda: shown_roles(samples=True)),
    hidden: (hidden_roles,),
    opening: (opening_roles,),
    tree_scoring: (
        lambda: tree_scoring_roles(GROWN, [TREE_CODES[:, :2], TREE_CODES[:, 2:], TREE_CODES[:, :1]]),
    ),
    heldout: (heldout_roles, lambda: heldout_roles(1)),
    signs: (lambda: signs_roles(1, -1), lambda: signs_roles(-1, own=None)),
    inference: (inference_roles,),
    coefficients: (coefficients_roles,),
    halves: (halves_roles,),
    pairing: (pairing_roles,),
    scoring: (scoring_roles, lambda: scoring_roles(exact=True), lambda: masked_scoring_roles(LOGITS)),
}
"""All protocols, and runs that between them take every branch of the ladder."""


def transcripts(protocol: ModuleType) -> list[Transcript]:
    """Run a protocol in every way it is run here."""
    return [run_in_memory(make()) for make in RUNS[protocol]]

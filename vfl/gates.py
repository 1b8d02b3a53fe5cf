"""The named limits of a job, and what becomes of one that is breached.

A gate refuses the run unless the contract allows the breach by its name, so that every exception
is read by all parties before they agree, and stands in the run's report afterwards.

There is no gate for logits outside of the host's declared range: the range is declared anew for
each gradient, around all of the host's logits, so none is ever clipped.
"""

from __future__ import annotations

from typing import Literal

from vfl.errors import ContractError

GateName = Literal[
    "small_bins",
    "few_rows",
    "few_events",
    "few_host_columns",
    "rare_values",
    "many_iterations",
    "large_values",
    "many_leaves",
    "goss",
    "nearly_same_rows",
]

FEW_EVENTS = 20
"""Training rows of the rarer class below which few_events closes."""

LARGE_SHARE = 0.1
"""Share of one training row in all squared residuals above which few_events closes: amounts, weights."""

FEW_HOST_COLUMNS = 3
"""Columns of a host below which few_host_columns closes."""

ROWS_PER_COLUMN = 10
"""Training rows for each of a party's model columns below which few_rows closes."""

SPREAD_PER_COLUMN = 8
"""n p (1 - p) of n training rows, a share p of them bad, for each of a host's model columns, below which
few_rows closes at the guest.

A host that knows X^T r of d columns which say nothing of labels guesses those of n rows from the residuals
of least norm, X (X^T X)^-1 X^T r: d of n dimensions are right by chance.  Bads and goods are d / n apart
in them and sqrt(d p (1 - p) / n) wide, so that

    AUC = Phi(sqrt(d / (2 n p (1 - p)))),    at most .60 where n p (1 - p) >= 7.8 d.

That is 32 rows a column where half of them are bad, 50 where one in five is, 200 where one in 25 is.
"""

RARE_ROWS = 50
"""Training rows of one value, or by which two runs differ, below which a gate closes."""

FEW_VALUES = 64
"""Distinct values up to which rare_values looks at a column; beyond it is a measurement."""

MANY_ITERATIONS = 40
"""Iterations above which many_iterations closes."""

LARGE_VALUE = 8.0
"""Standard deviations beyond which large_values closes."""

ROWS_PER_NODE = 20
"""Training rows for each two of the trees' last-level nodes at which many_leaves closes."""

GATES: dict[str, str] = {
    "small_bins": "a bin holds fewer than max(50 rows, 1 %) or fewer than 5 rows of a class, or fewer than "
    f"{RARE_ROWS} rows tell a host's bins from those of an earlier run on the same rows: "
    "its bad rate says something about few people",
    "few_rows": f"fewer training rows than {ROWS_PER_COLUMN} times a party's model columns, "
    "a host's of earlier runs included, or too few rows of a class for them: gradients could be solved for "
    "labels or logits, or tell labels by chance",
    "few_events": f"fewer than {FEW_EVENTS} training rows of a class; of amounts and counts, fewer that have "
    f"another outcome than most; of these, and of weighted labels, one row with more than {LARGE_SHARE:.0%} "
    "of all squared residuals: "
    "whoever learns a sum over them learns much",
    "few_host_columns": f"the host brings fewer than {FEW_HOST_COLUMNS} columns: "
    "its logit gives their values away",
    "rare_values": f"a standardised column of at most {FEW_VALUES} distinct values has one that fewer than "
    f"{RARE_ROWS} training rows share: its gradient is theirs alone",
    "many_iterations": f"more than {MANY_ITERATIONS} iterations: each releases one number per column",
    "large_values": f"a standardised value lies beyond {LARGE_VALUE:g} standard deviations: "
    "its row dominates sums",
    "many_leaves": f"the trees have two last-level nodes for every {ROWS_PER_NODE} training rows or fewer: "
    "the guest could solve its sums for the hosts' cells",
    "goss": "trees are grown from the rows with the largest gradients, and hosts are told which: "
    "a row that is sampled often is likely of the rarer class",
    "nearly_same_rows": f"training rows that differ by fewer than {RARE_ROWS} from those of an earlier run, "
    "of a fold that both runs have sums of or of an earlier sample, or that count otherwise in as few: "
    "differences of sums are about few people",
}
"""What each gate stops, in one line."""


class Gates:
    """The gates of one run: closed, but for those the contract allows by name."""

    __slots__ = ("allow", "overridden")

    def __init__(self, allow: frozenset[str]) -> None:
        assert allow <= GATES.keys(), f"no such gate: {sorted(allow - GATES.keys())}"
        self.allow = allow
        self.overridden: list[str] = []
        """Every breach that was allowed, as `gate: where: what`."""

    def refuse(self, gate: str, where: str, what: str, mend: str = "") -> None:
        """Raise ContractError for a breach of this gate, or note it if the contract allows it.

        `mend`: what the operator can do besides; it stands in the hint, which no peer is told.
        """
        assert gate in GATES, f"no such gate: {gate}"
        if gate not in self.allow:
            hint = f"allow it by name in the job: gates.allow: [{gate}]"
            raise ContractError(where, what, hint=f"{mend} {hint}" if mend else hint)
        self.overridden.append(": ".join(filter(None, (gate, where, what))))

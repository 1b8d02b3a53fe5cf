"""The named limits of a job, and what becomes of one that is breached.

A gate refuses the run unless the contract allows the breach by its name, so that every exception
is read by all parties before they agree, and stands in the run's report afterwards.
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
    "clipped_logits",
]

FEW_EVENTS = 20
"""Training rows of the rarer class below which few_events closes."""

FEW_HOST_COLUMNS = 3
"""Columns of a host below which few_host_columns closes."""

MANY_ITERATIONS = 40
"""Iterations above which many_iterations closes."""

GATES: dict[str, str] = {
    "small_bins": "a bin holds fewer than max(50 rows, 1 %) or fewer than 5 rows of a class: "
    "its bad rate says something about few people",
    "few_rows": "fewer training rows than 10 times the host's columns: gradients could be solved for labels",
    "few_events": f"fewer than {FEW_EVENTS} training rows of a class: "
    "whoever learns a sum over them learns much",
    "few_host_columns": f"the host brings fewer than {FEW_HOST_COLUMNS} columns: "
    "its logit gives their values away",
    "rare_values": "a column has a value that fewer than 50 rows share: its gradient is theirs alone",
    "many_iterations": f"more than {MANY_ITERATIONS} iterations: each releases one number per column",
    "large_values": "a scaled value lies beyond 8 standard deviations: its row dominates sums",
    "clipped_logits": "more than 0.1 % of a host's logits lie outside its declared range: "
    "the fit is no longer exact",
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

    def refuse(self, gate: str, where: str, what: str) -> None:
        """Raise ContractError for a breach of this gate, or note it if the contract allows it."""
        assert gate in GATES, f"no such gate: {gate}"
        if gate not in self.allow:
            raise ContractError(where, what, hint=f"allow it by name in the job: gates.allow: [{gate}]")
        self.overridden.append(": ".join(filter(None, (gate, where, what))))

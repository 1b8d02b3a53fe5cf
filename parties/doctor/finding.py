"""A finding: what was looked at, how it stands, what was seen, and the mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from vfl.errors import VflError

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.  `code`: the exit code that a run would end with, 0 unless it fails."""

    subject: str
    verdict: Verdict
    seen: str
    mend: str = ""
    code: int = 0

    def as_json(self) -> dict[str, str | int]:
        """Return it as plain values."""
        return asdict(self)


def fine(subject: str, seen: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(subject, "ok", seen)


def doubtful(subject: str, seen: str, mend: str) -> Finding:
    """Return that something is likely to be in the way later."""
    return Finding(subject, "warn", seen, mend)


def failed(subject: str, error: VflError) -> Finding:
    """Return that a run would end with this error."""
    return Finding(subject, "fail", str(error), error.hint, error.exit_code)


def worst(findings: Iterable[Finding]) -> int:
    """Return the exit code of all of them: the highest."""
    return max((finding.code for finding in findings), default=0)

"""The real test sets, which stand beside the repository and may be absent."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def shared(name: str) -> Path:
    """Return the path of a real data file such as "german/bank.csv"; skip the test without it."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"the data file {name} is not there: the real test sets are not part of the repository")
    return path

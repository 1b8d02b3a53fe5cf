"""Worker processes that do not outlive the party they work for.

joblib's workers wait for more work for minutes after their parent was killed.  These look once a
second whether it is still there.
"""

from __future__ import annotations

import os
import threading

PULSE = 1.0
"""Seconds between two looks."""


def end_with_parent() -> None:
    """End this process soon after its parent has ended, however that came about."""
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent,), name="watch over the parent", daemon=True).start()


def _watch(parent: int) -> None:
    never = threading.Event()
    while os.getppid() == parent:
        never.wait(PULSE)
    os._exit(1)

"""A report drawn anew from what a training left in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parties.report.page import render
from vfl.errors import ConfigError

CURVES = "curves.json"


def redrawn(folder: Path) -> str:
    """Return the report of the training whose run.json, ledger.json and curves.json are in a folder.

    Without curves.json, which earlier versions did not leave, the page has fewer plots.  Raises
    ConfigError where the folder has no training of a guest.
    """
    run, ledger = _read(folder, "run.json"), _read(folder, "ledger.json")
    if not isinstance(run, dict) or "splits" not in run:
        what = "is no guest's training: reports are of what the guest measured"
        raise ConfigError(str(folder / "run.json"), what, "name the folder where the guest's results went")
    curves = _read(folder, CURVES) if (folder / CURVES).exists() else {}
    guest = next((name for name, role in run.get("parties", {}).items() if role == "guest"), "the guest")
    return render(run, [{"party": guest, "entries": ledger}], curves)


def _read(folder: Path, name: str) -> Any:
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except OSError as error:
        hint = "name the folder where the guest's results went"
        raise ConfigError(str(folder / name), f"cannot be read: {error.strerror}", hint) from None
    except ValueError:
        raise ConfigError(str(folder / name), "is not JSON", "restore the file, or train again") from None

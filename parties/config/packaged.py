"""The demo's configuration files, which come with the package."""

from __future__ import annotations

from pathlib import Path

import parties


def demo_configs() -> tuple[Path, ...]:
    """Return the demo's job and party files: from the installed package, or from a checkout."""
    package = Path(parties.__file__).parent
    installed, checkout = package / "demo" / "configs", package.parent / "configs" / "demo"
    return tuple(sorted((installed if installed.is_dir() else checkout).glob("*.yaml")))

"""SECURITY.md's table of who learns what is the one that the protocols state."""

from __future__ import annotations

import runpy

from source import ROOT, messages, protocols

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "leakage.py"))


def test_security_md_says_who_learns_what_as_the_protocols_do() -> None:
    (block,) = SCRIPT["BLOCK"].findall((ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert block == SCRIPT["leakage_table"](), "run scripts/leakage.py --write"


def test_no_protocol_is_missing_from_the_table() -> None:
    assert {p.__name__ for p in SCRIPT["PROTOCOLS"]} == {p.__name__ for p in protocols()}


def test_every_message_has_one_row() -> None:
    table = SCRIPT["leakage_table"]()
    for protocol in protocols():
        for kind in messages(protocol):
            assert table.count(f"\n| `{kind.__name__}` |") == 1

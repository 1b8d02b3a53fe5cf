"""What docs/pages/python.md shows runs from top to bottom, as a reader would."""

from __future__ import annotations

import re
from typing import Any

import pytest
from source import ROOT

PAGE = ROOT / "docs" / "pages" / "python.md"


def test_the_examples_of_the_python_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) > 5
    known: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), known)
    assert "utilisation" in capsys.readouterr().out

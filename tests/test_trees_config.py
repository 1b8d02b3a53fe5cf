"""A job of trees takes no key that means nothing for trees."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_config import JOB, job

from vfl.errors import ConfigError


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ("joined_coefficients: true", "joined_coefficients: trees have none"),
        ("scores: exact", "scores: trees round none"),
        ("woe_to_host: false", "woe_to_host: trees have no weight of evidence"),
    ],
)
def test_trees_take_no_disclosure_that_only_a_regression_has(
    asked: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=f"disclosure: {complaint}"):
        job(f"{JOB}model: {{kind: trees}}\ndisclosure: {{{asked}}}\n", tmp_path)

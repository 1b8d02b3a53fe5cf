"""Where results go is looked at before anybody is met: no run is spent on what could not be kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_programs_bad_input import Site, vfl

from parties.programs.files import check_folder
from vfl.errors import ConfigError
from vfl.table.read import check_destination


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The files of three parties, none of whom serves."""
    place = Site(tmp_path)
    place.ports = {"insurer": 1, "trustee": 1}
    for name in ("bank", "insurer"):
        place.settle(name, connect=0.1)
    yield place


@pytest.mark.parametrize("command", [("guest", "train"), ("host", "serve")], ids=" ".join)
def test_a_run_whose_results_have_no_folder_does_not_begin(
    site: Site, command: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    party, out = (
        site.folder / ("bank.yaml" if command[0] == "guest" else "insurer.yaml"),
        site.folder / "x.csv",
    )
    out.write_text("a file")
    assert vfl(*command, str(site.folder / "job.yaml"), "--party", str(party), "--out", str(out)) == 2
    said = capsys.readouterr().err
    assert f"{out}: cannot be written to: File exists" in said
    assert "resume" not in said


def test_a_folder_for_results_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "runs")
    assert (tmp_path / "new" / "runs").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere/scores.csv", "nowhere/scores.csv: cannot be written: No such file or directory"),
        ("scores.xlsx", "unknown kind of table '.xlsx'"),
    ],
)
def test_scores_that_could_not_be_kept_are_refused_before_they_are_made(
    tmp_path: Path, name: str, said: str
) -> None:
    check_destination(tmp_path / "scores.csv")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match=said):
        check_destination(tmp_path / name)

"""A training logged with MLflow is what the guest's folder holds."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from program_runs import job

from parties.config.party import Tracking
from parties.tracking import ARTIFACTS, check_tracking, track
from vfl.errors import ConfigError, VflError

SUMMARY = {
    "run": "00aa",
    "contract": "cc",
    "intersection": 412,
    "seconds": 3.5,
    "splits": {"test": {"joint": {"auc": 0.75, "ks": None}, "guest_only": {"auc": 0.5, "ks": 0.25}}},
    "joint_coefficients": {"insurer": {"claims": 1.0}},
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A guest's folder after a training."""
    for name in ARTIFACTS:
        (tmp_path / name).write_text(json.dumps(SUMMARY) if name == "run.json" else name)
    (tmp_path / "party.yaml").write_text("private")
    return tmp_path


def test_a_folder_gets_terms_measures_and_the_guests_own_files(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    tracking = Tracking.model_validate({"mlflow": "mlruns"}, context={"folder": tmp_path})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mlflow's own: the folder is no database
        run = track(tracking, job(), SUMMARY, out)
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
        kept = client.get_run(run).data
        artifacts = {one.path for one in client.list_artifacts(run)}
    assert kept.metrics == {
        "test.joint.auc": 0.75,
        "test.guest_only.auc": 0.5,
        "test.guest_only.ks": 0.25,
        "intersection": 412,
        "seconds": 3.5,
    }
    assert (kept.params["model.C"], kept.params["disclosure.scores"]) == ("1.0", "point")
    assert kept.tags["vfl.run"] == "00aa"
    assert artifacts == set(ARTIFACTS)


def test_a_store_that_fails_is_told_in_one_line_and_not_thrown_over_the_training(out: Path) -> None:
    (out / "taken").write_text("a file")
    with pytest.raises(VflError, match=r"tracking\.mlflow: the training was not logged: "):
        track(Tracking(mlflow=str(out / "taken")), job(), SUMMARY, out)


def test_without_mlflow_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as error:
        check_tracking(Tracking(mlflow="https://mlflow.example.org"))
    assert error.value.hint == "pip install 'vfl[mlflow]'"
    check_tracking(None)


def test_an_address_holds_no_password() -> None:
    with pytest.raises(ValueError, match="must not hold a password"):
        Tracking(mlflow="https://me:secret@mlflow.example.org")

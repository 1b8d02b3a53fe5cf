"""A training logged with MLflow: what the guest's own folder holds, and nothing else.

    parameters   the job's terms by their dotted names
    metrics      SPLIT.MODEL.MEASURE, customers in common, seconds
    artifacts    run.json, model.json (the guest's half), ledger.json, curves.json, report.html

MLflow reports its use over the internet unless told otherwise; it is told so here.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parties.config.job import Job
from parties.config.party import Tracking
from vfl.errors import ConfigError, VflError

ARTIFACTS = ("run.json", "model.json", "ledger.json", "curves.json", "report.html")
LONGEST = 500
"""Letters of a parameter; MLflow refuses more than that."""


def check_tracking(tracking: Tracking | None) -> None:
    """Raise ConfigError where MLflow is asked for and not installed."""
    if tracking and importlib.util.find_spec("mlflow") is None:
        raise ConfigError("tracking", "needs MLflow, which is not installed", "pip install 'vfl[mlflow]'")


def track(tracking: Tracking, job: Job, summary: dict[str, Any], out: Path) -> str:
    """Log a training whose files are in `out`; return MLflow's name of the run.

    Raises VflError with MLflow's reason: the training itself is done and kept.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    if "://" not in tracking.mlflow:
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # the operator named a folder
    try:
        from mlflow.tracking import MlflowClient

        return _logged(MlflowClient(tracking_uri=_uri(tracking)), tracking.experiment, job, summary, out)
    except Exception as error:
        # A store of any kind may be behind it, with exceptions of its own.
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise VflError("tracking.mlflow", f"the training was not logged: {said}") from None


def _uri(tracking: Tracking) -> str:
    return tracking.mlflow if "://" in tracking.mlflow else Path(tracking.mlflow).as_uri()


def _logged(client: Any, experiment: str, job: Job, summary: dict[str, Any], out: Path) -> str:
    found = client.get_experiment_by_name(experiment)
    place = found.experiment_id if found else client.create_experiment(experiment)
    tags = {"vfl.run": summary["run"], "vfl.contract": summary["contract"], "vfl.purpose": job.purpose}
    run: str = client.create_run(place, tags=tags, run_name=f"{job.job} {summary['run']}").info.run_id
    for name, value in _flat(job.model_dump(mode="json", exclude={"parties", "purpose"})):
        client.log_param(run, name, str(value)[:LONGEST])
    metrics: dict[str, Any] = {
        key: summary[key] for key in ("splits", "intersection", "seconds") if key in summary
    }
    for name, value in _flat(metrics):
        if isinstance(value, int | float):
            client.log_metric(run, name.removeprefix("splits."), float(value))
    for file in ARTIFACTS:
        client.log_artifact(run, str(out / file))
    client.set_terminated(run)
    return run


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value under its dotted name."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value

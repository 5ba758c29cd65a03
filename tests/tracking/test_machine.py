"""What a row says of the machine that it was trained on."""

import time

import mlflow
import pytest

from ferline.errors import FerlineError
from ferline.tracking import rows
from ferline.tracking.machine import watched


def test_a_training_shorter_than_mlflows_interval_still_says_how_busy_the_machine_was(store):
    row, _ = rows.row(rows.parent("run", "run"), "small")
    with watched(row):
        sum(range(3_000_000))
    found = mlflow.get_run(row).data.metrics
    assert found["system/cpu_utilization_percentage"] > 0
    assert found["system/system_memory_usage_megabytes"] > 0
    assert mlflow.get_run(row).info.status == "RUNNING", "whoever watches does not end the run"


def test_a_longer_training_has_a_curve_of_it(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    row, _ = rows.row(rows.parent("run", "run"), "small")
    with watched(row):
        time.sleep(1.2)
    points = mlflow.MlflowClient().get_metric_history(row, "system/cpu_utilization_percentage")
    assert len(points) >= 3
    assert sorted(point.step for point in points) == list(range(len(points)))


def test_a_training_that_fails_fails_with_its_own_error(store):
    row, _ = rows.row(rows.parent("run", "run"), "small")
    with pytest.raises(FerlineError, match="the loss was NaN"), watched(row):
        raise FerlineError("the loss was NaN")
    assert "system/system_memory_usage_megabytes" in mlflow.get_run(row).data.metrics

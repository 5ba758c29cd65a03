"""State stays in the project unless the user says otherwise."""

import os
import subprocess
import sys

from ferline.home import STATE, settle

ASKED = ("ZENML_CONFIG_PATH", "MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI")
OURS = (*ASKED, "FERLINE_SCRATCH", "GOMP_SPINCOUNT", "MLFLOW_DISABLE_TELEMETRY", "ZENML_ANALYTICS_OPT_IN")


def test_zenml_and_mlflow_are_pointed_into_the_project(monkeypatch):
    for name in ASKED:
        monkeypatch.delenv(name, raising=False)
    settle()
    assert os.environ["ZENML_CONFIG_PATH"] == str(STATE / "zenml")
    assert os.environ["MLFLOW_TRACKING_URI"] == os.environ["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{STATE}/mlflow.db"


def test_what_the_user_has_set_wins(monkeypatch):
    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    monkeypatch.setenv("ZENML_CONFIG_PATH", "/elsewhere")
    settle()
    assert os.environ["MLFLOW_TRACKING_URI"] == "https://mlflow.example"
    assert os.environ["ZENML_CONFIG_PATH"] == "/elsewhere"
    assert "MLFLOW_BACKEND_STORE_URI" not in os.environ, "a local store beside a server would only confuse `mlflow ui`"


def test_the_environments_python_settles_by_itself(tmp_path):
    """A plain `zenml pipeline run` imports nothing of ours first; the hook that make setup installs does."""
    clean = {key: value for key, value in os.environ.items() if key not in OURS}
    code = "import os; print(os.environ['ZENML_CONFIG_PATH'])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=clean
    )
    assert found.stdout.strip() == str(STATE / "zenml")

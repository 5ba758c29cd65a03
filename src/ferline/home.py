"""Where a checkout keeps its state: everything of ZenML and MLflow goes to .ferline/ inside the project.

`make setup` has the environment import this at start, before ZenML or MLflow read their own variables. Whatever the
user has set already wins, so runs go to their server when they name one.
"""

import os
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".ferline"


def settle() -> None:
    """Point ZenML, MLflow and scratch space into the project, unless the user has pointed them elsewhere."""
    local = {
        "ZENML_CONFIG_PATH": STATE / "zenml",
        "ZENML_ANALYTICS_OPT_IN": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # `ferline leaderboard --json` prints JSON alone
        # torch's threads spin while they wait for each other. Long, as by default, that costs a multiple beside another
        # busy process; not at all ("passive"), and small layers wait for the kernel: two thirds of the speed alone.
        "GOMP_SPINCOUNT": "1000",
        "FERLINE_SCRATCH": STATE / "scratch",  # on the artifact store's disk, so that artifacts move there by a link
    }
    if "MLFLOW_TRACKING_URI" not in os.environ:
        store = f"sqlite:///{STATE / 'mlflow.db'}"
        local |= {"MLFLOW_TRACKING_URI": store, "MLFLOW_BACKEND_STORE_URI": store}
    for name, value in local.items():
        os.environ.setdefault(name, str(value))


def install() -> None:
    """Have this environment's Python call `settle` whenever it starts."""
    STATE.mkdir(exist_ok=True)
    hook = Path(sysconfig.get_paths()["purelib"]) / "ferline_home.pth"
    hook.write_text("import ferline.home; ferline.home.settle()\n")

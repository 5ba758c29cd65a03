"""What a command imports before it can begin: every one of these took seconds of each start."""

import subprocess
import sys

import pytest

CHECK = """
from ferline.models.registry import check
from ferline.params import ArchitectureParams, InputParams, TrainingParams
check("ours", ArchitectureParams("ferline_net", InputParams(48, 1), TrainingParams(1, 32)))
check("theirs", ArchitectureParams("cnn_lstm_svm", InputParams(48, 1), TrainingParams(1, 32)))
"""
HEAVY = ("torchvision", "torch._dynamo", "sklearn", "scipy.optimize", "scipy.stats", "matplotlib", "mlflow", "zenml")


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import ferline.cli", ("torch", "numpy", "pandas", *HEAVY)),
        ("import ferline.promotion.champion, ferline.tracking.results", ("torch", "sklearn", "matplotlib", "zenml")),
        (f"import ferline.serving.recognise, ferline.serving.annotate{CHECK}", HEAVY),
    ],
    ids=["help", "champion and leaderboard", "predict, and parameters without a ResNet"],
)
def test_nothing_is_imported_that_is_not_used(code: str, unwanted: tuple[str, ...]) -> None:
    told = f"{code}\nimport sys\nprint(*(name for name in {unwanted!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stdout.split()

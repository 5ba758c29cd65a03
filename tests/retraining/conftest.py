"""Retraining as a workflow does it: in fresh clones of a git remote on disk, with a DVC remote on disk."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "pipelines"))  # project_folder: commands as a user runs them

"""FaceSet + AugmentationPolicy -> TrainedModel."""

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zenml import get_step_context, log_metadata, step

from ferline.artifact import state_folder
from ferline.augment.policy import AugmentationPolicy
from ferline.errors import Preempted
from ferline.faces.faceset import FaceSet
from ferline.jobs.launch import train as fit
from ferline.models.predecessors import on_a_card
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams, ComputeParams
from ferline.tracking import rows
from ferline.tracking.machine import watched
from steps._caching import following


@step(cache_policy=following("ferline.jobs", "ferline.training", "ferline.models"))
def train(
    name: str,
    architecture: ArchitectureParams,
    faces: FaceSet,
    policy: AugmentationPolicy,
    compute: ComputeParams,
    fold: int | None = None,
    seed: int | None = None,
    before: dict[str, Any] | None = None,
) -> TrainedModel:
    """Train one architecture; its curves are in MLflow while it runs, and a killed training goes on where it was.

    `before`: the digests of the models that it begins with and learns from, so that others are another training.
    """
    run = get_step_context().pipeline_run
    row, _ = rows.row(rows.parent(str(run.id), run.name), name, fold, seed)
    of = {"fold": fold, "member_seed": seed, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
    card = {**faces.origin, **of, **(before or {})}
    rows.begin(row, {"architecture": name, **on_a_card(asdict(architecture)), **card})
    log_metadata({"mlflow_run_id": row, "mlflow_tracking_uri": rows.active()})

    title = name if fold is None else f"{name} fold {fold} of {faces.folds}"
    title += "" if seed is None else f" seed {seed}"

    shown = rows.epochs(row)

    def show(record: dict[str, Any]) -> None:
        if record["epoch"] > shown:
            rows.log_epoch(row, record)
        told = "  ".join(f"{key} {value:.4g}" for key, value in record.items() if key != "epoch")
        print(f"{title}  epoch {record['epoch']}/{architecture.training.epochs}  {told}", flush=True)

    checkpoints = _state_of(name, architecture, card)
    own: dict[str, Any] = {"card": card, "checkpoints": checkpoints, "on_epoch": show}
    try:
        with watched(row):
            return fit(name, architecture, faces.fold(fold), policy, compute, **own)
    except Preempted as error:  # in a pod nobody else would turn it into the exit status that asks for another start
        print(error, file=sys.stderr, flush=True)
        raise SystemExit(error.exit_code) from None


def _state_of(name: str, architecture: ArchitectureParams, card: dict[str, Any]) -> Path:
    """Where exactly this training keeps its checkpoints: other data or parameters are another training."""
    identity = json.dumps([name, asdict(architecture), card], sort_keys=True).encode()
    return state_folder("checkpoints") / f"{name}-{hashlib.sha256(identity).hexdigest()[:16]}"

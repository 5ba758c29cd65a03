"""One pipeline run is a parent run in MLflow, one architecture a row under it that carries training and evaluation.

A row is a function of artifacts (a TrainedModel's card and history, an Evaluation), so one that came from the cache
can be written under a new parent without training again, and every parent shows the whole comparison.
"""

import time
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import LoggedModelOutput, Metric, Param, RunTag

from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.leaderboard import Leaderboard
from ferline.models.trained import TrainedModel
from ferline.tracking import store
from ferline.tracking.logged_model import log_model, logged_model
from ferline.tracking.promotion import Promotion

PARENT = "ferline.pipeline_run"
ARCHITECTURE = "ferline.architecture"
FOLD = "ferline.fold"
MODEL = "model.digest"  # a row that has it is whole
LIMIT = 6000  # the longest value of a parameter that every MLflow store takes


def parent(pipeline_run: str, name: str) -> str:
    """The id of the pipeline run's own MLflow run, made at first use."""
    found = store.search(f"tags.`{PARENT}` = '{pipeline_run}' and tags.`ferline.kind` = 'pipeline'", 1)
    if found:
        return str(found[0].info.run_id)
    store.close_abandoned()
    tags = {PARENT: pipeline_run, "ferline.kind": "pipeline", **store.code_version(), **store.process_tags()}
    return str(store.client().create_run(store.experiment_id(), tags=tags, run_name=name).info.run_id)


def row(parent_id: str, architecture: str, fold: int | None = None) -> tuple[str, bool]:
    """The id of the architecture's row under this parent, and whether it was made just now; a fold's is under that."""
    if fold is not None:
        return _fold_row(row(parent_id, architecture)[0], architecture, fold)
    if found := find_row(parent_id, architecture):
        return found, False
    return _new_row(parent_id, architecture, {ARCHITECTURE: architecture, "ferline.kind": "architecture"}), True


def find_row(parent_id: str, architecture: str) -> str | None:
    return _find(f"tags.`mlflow.parentRunId` = '{parent_id}' and tags.`{ARCHITECTURE}` = '{architecture}'")


def _fold_row(row_id: str, architecture: str, fold: int) -> tuple[str, bool]:
    if found := _find(f"tags.`mlflow.parentRunId` = '{row_id}' and tags.`{FOLD}` = '{fold}'"):
        return found, False
    return _new_row(row_id, f"{architecture} fold {fold}", {FOLD: str(fold), "ferline.kind": "fold"}), True


def _find(condition: str) -> str | None:
    found = store.search(condition, 1)
    return str(found[0].info.run_id) if found else None


def _new_row(above: str, name: str, tags: dict[str, str]) -> str:
    tags = {"mlflow.parentRunId": above, **tags, **store.code_version(), **store.process_tags()}
    return str(store.client().create_run(store.experiment_id(), tags=tags, run_name=name).info.run_id)


def log_parameters(run_id: str, parameters: dict[str, Any]) -> None:
    """All of a row's parameters in one request; the same again changes nothing."""
    params = [Param(key, str(value)[:LIMIT]) for key, value in store.flat(parameters).items()]
    store.client().log_batch(run_id, params=params)


def log_epoch(run_id: str, record: dict[str, Any]) -> None:
    """One epoch's curves, in one request."""
    now = int(time.time() * 1000)
    points = [Metric(f"curves/{k}", float(v), now, int(record["epoch"])) for k, v in record.items() if k != "epoch"]
    store.client().log_batch(run_id, metrics=points)


def log_evaluation(
    parent_id: str,
    evaluation: Evaluation,
    model: TrainedModel | None = None,
    fold: int | None = None,
    curves: bool = False,
) -> str:
    """The whole row of an evaluated model: parameters, curves, scores, pictures and the model itself; its id.

    Of folds only the first one's model is kept in MLflow: it is the one that may be promoted. `curves` writes those of
    a training that ran elsewhere; one that ran here wrote its own.
    """
    run_id, new = row(parent_id, evaluation.architecture, fold)
    new |= (
        curves or "folds" in evaluation.content
    )  # whose curves are the mean of rows that were written as they trained
    card = evaluation.card
    log_parameters(
        run_id,
        {key: card[key] for key in ("model", "input", "weights", "options", "augmentation", "training", "dataset")},
    )
    if new:
        for record in evaluation.history:
            log_epoch(run_id, record)
    now = int(time.time() * 1000)
    metrics = [Metric(key, value, now, 0) for key, value in _scores(evaluation).items()]
    tags = {
        "data.digest": card["data_digest"],
        MODEL: evaluation.model_digest,
        "protocol": card["dataset"]["protocol"],
    }
    store.client().log_batch(run_id, metrics=metrics, tags=[RunTag(k, str(v)) for k, v in tags.items()])
    store.client().log_artifacts(run_id, str(evaluation.folder))
    if not fold:
        _attach_model(run_id, evaluation, model)
    store.client().set_terminated(run_id)
    return run_id


def complete(parent_id: str, evaluations: list[Evaluation]) -> None:
    """Every row that this pipeline run did not write whole, because an evaluation came from the cache."""
    for evaluation in evaluations:
        run_id, new = row(parent_id, evaluation.architecture, evaluation.fold)
        if new or MODEL not in store.client().get_run(run_id).data.tags:
            log_evaluation(parent_id, evaluation, fold=evaluation.fold, curves=new)


def log_leaderboard(parent_id: str, leaderboard: Leaderboard) -> None:
    """The comparison goes to the parent, where `ferline leaderboard` finds it."""
    client, best = store.client(), leaderboard.rows[0]
    client.log_artifacts(parent_id, str(leaderboard.folder), "leaderboard")
    client.set_tag(parent_id, "ferline.leaderboard", leaderboard.digest)
    client.set_tag(parent_id, "ferline.best", best["architecture"])
    client.set_tag(parent_id, "mlflow.note.content", Path(leaderboard.folder, "leaderboard.md").read_text())


def log_decision(parent_id: str, promotion: Promotion) -> None:
    """The decision with its reasons, and the end of the pipeline run."""
    client, decision = store.client(), promotion.decision
    client.log_artifacts(parent_id, str(promotion.folder), "promotion")
    client.set_tag(parent_id, "ferline.promoted", str(decision["promoted"]).lower())
    client.set_tag(parent_id, "ferline.reason", decision["reason"])
    client.set_terminated(parent_id)


def _attach_model(run_id: str, evaluation: Evaluation, model: TrainedModel | None) -> None:
    """A model whose bytes are in the store already is linked to the row, not stored twice."""
    found = logged_model(evaluation.model_digest)
    if found is not None:
        outputs = store.client().get_run(run_id).outputs
        if not outputs or all(output.model_id != found.model_id for output in outputs.model_outputs):
            store.client().log_outputs(run_id, models=[LoggedModelOutput(found.model_id, step=0)])
    elif model is not None:
        log_model(run_id, model)


def _scores(evaluation: Evaluation) -> dict[str, float]:
    """The single numbers of an evaluation under one name in every row, for the comparison pages."""
    values: dict[str, Any] = {"parameters": evaluation.card["parameters"], "latency_ms": evaluation.latency_ms}
    values |= {"size_mb": evaluation.size_bytes / 1e6, "best_epoch": evaluation.content["best_epoch"]}
    for split in ("validation", "test"):
        scores = evaluation.scores(split)
        values |= {f"{split}/{key}_sd": value for key, value in scores.get("sd", {}).items()}
        values |= {f"{split}/{key}": value for key, value in scores.items() if isinstance(value, int | float)}
        values |= {f"{split}/recall_{emotion}": each["recall"] for emotion, each in scores["per_class"].items()}
    return {key: float(value) for key, value in values.items() if value is not None}


def active() -> str:
    """Where to look at the rows, in words for people."""
    return str(mlflow.get_tracking_uri())

"""One pipeline run is a parent run in MLflow, one architecture a row under it that carries training and evaluation.

A row is a function of artifacts (a TrainedModel's card and history, an Evaluation), so one that came from the cache
can be written under a new parent without training again, and every parent shows the whole comparison.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import LoggedModelOutput, Metric, Param, RunTag
from PIL import Image

from ferline.tracking import dataset, settings, store, view
from ferline.tracking.lock import exclusive
from ferline.tracking.logged_model import log_model, logged_model
from ferline.tracking.numbers import metrics_of, note_of, parameters_of

if TYPE_CHECKING:  # torch, for which `ferline leaderboard` should not wait
    from ferline.evaluation.evaluate import Evaluation
    from ferline.evaluation.leaderboard import Leaderboard
    from ferline.models.trained import TrainedModel

PARENT = "ferline.pipeline_run"
ARCHITECTURE = "ferline.architecture"
KIND = "ferline.kind"
MODEL = "model.digest"  # a row that has it is whole
TRAINED_IN = "ferline.trained_in"  # the row in which the training ran: itself, or for one from the cache an older one
RUN = "ferline.run"  # the pipeline run's name, on every row of it
RANK = "ferline.rank"
NOTE = "mlflow.note.content"
LIMIT = 6000  # the longest value of a parameter that every MLflow store takes


def parent(pipeline_run: str, name: str) -> str:
    """The id of the pipeline run's own MLflow run, made at first use, with the settings that it runs under."""
    condition = f"tags.`{PARENT}` = '{pipeline_run}' and tags.`{KIND}` = 'pipeline'"
    return _once(pipeline_run, condition, lambda: _new_parent(pipeline_run, name))[0]


def _once(key: str, condition: str, make: Callable[[], str]) -> tuple[str, bool]:
    """The id of the run that meets the condition, and whether it had to be made: by one, of all the steps that want it.

    An orchestrator with a pod a step starts all trainings of a pipeline run at once.
    """
    if found := _find(condition):
        return found, False
    with exclusive(f"row-{key}", work="start of a row"):
        found = _find(condition)
        return (found, False) if found else (make(), True)


def _new_parent(pipeline_run: str, name: str) -> str:
    store.close_abandoned()
    tags = {PARENT: pipeline_run, RUN: name, KIND: "pipeline", **store.code_version(), **store.process_tags()}
    if changed := store.changed_files():
        tags[store.CHANGED_FILES] = store.shortened(changed)
    run_id = str(store.client().create_run(store.experiment_id(), tags=tags, run_name=name).info.run_id)
    settings.log(run_id, Path())
    return run_id


def row(parent_id: str, architecture: str, fold: int | None = None, seed: int | None = None) -> tuple[str, bool]:
    """The id of the architecture's row under this parent, and whether it was made just now.

    The row of one fold, or of one of several seeds, is under the architecture's.
    """
    for kind, member in (("fold", fold), ("seed", seed)):
        if member is not None:
            return _member_row(row(parent_id, architecture)[0], architecture, kind, member)
    tags = {ARCHITECTURE: architecture, KIND: "architecture"}
    return _once(
        f"{parent_id}-{architecture}", _of(parent_id, architecture), lambda: _new_row(parent_id, architecture, tags)
    )


def find_row(parent_id: str, architecture: str) -> str | None:
    return _find(_of(parent_id, architecture))


def _of(parent_id: str, architecture: str) -> str:
    return f"tags.`mlflow.parentRunId` = '{parent_id}' and tags.`{ARCHITECTURE}` = '{architecture}'"


def _member_row(row_id: str, architecture: str, kind: str, member: int) -> tuple[str, bool]:
    condition = f"tags.`mlflow.parentRunId` = '{row_id}' and tags.`ferline.{kind}` = '{member}'"
    name, tags = f"{architecture} {kind} {member}", {f"ferline.{kind}": str(member), KIND: kind}
    return _once(f"{row_id}-{kind}-{member}", condition, lambda: _new_row(row_id, name, tags))


def _find(condition: str) -> str | None:
    found = store.search(condition, 1)
    return str(found[0].info.run_id) if found else None


def _new_row(above: str, name: str, tags: dict[str, str]) -> str:
    of = {"mlflow.parentRunId": above, RUN: store.client().get_run(above).data.tags[RUN]}
    tags = {**of, **tags, **store.code_version(), **store.process_tags()}
    return str(store.client().create_run(store.experiment_id(), tags=tags, run_name=name).info.run_id)


def begin(run_id: str, content: dict[str, Any]) -> None:
    """What a row has from the start of its training; `content` as for `parameters_of`, and the data's digests."""
    log_parameters(run_id, content)
    store.client().log_inputs(run_id, [dataset.input_of(content, "training")])
    store.client().set_tag(run_id, TRAINED_IN, run_id)


def log_parameters(run_id: str, content: dict[str, Any]) -> None:
    """All of a row's parameters in one request; the same again changes nothing."""
    params = [Param(key, str(value)[:LIMIT]) for key, value in store.flat(parameters_of(content)).items()]
    store.client().log_batch(run_id, params=params)


def epochs(run_id: str) -> int:
    """How many epochs a row's curves have: a step that runs again, its first pod taken away, only adds to them."""
    points = store.client().get_metric_history(run_id, "curves/train_loss")
    return max((point.step for point in points), default=0)


def log_epoch(run_id: str, record: dict[str, Any]) -> None:
    """One epoch's curves, in one request.

    The validation scores, which are last in the record, go first: MLflow's compare page starts from the oldest metric.
    """
    now, step = int(time.time() * 1000), int(record["epoch"])
    points = [Metric(f"curves/{k}", float(v), now, step) for k, v in reversed(record.items()) if k != "epoch"]
    store.client().log_batch(run_id, metrics=points)


def log_evaluation(
    parent_id: str, evaluation: "Evaluation", model: "TrainedModel | None" = None, curves: bool = False
) -> str:
    """The whole row of an evaluated model: parameters, data, curves, scores, pictures and the model itself; its id.

    Of folds only the first one's model is kept in MLflow, of seeds all: those are the ones that may be promoted.
    `curves` writes those of a training that ran elsewhere; one that ran here wrote its own.
    """
    run_id, new = row(parent_id, evaluation.architecture, evaluation.fold, evaluation.seed)
    new |= curves or evaluation.members > 1  # whose curves are the mean of rows that were written as they trained
    log_parameters(run_id, evaluation.card)
    inputs = [dataset.input_of(evaluation.card, context) for context in dataset.CONTEXTS]
    store.client().log_inputs(run_id, inputs)
    if new:
        for record in evaluation.history:
            log_epoch(run_id, record)
    model_id = None if evaluation.fold else _attach_model(run_id, evaluation, model)
    _log_scores(run_id, evaluation, model_id)
    store.client().log_artifacts(run_id, str(evaluation.folder))
    # Once more as what MLflow calls an image: those it lays side by side on the page of runs.
    store.client().log_image(run_id, Image.open(evaluation.folder / f"{view.IMAGE}.png"), key=view.IMAGE, step=0)
    store.client().set_terminated(run_id)
    return run_id


def _log_scores(run_id: str, evaluation: "Evaluation", model_id: str | None) -> None:
    """On the row; where it is the row of a single model, on the model's own page too."""
    found, now = metrics_of(evaluation), int(time.time() * 1000)
    scored = dataset.input_of(evaluation.card, "evaluation").dataset
    of = {"dataset_name": scored.name, "dataset_digest": scored.digest}
    if model_id is not None and evaluation.members == 1:
        of["model_id"] = model_id
    metrics = [Metric(key, value, now, 0, **of) for key, value in found.items()]
    tags = {
        "data.digest": evaluation.card["data_digest"],
        "protocol": evaluation.card["dataset"]["protocol"],
        NOTE: note_of(evaluation),
        MODEL: evaluation.model_digest,
    }
    store.client().log_batch(run_id, metrics=metrics, tags=[RunTag(k, str(v)) for k, v in tags.items()])


def complete(parent_id: str, evaluations: "list[Evaluation]", models: "list[TrainedModel]") -> None:
    """Every row that this pipeline run did not write whole, because an evaluation came from the cache.

    A store that is new, while the cache is not, gets the models too.
    """
    by_digest = {model.digest: model for model in models}
    for evaluation in sorted(evaluations, key=lambda each: each.members):  # a row of several links one of their models
        run_id, new = row(parent_id, evaluation.architecture, evaluation.fold, evaluation.seed)
        if new or MODEL not in store.client().get_run(run_id).data.tags:
            log_evaluation(parent_id, evaluation, by_digest.get(evaluation.model_digest), curves=new)


def log_leaderboard(parent_id: str, leaderboard: "Leaderboard") -> None:
    """The comparison goes to the parent, where `ferline leaderboard` finds it; every row is told its rank in it."""
    client, best = store.client(), leaderboard.rows[0]
    client.log_artifacts(parent_id, str(leaderboard.folder), "leaderboard")
    client.set_tag(parent_id, "ferline.leaderboard", leaderboard.digest)
    client.set_tag(parent_id, "ferline.best", best["architecture"])
    text = Path(leaderboard.folder, "leaderboard.md").read_text().splitlines()
    client.set_tag(parent_id, NOTE, "\n".join(line for line in text if not line.startswith("![")))  # no files there
    for rank, each in enumerate(leaderboard.rows, 1):
        if run_id := find_row(parent_id, each["architecture"]):
            client.set_tag(run_id, RANK, str(rank))


def _attach_model(run_id: str, evaluation: "Evaluation", model: "TrainedModel | None") -> str | None:
    """The id of the model in the store; one whose bytes are there already is linked to the row, not stored twice."""
    found = logged_model(evaluation.model_digest)
    if found is None:
        return str(log_model(run_id, model).model_id) if model is not None else None
    client, outputs = store.client(), store.client().get_run(run_id).outputs
    if not outputs or all(output.model_id != found.model_id for output in outputs.model_outputs):
        client.log_outputs(run_id, models=[LoggedModelOutput(found.model_id, step=0)])
    if found.source_run_id and TRAINED_IN not in client.get_run(run_id).data.tags:
        client.set_tag(run_id, TRAINED_IN, found.source_run_id)
    return str(found.model_id)


def active() -> str:
    """Where to look at the rows, in words for people."""
    return str(mlflow.get_tracking_uri())

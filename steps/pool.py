"""Evaluations of every fold -> Evaluation of the architecture."""

from zenml import get_step_context, step

from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.pool import pool as together
from ferline.tracking import rows
from steps._caching import following


@step(cache_policy=following("ferline.evaluation.pool"))
def pool(folds: list[Evaluation]) -> Evaluation:
    """Mean, spread and one confusion matrix of all folds: the architecture's row in MLflow, the folds under it."""
    evaluation = together(folds)
    run = get_step_context().pipeline_run
    rows.log_evaluation(rows.parent(str(run.id), run.name), evaluation)
    return evaluation

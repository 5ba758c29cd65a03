"""Evaluations of every fold or seed -> Evaluation of the architecture."""

from zenml import get_step_context, step

from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.pool import pool as together
from ferline.params import EvaluationParams
from ferline.tracking import rows
from steps._caching import following


@step(cache_policy=following("ferline.evaluation.pool"))
def pool(members: list[Evaluation], select_by: str, params: EvaluationParams) -> Evaluation:
    """Mean and spread of all folds or seeds: the architecture's row in MLflow, its members under it."""
    evaluation = together(members, select_by, params)
    run = get_step_context().pipeline_run
    rows.log_evaluation(rows.parent(str(run.id), run.name), evaluation)
    return evaluation

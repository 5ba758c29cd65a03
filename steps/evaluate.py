"""TrainedModel + FaceSet -> Evaluation."""

from zenml import get_step_context, step

from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.evaluate import evaluate as score
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import EvaluationParams
from ferline.tracking import rows
from steps._caching import following


@step(cache_policy=following("ferline.evaluation", "ferline.models"))
def evaluate(
    model: TrainedModel,
    faces: FaceSet,
    params: EvaluationParams,
    fold: int | None = None,
) -> Evaluation:
    """Score and probe the model on validation and test, and complete its row in MLflow."""
    evaluation = score(model, faces.fold(fold), params=params)
    run = get_step_context().pipeline_run
    rows.log_evaluation(rows.parent(str(run.id), run.name), evaluation, model)
    return evaluation

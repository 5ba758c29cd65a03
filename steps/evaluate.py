"""TrainedModel + FaceSet -> Evaluation."""

from zenml import get_step_context, step

from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.evaluate import evaluate as score
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.tracking import rows
from steps._caching import following


@step(cache_policy=following("ferline.evaluation", "ferline.models"))
def evaluate(model: TrainedModel, faces: FaceSet, fold: int | None = None) -> Evaluation:
    """Score the model on validation and test, and complete its row in MLflow."""
    evaluation = score(model, faces.fold(fold))
    run = get_step_context().pipeline_run
    rows.log_evaluation(rows.parent(str(run.id), run.name), evaluation, model, fold)
    return evaluation

"""Leaderboard -> the champion in the registry."""

from zenml import get_step_context, step

from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.leaderboard import Leaderboard
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import PromotionParams
from ferline.promotion.promote import Promotion, log_decision
from ferline.promotion.promote import promote as decide
from ferline.tracking import own_run, rows, store


@step(enable_cache=False)  # the champion to beat is in the registry, which no cache key knows
def promote(
    leaderboard: Leaderboard,
    rows_of: list[Evaluation],
    models: list[TrainedModel],
    faces: FaceSet,
    params: PromotionParams,
) -> Promotion:
    """Hold the best model against the gates and the champion, and register it when it wins.

    `rows_of`: all evaluations, single folds among them; each has its row in MLflow afterwards.
    """
    run = get_step_context().pipeline_run
    parent = rows.parent(str(run.id), run.name)
    rows.complete(parent, rows_of, models)
    rows.log_leaderboard(parent, leaderboard)
    lineage = {"zenml.pipeline_run": str(run.id), "mlflow.parent_run": parent, **store.code_version()}
    promotion = decide(leaderboard, models, faces, params, lineage)
    log_decision(parent, promotion)
    own_run.remember(parent)
    print(promotion.text, flush=True)
    return promotion

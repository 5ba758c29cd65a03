"""Evaluations -> Leaderboard."""

from zenml import get_step_context, step

from ferline.evaluation import leaderboard
from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.leaderboard import Leaderboard
from ferline.params import PromotionParams
from ferline.tracking import rows
from steps._caching import following


@step(cache_policy=following("ferline.evaluation.leaderboard"))
def compare(evaluations: list[Evaluation], params: PromotionParams) -> Leaderboard:
    """Put all evaluations side by side, best on validation first, under this run's parent in MLflow."""
    board = leaderboard.compare(evaluations, params)
    run = get_step_context().pipeline_run
    rows.complete(rows.parent(str(run.id), run.name), evaluations)
    return board

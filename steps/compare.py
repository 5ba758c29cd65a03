"""Evaluations -> Leaderboard."""

from zenml import step

from ferline.evaluation import leaderboard
from ferline.evaluation.evaluate import Evaluation
from ferline.evaluation.leaderboard import Leaderboard
from ferline.params import PromotionParams
from steps._caching import following


@step(cache_policy=following("ferline.evaluation.leaderboard"))
def compare(evaluations: list[Evaluation], params: PromotionParams) -> Leaderboard:
    """Put all evaluations side by side, best on validation first."""
    return leaderboard.compare(evaluations, params)

"""Every number of one split with its interval, and what calibration changed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ferline.evaluation import bootstrap, calibration
from ferline.evaluation.metrics import score
from ferline.evaluation.predictions import arrays_of, drawn_by
from ferline.models.temperature import probabilities
from ferline.params import EvaluationParams


def scores_of(predictions: pd.DataFrame, emotions: Sequence[str], params: EvaluationParams) -> dict[str, Any]:
    """`metrics.score` of one split's predictions, and under `intervals` the 95% of every number in it."""
    labels, shares, groups = arrays_of(predictions, emotions)
    found = bootstrap.intervals(labels, shares, emotions, groups, params.resamples, params.seed)
    return score(labels, shares, emotions) | {"intervals": found}


def resampling_of(predictions: pd.DataFrame, params: EvaluationParams) -> dict[str, Any]:
    """How the intervals were made."""
    return {"resamples": params.resamples, "by": drawn_by(predictions), "seed": params.seed}


def calibration_of(logits: np.ndarray, temperature: float, labels: np.ndarray) -> dict[str, Any]:
    """Of the network's own confidence and of the calibrated one, which is what the model gives."""
    raw, calibrated = probabilities(logits, 1.0), probabilities(logits, temperature)
    return {
        "before": calibration.measures(labels, raw),
        "after": calibration.measures(labels, calibrated),
        "bins_before": calibration.bins(labels, raw),
        "bins": calibration.bins(labels, calibrated),
    }

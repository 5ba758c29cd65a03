"""The champion and the candidate on the same faces: those of today's test split that neither has seen."""

from collections.abc import Callable, Iterable

import numpy as np
import torch

from ferline.errors import FerlineError
from ferline.evaluation.bootstrap import difference, numbered
from ferline.evaluation.metrics import score
from ferline.evaluation.predictions import together
from ferline.evaluation.significance import mcnemar
from ferline.faces.faceset import FaceSet
from ferline.faces.resize import resized
from ferline.images.parallel import one_opencv_thread
from ferline.models.trained import TrainedModel
from ferline.params import InputParams, PromotionParams
from ferline.promotion.policy import ANEW, Comparison, Reigning
from ferline.tracking.registry import Registered, Unreadable

FEWEST = 20  # test faces that neither has seen; of fewer, one face is over 5 points of accuracy
RESAMPLES, SEED = 5000, 0  # a p of 0.05 is then known to within 0.006
BATCH = 256


def reign(
    champion: Registered,
    candidate: TrainedModel,
    faces: FaceSet,
    params: PromotionParams,
    on_batch: Callable[[], None] = lambda: None,
) -> Reigning:
    """Today's champion beside the candidate; a store that does not answer is a FerlineError, and nothing is decided.

    `on_batch` is called as it goes on: two large networks on a CPU may take longer than a lock is kept for the silent.
    """
    try:
        model = champion.model()
    except Unreadable as error:
        return Reigning(champion.version, champion.digest, outcome="champion_unreadable", problem=str(error))
    for outcome, problem in _obstacles(model, candidate, faces):
        return Reigning(champion.version, champion.digest, outcome=outcome, problem=f"{problem}. {ANEW}")
    return Reigning(champion.version, champion.digest, _compared(model, candidate, faces, params, on_batch))


def _obstacles(model: TrainedModel, candidate: TrainedModel, faces: FaceSet) -> Iterable[tuple[str, str]]:
    """What keeps the two from being compared: the outcome, and the reason in words."""
    try:
        model.network()
    except FerlineError as error:
        yield "champion_incompatible", f"its files are whole, and this version of ferline cannot use them ({error})"
        return
    if model.emotions != faces.emotions:
        yield "other_emotions", f"it tells {', '.join(model.emotions)}, these faces show {', '.join(faces.emotions)}"
    test, rows = faces.rows("test"), _unseen([model, candidate], faces)
    if len(rows) < min(FEWEST, len(test)):
        counts = [int(each.has_seen(_checksums(faces, test)).sum()) for each in (model, candidate)]
        yield (
            "seen",
            f"of today's {len(test):,} test faces it was trained on {counts[0]:,} and the candidate on {counts[1]:,}, "
            f"which leaves {len(rows):,} to compare them on",
        )


def _compared(
    model: TrainedModel,
    candidate: TrainedModel,
    faces: FaceSet,
    params: PromotionParams,
    on_batch: Callable[[], None],
) -> Comparison:
    rows = _unseen([model, candidate], faces)
    labels, people = faces.labels[rows], together(faces.table.iloc[rows])
    old, new = (_answers(each, faces, rows, on_batch) for each in (model, candidate))
    metric, emotions = params.select_by, faces.emotions
    found = difference(labels, new, old, emotions, people, metric, params.min_gain, RESAMPLES, SEED)
    each = numbered(people, len(labels))
    # Of n people all could gain by a coin's throw with 0.5^n; resamples of so few look surer than that.
    witnesses = len(np.unique(each))
    p = {
        "bootstrap": max(found.p, 0.5**witnesses),
        "mcnemar": mcnemar(new.argmax(axis=1) == labels, old.argmax(axis=1) == labels, each),
        "none": None,
    }
    return Comparison(
        metric=metric,
        champion=score(labels, old, emotions)[metric],
        candidate=score(labels, new, emotions)[metric],
        gain=found.gain,
        interval=(found.low, found.high),
        significance=params.significance,
        p=p[params.significance],
        faces=len(rows),
        left_out=len(faces.rows("test")) - len(rows),
        notes=_notes(model, faces),
    )


def _unseen(models: list[TrainedModel], faces: FaceSet) -> np.ndarray:
    """Today's test faces that none of the models was trained or chosen on; a model has seen no face that it tests."""
    rows = faces.rows("test")
    for model in models:
        rows = rows[~model.has_seen(_checksums(faces, rows))]
    return rows


def _checksums(faces: FaceSet, rows: np.ndarray) -> np.ndarray:
    return faces.table["sha256"].to_numpy()[rows]


def _answers(model: TrainedModel, faces: FaceSet, rows: np.ndarray, on_batch: Callable[[], None]) -> np.ndarray:
    """Its probabilities for these faces, each at the model's own size; only a batch of them is resized at a time."""
    wanted = InputParams(**model.card["input"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parts = []
    for first in range(0, len(rows), BATCH):
        with one_opencv_thread():
            images = np.stack([resized(faces.images[row], wanted) for row in rows[first : first + BATCH]])
        parts.append(model.predict(images, device=device))
        on_batch()
    return np.concatenate(parts)


def _notes(model: TrainedModel, faces: FaceSet) -> tuple[str, ...]:
    """What makes the comparison harder for the champion than its own day was."""
    own, today = model.card["preprocessing"], faces.origin["preprocessing"]
    changed = sorted(key for key in own.keys() | today.keys() if own.get(key) != today.get(key) and key != "workers")
    if not changed:
        return ()
    told = ", ".join(f"{key} {own.get(key)} then, {today.get(key)} today" for key in changed)
    return (f"The champion learnt on faces that were cut out otherwise: {told}",)

"""What a model answers to every face of the scored splits, and whose faces they are."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.temperature import probabilities
from ferline.models.trained import BATCH, TrainedModel

SCORED = ("validation", "test")
CHUNK = 512  # faces read from the memory map at a time: 77 MB at 224 x 224 RGB, where a whole split may be gigabytes

TOGETHER = ("subject", "sequence")  # the columns that say whose face it is
SLICE = "slice_"  # before the name of a column of groups


def logits(model: TrainedModel, faces: FaceSet, rows: np.ndarray, device: str) -> np.ndarray:
    """float64[rows, emotions], before calibration."""
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    found = np.concatenate([model.logits(faces.images[chunk], BATCH, device) for chunk in chunks])
    broken = int((~np.isfinite(found).all(axis=1)).sum())
    if broken:
        raise FerlineError(
            f"{model.card['architecture']}: {broken} of {len(rows)} faces get probabilities that are no numbers. "
            f"Train it again with a lower learning_rate or with clip_norm"
        )
    return found


def table_of(
    model: TrainedModel, faces: FaceSet, told: Mapping[str, np.ndarray], slices: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """A row a face: id, split, TOGETHER, label, predicted, confidence, slice_COLUMN ..., p_EMOTION (calibrated).

    `told`: the logits of each split, in the order of its rows; `slices`: a group's name for each face of the whole set.
    """
    parts = []
    for split, found in told.items():
        rows, shares = faces.rows(split), probabilities(found, model.temperature)
        known = {
            "id": faces.table["id"].to_numpy()[rows],
            "split": split,
            **{column: faces.table[column].to_numpy()[rows] for column in TOGETHER},
            "label": faces.labels[rows],
            "predicted": shares.argmax(axis=1),
            "confidence": shares.max(axis=1),
        }
        groups = {f"{SLICE}{name}": group[rows] for name, group in slices.items()}
        table = pd.DataFrame(known | groups)
        parts.append(table.join(pd.DataFrame(shares, columns=probability_columns(faces.emotions))))
    return pd.concat(parts, ignore_index=True)


def probability_columns(emotions: Sequence[str]) -> list[str]:
    return [f"p_{emotion}" for emotion in emotions]


def together(table: pd.DataFrame) -> np.ndarray | None:
    """What an interval and a test must keep together: a face's person; of one that nobody is named in, its video.

    Null where neither is known; None where that is so of all.
    """
    people, videos = (table[column] if column in table else pd.Series(None, table.index) for column in TOGETHER)
    videos = videos.astype(object).map(lambda name: f"video {name}", na_action="ignore")
    found = people.astype(object).where(people.notna(), videos)
    return found.to_numpy(dtype=object) if found.notna().any() else None


def drawn_by(table: pd.DataFrame) -> str:
    """In a word, for whoever reads the numbers."""
    return next((column for column in TOGETHER if column in table and table[column].notna().any()), "face")


def arrays_of(predictions: pd.DataFrame, emotions: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Labels, probabilities, and what must be kept together."""
    shares = predictions[probability_columns(emotions)].to_numpy()
    return predictions["label"].to_numpy(), shares, together(predictions)

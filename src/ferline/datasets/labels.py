"""From the votes of several people to one label, and to the share of each emotion as a training target.

The rules of FER+ (Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", ICMI 2016). All of them take a vote that nobody shares for a slip and set it to zero first. Then
- majority, the rule of FER+'s own code: the winner has more than half of the votes that are left;
- plurality: the winner has more than anybody else; two that are level leave the image without a label, because any
  order that settled it would favour a class.
Images won by "unknown" or "no face" are left out under both.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ferline.emotions import KNOWN, VOTES
from ferline.errors import FerlineError
from ferline.params import DatasetParams

UNDECIDED = -1


def decide(votes: np.ndarray, rule: str) -> np.ndarray:
    """int64[N]: for each row of votes[N, 10] the place in VOTES of the winner, or UNDECIDED."""
    cleaned = _cleaned(votes)
    most = cleaned.max(axis=1)
    if rule == "majority":
        won = most > cleaned.sum(axis=1) / 2
    elif rule == "plurality":
        won = (cleaned == most[:, None]).sum(axis=1) == 1
    else:
        raise ValueError(f"unknown rule {rule!r}: write majority or plurality")
    return np.where(won, cleaned.argmax(axis=1), UNDECIDED)


def distribution(votes: np.ndarray, emotions: Sequence[str]) -> np.ndarray:
    """float32[N, len(emotions)]: the share of each emotion; all zeros where none of them has two votes."""
    chosen = _cleaned(votes)[:, [VOTES.index(emotion) for emotion in emotions]].astype(np.float32)
    total = chosen.sum(axis=1, keepdims=True)
    return np.divide(chosen, total, out=np.zeros_like(chosen), where=total > 0)


def labelled(table: pd.DataFrame, params: DatasetParams) -> tuple[pd.DataFrame, dict[str, int]]:
    """The rows of a raw set's table that have one of the chosen emotions, and how many were left out, by reason.

    Under `majority` and `plurality` the label of a row with votes is what they decide, and its votes become the share
    of each chosen emotion. Under `own` labels stay, and votes become the share of each known emotion: a second opinion.
    A label that is no emotion at all stays: validation reports those.
    """
    label = table["label"].astype(object).where(table["label"].notna(), None)
    votes: list[list[float] | None] = [None] * len(table)
    reason = pd.Series("", index=table.index, dtype=object)
    voted = np.flatnonzero(table["votes"].notna().to_numpy())
    if len(voted):
        counts, own = _counts(table.iloc[voted]), params.labels == "own"
        if not own:
            winners = decide(counts, params.labels)
            label.iloc[voted] = np.array([*KNOWN, None, None, None], object)[winners]
            reason.iloc[voted] = np.array([*[""] * len(KNOWN), *VOTES[len(KNOWN) :], f"no {params.labels}"])[winners]
        shares_of = distribution(counts, KNOWN if own else params.emotions)
        for row, shares in zip(voted.tolist(), shares_of.tolist(), strict=True):
            votes[row] = None if own and not any(shares) else shares
    other = label.isin(set(KNOWN) - set(params.emotions))
    reason[other] = label[other] + " is not among dataset.emotions"
    keep = (reason == "").to_numpy()
    left_out = {str(name): int(count) for name, count in reason[~keep].value_counts().items()}
    decided = table.assign(label=label, votes=pd.Series(votes, index=table.index, dtype=object))
    return decided[keep].reset_index(drop=True), left_out


def _cleaned(votes: np.ndarray) -> np.ndarray:
    return np.where(votes > 1, votes, 0)


def _counts(table: pd.DataFrame) -> np.ndarray:
    lengths = table["votes"].map(len)
    if (wrong := lengths != len(VOTES)).any():
        row = table[wrong].iloc[0]
        raise FerlineError(
            f"id {row['id']!r}: {len(row['votes'])} votes, there must be one number for each of {', '.join(VOTES)}, "
            "or none at all"
        )
    return np.array(table["votes"].tolist(), np.float64)

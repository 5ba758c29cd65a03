"""Scores by group of faces: how large they are in their pictures, and whatever else the set says of them."""

import json
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ferline.errors import FerlineError
from ferline.evaluation import weighted
from ferline.evaluation.bootstrap import interval, numbered, upward_interval, weights
from ferline.evaluation.predictions import SCORED, SLICE, arrays_of
from ferline.evaluation.significance import accuracy_interval
from ferline.faces.faceset import FaceSet
from ferline.params import EvaluationParams

AUTO = "auto"
OF_FACES = ("face_size", "found")  # what every set of faces has; the rest is the set's own
MOST_GROUPS, FEWEST_TESTED = 8, 20  # of a column that "auto" takes; at least two of them with as many test faces
MOST_VALUES = 6  # numbers of more values than this are cut in thirds
FEWEST = 10  # faces of a group that is compared with others
FEWEST_PEOPLE = 3  # ... where they are known: how much people differ cannot be seen from one or two
FEWEST_OF_EMOTION = 5
SIZES, LEVELS = ("small", "medium", "large"), ("low", "middle", "high")


def columns(faces: FaceSet, wanted: Sequence[str]) -> dict[str, np.ndarray]:
    """The group of each face by each wanted column, object[faces], None where it is in none.

    There are `face_size`, `found` (whether the detector found the face) and every key of the set's `attributes`. "auto"
    stands for face_size and the attributes that have a few large groups.
    """
    known = _known(faces)
    found: dict[str, np.ndarray] = {}
    for name in wanted:
        if name == AUTO:
            found |= {each: names for each, names in known.items() if _tells(each, names, faces)}
        elif name in known:
            found[name] = known[name]
        elif name not in OF_FACES:  # of those there may be nothing to show: faces of one size, faces not looked for
            there = f"There are: {', '.join([*known, AUTO])}" if known else f"It has none: write [{AUTO}] or []"
            raise FerlineError(f"evaluation.slices: {faces.folder} has no groups by {name!r}. {there}")
    return found


def require_known(wanted: Sequence[str], attributes: Collection[str], name: str) -> None:
    """Refuse before anything runs what `columns` would refuse after the training."""
    known = [AUTO, *OF_FACES, *sorted(attributes)]
    if unknown := [column for column in wanted if column not in known]:
        told, there = ", ".join(map(repr, unknown)), ", ".join(known)
        raise FerlineError(f"evaluation.slices: {name} has no column {told}. Write some of: {there}")


def slices_of(predictions: pd.DataFrame, emotions: Sequence[str], params: EvaluationParams) -> list[dict[str, Any]]:
    """What `scores` says of each slice_COLUMN, on the test faces."""
    test = predictions[predictions["split"] == "test"]
    names = [str(column) for column in predictions.columns if str(column).startswith(SLICE)]
    return [
        scores(name.removeprefix(SLICE), test, test[name].to_numpy(object), emotions, params.resamples, params.seed)
        for name in names
        if test[name].notna().any()
    ]


def scores(
    column: str, predictions: pd.DataFrame, names: np.ndarray, emotions: Sequence[str], resamples: int, seed: int
) -> dict[str, Any]:
    """Accuracy, recalls and macro recall of each group with 95% intervals, and how far the groups are apart.

    The gap is the largest less the smallest macro recall of the groups that have FEWEST faces and FEWEST_PEOPLE, over
    the `emotions` that all of these have: like is compared with like. A maximum less a minimum is above 0 by chance
    alone, the more so the smaller and the more the groups are. Its interval allows for that (`upward_interval`), and
    `p` is how often chance makes such a gap between groups that are told equally well. None: nothing to compare.
    """
    table = _Groups(predictions, names, emotions, resamples, seed)
    compared = [group for group in range(len(table.names)) if table.enough(group)]
    shared = (table.support[compared] > 0).all(axis=0) if len(compared) > 1 else np.ones(len(emotions), bool)
    gap = _gap(table, compared, shared, emotions)
    shared = shared if gap else np.ones(len(emotions), bool)  # nothing is compared: each group by its own emotions
    return {
        "column": column,
        "groups": [_entry(table, group, shared, emotions) for group in range(len(table.names))],
        "emotions": [emotion for emotion, there in zip(emotions, shared, strict=True) if there],
        "gap": gap,
    }


class _Groups:
    """Faces told right and faces there, by group and emotion: as measured, and in every resample."""

    def __init__(
        self, predictions: pd.DataFrame, names: np.ndarray, emotions: Sequence[str], resamples: int, seed: int
    ) -> None:
        labels, shares, subjects = arrays_of(predictions, emotions)
        kept = np.flatnonzero(pd.notna(names))
        self.names = sorted({str(name) for name in names[kept]}, key=_order)
        members = np.array([self.names.index(str(name)) for name in names[kept]], np.int64)
        there = np.zeros((len(names), len(self.names) * len(emotions)))
        there[kept, members * len(emotions) + labels[kept]] = 1
        right = there * (shares.argmax(axis=1) == labels)[:, None]
        shape = len(self.names), len(emotions)
        self.support, self.right = there.sum(axis=0).reshape(shape), right.sum(axis=0).reshape(shape)
        # Faces in no group are drawn too: the resamples are those of every other interval.
        counts = weights(subjects, len(labels), resamples, seed)
        self.drawn, self.drawn_right = (
            weighted.sums(each, counts).reshape(*shape, resamples) for each in (there, right)
        )
        people = numbered(subjects, len(labels))[kept]
        self.people = [len(np.unique(people[members == group])) for group in range(len(self.names))]

    def enough(self, group: int) -> bool:
        return bool(self.support[group].sum() >= FEWEST and self.people[group] >= FEWEST_PEOPLE)

    def macro_recall(self, group: int, of: np.ndarray) -> float | None:
        value = _macro_recall(self.right[group][of], self.support[group][of])
        return None if np.isnan(value) else float(value)

    def drawn_macro_recall(self, group: int, of: np.ndarray) -> np.ndarray:
        return _macro_recall(self.drawn_right[group][of], self.drawn[group][of])


def _macro_recall(right: np.ndarray, support: np.ndarray) -> np.ndarray:
    return weighted.macro(weighted.ratio(right, support), support)


def _entry(table: _Groups, group: int, shared: np.ndarray, emotions: Sequence[str]) -> dict[str, Any]:
    right, support = table.right[group], table.support[group]
    recall = weighted.ratio(right, support)
    accuracy = weighted.ratio(table.drawn_right[group].sum(axis=0), table.drawn[group].sum(axis=0))
    every = np.ones(len(emotions), bool)
    return {
        "name": table.names[group],
        "faces": int(support.sum()),
        "people": table.people[group],
        "accuracy": float(right.sum() / support.sum()),
        "interval": _interval(table, group, every, accuracy),
        "macro_recall": table.macro_recall(group, shared),
        "macro_recall_interval": _interval(table, group, shared, table.drawn_macro_recall(group, shared)),
        "recall": {
            emotion: None if np.isnan(value) else float(value) for emotion, value in zip(emotions, recall, strict=True)
        },
    }


def _interval(table: _Groups, group: int, of: np.ndarray, drawn: np.ndarray) -> list[float] | None:
    """None for too few people; Wilson's where all is right or all is wrong, of which every resample says the same."""
    right, support = int(table.right[group][of].sum()), int(table.support[group][of].sum())
    if not support or table.people[group] < FEWEST_PEOPLE:
        return None
    return list(accuracy_interval(right, support)) if right in (0, support) else interval(drawn)


def _gap(table: _Groups, compared: Sequence[int], shared: np.ndarray, emotions: Sequence[str]) -> dict[str, Any] | None:
    if len(compared) < 2 or not shared.any():
        return None
    measured = np.array([table.macro_recall(group, shared) for group in compared], np.float64)
    drawn = np.stack([table.drawn_macro_recall(group, shared) for group in compared])
    whole = ~np.isnan(drawn).any(axis=0)
    if whole.mean() < 0.5:  # so few faces of the shared emotions that half of the resamples miss a group
        return None
    drawn = drawn[:, whole]
    gap, chance = float(np.ptp(measured)), np.ptp(drawn - measured[:, None], axis=0)
    enough = (table.support[compared] >= FEWEST_OF_EMOTION).all(axis=0)
    apart = np.ptp(weighted.ratio(table.right[compared], table.support[compared]), axis=0)
    return {
        "macro_recall": gap,
        "interval": upward_interval(gap, np.ptp(drawn, axis=0), chance),
        "p": (1 + int((chance >= gap).sum())) / (1 + len(chance)),
        "by_emotion": {
            emotion: float(value) if told else None
            for emotion, value, told in zip(emotions, apart, enough, strict=True)
        },
    }


def _known(faces: FaceSet) -> dict[str, np.ndarray]:
    """Every column that puts at least one face into a group."""
    found = {"face_size": _sizes(faces), "found": _found(faces)}
    said = [json.loads(text) if isinstance(text, str) else {} for text in faces.table["attributes"]]
    for key in sorted({key for each in said for key in each} - set(found)):
        found[key] = _grouped([each.get(key) for each in said], _tested(faces))
    return {name: names for name, names in found.items() if pd.notna(names).any()}


def _tells(name: str, names: np.ndarray, faces: FaceSet) -> bool:
    """Whether "auto" takes it."""
    if name == "found":
        return False
    test = _tested(faces) if faces.folds else (faces.table["split"] == "test").to_numpy()
    counts = pd.Series(names[test]).value_counts()
    least = 1 if name == "face_size" else FEWEST_TESTED
    return len(counts) <= MOST_GROUPS and int((counts >= least).sum()) >= 2


def _tested(faces: FaceSet) -> np.ndarray:
    """The faces whose sizes and numbers say where to cut; of folds all of them, so that every fold is cut alike."""
    return np.ones(len(faces), bool) if faces.folds else faces.table["split"].isin(SCORED).to_numpy()


def _sizes(faces: FaceSet) -> np.ndarray:
    """Thirds of the face's width in its source picture; nothing where all are of one width."""
    widths = np.array([np.nan if box is None else box[2] for box in faces.table["box"]], np.float64)
    if len(np.unique(widths[~np.isnan(widths)])) < 2:
        return np.full(len(widths), None, object)
    return _thirds(widths, _tested(faces), SIZES, " px")


def _found(faces: FaceSet) -> np.ndarray:
    words = {True: "face found", False: "no face found"}
    return np.array([None if pd.isna(found) else words[bool(found)] for found in faces.table["found"]], object)


def _grouped(values: Sequence[Any], tested: np.ndarray) -> np.ndarray:
    """The names as they are; numbers, also when they are written as text, in thirds where they are many."""
    single = [value if isinstance(value, str | int | float) and value != "" else None for value in values]
    numbers = [_number(value) for value in single if value is not None]
    if len(set(numbers)) > MOST_VALUES and None not in numbers:
        every = np.array([np.nan if value is None else _number(value) for value in single], np.float64)
        return _thirds(every, tested, LEVELS)
    return np.array([None if value is None else _text(value) for value in single], object)


def _number(value: str | float) -> float | None:
    """None for a word and for true and false."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _thirds(values: np.ndarray, tested: np.ndarray, words: Sequence[str], unit: str = "") -> np.ndarray:
    """Named by their words and ends; they are fewer where more than a third of the faces share one value."""
    known = ~np.isnan(values)
    told = values[tested & known] if (tested & known).any() else values[known]
    low, high = np.quantile(told, [1 / 3, 2 / 3], method="higher")
    names = np.full(len(values), None, object)
    names[known & (values < low)] = f"{words[0]} (under {low:g}{unit})"
    names[known & (values >= low) & (values < high)] = f"{words[1]} ({low:g} to under {high:g}{unit})"
    names[known & (values >= high)] = f"{words[2]} ({high:g}{unit} or more)"
    return names


def _order(name: str) -> tuple[int, float, str]:
    """Thirds from below, numbers by size, words by the alphabet."""
    words, first = (*SIZES, *LEVELS), name.split(" (")[0]
    number = _number(name)
    return (words.index(first) if first in words else len(words), np.inf if number is None else number, name)

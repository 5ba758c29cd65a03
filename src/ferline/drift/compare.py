"""Is a new batch of images as the reference was? Draw from both, measure every image, judge line by line.

Everything follows from the images, the model and the seed.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from ferline.drift.batches import Batch, counted
from ferline.drift.judge import DRIFT, LEAST, Line, Verdict, judge
from ferline.drift.measure import Gauge, Measured, measure
from ferline.drift.shuffles import tells_people
from ferline.drift.unusual import unusual
from ferline.errors import FerlineError
from ferline.models.trained import TrainedModel
from ferline.params import FaceParams

SHOWN = 12  # of the most unusual new images


@dataclass(frozen=True)
class Settings:
    """How two batches are compared."""

    images: int = 2000  # of each, at most
    level: float = 0.01
    seed: int = 0
    cropped: bool | None = None  # a folder's images are faces cut out already; None: as the other side's

    def __post_init__(self) -> None:
        _require(self.images >= LEAST, "images", self.images, f"{LEAST} or more")
        _require(0.001 <= self.level <= 0.2, "level", self.level, "a probability from 0.001 to 0.2")
        _require(self.seed >= 0, "seed", self.seed, "0 or more")


@dataclass(frozen=True)
class Drift:
    """What was found, and in what."""

    settings: Settings
    model: dict[str, Any] | None
    reference: Measured
    new: Measured
    fair: np.ndarray  # bool[reference's rows]: not trained on; lines of the model's answers are about these
    verdict: Verdict
    unusual: list[dict[str, Any]]  # the new images that are least like any of the reference, the first the least
    outside: float  # the share of new images that lie beyond 99% of the reference's
    notes: list[str]

    @property
    def found(self) -> list[Line]:
        return [line for line in self.verdict.lines if line.verdict == DRIFT]

    def content(self) -> dict[str, Any]:
        """For machines."""
        verdict = self.verdict
        told = [{**asdict(line), "unit": line.quantity.unit, "least": line.quantity.least} for line in verdict.lines]
        return {
            "drift": bool(self.found),
            "reference": _side(self.reference),
            "new": _side(self.new),
            "model": self.model,
            "settings": asdict(self.settings),
            "people": list(verdict.people) if verdict.people else None,
            "shuffles": verdict.shuffles,
            "lines": told,
            "unusual": self.unusual,
            "outside": self.outside,
            "notes": self.notes,
        }


def compare(
    reference: Batch, new: Batch, model: TrainedModel | None, faces: FaceParams, settings: Settings, workers: int = 0
) -> Drift:
    """`faces`: how faces are cut out where there is no model whose card says so."""
    reference, new = _drawn(reference, new, model, settings)
    answers = model is not None and int((~_seen(model, reference.table)).sum()) >= LEAST
    gauge = Gauge(model, faces, answers)
    cropped = _cropped(reference, new, settings.cropped), _cropped(new, reference, settings.cropped)
    sides = [measure(batch, gauge, flag, workers) for batch, flag in zip((reference, new), cropped, strict=True)]
    for side in sides:
        _require_enough(side.batch.name, len(side.table), f", {len(side.unreadable):,} more cannot be read")
    first, second = sides
    fair = ~_seen(model, first.table) if answers else np.ones(len(first.table), bool)
    _require_enough(f"{reference.name} without what the model was trained on", int(fair.sum()))
    verdict = judge(first, second, fair, settings.level, settings.seed)
    far = unusual(first.features[fair], second.features)
    notes = [
        *_on_folders((reference, new), cropped),
        *_on_faces(sides),
        *_on_training(model, first, second, answers),
        *_on_copies(reference, new),
        *verdict.notes,
        *_on_reading(sides),
    ]
    return Drift(
        settings, _card(model), first, second, fair, verdict, _least_alike(second, far.distance), far.outside, notes
    )


def _drawn(reference: Batch, new: Batch, model: TrainedModel | None, settings: Settings) -> tuple[Batch, Batch]:
    """Of the reference first what the model was not trained on: of that it is surer than of anything new."""
    last = _seen(model, reference.table) if reference.hashed else None
    drawn = reference.drawn(settings.images, settings.seed, last), new.drawn(settings.images, settings.seed)
    for batch in drawn:
        _require_enough(batch.name, len(batch.table))
    return drawn


def _seen(model: TrainedModel | None, table: pd.DataFrame) -> np.ndarray:
    return model.has_seen(table["sha256"]) if model else np.zeros(len(table), bool)


def _cropped(batch: Batch, other: Batch, said: bool | None) -> bool:
    if batch.cropped is not None:
        return batch.cropped
    return bool(other.cropped) if said is None else said


def _least_alike(side: Measured, distance: np.ndarray) -> list[dict[str, Any]]:
    order = np.argsort(-distance, kind="stable")[:SHOWN]
    columns = [name for name in ("id", "found", "brightness", "predicted", "confidence") if name in side.table]
    rows = side.table.iloc[order][columns].assign(distance=distance[order])
    return [{str(key): _plain(value) for key, value in row.items()} for row in rows.to_dict("records")]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _side(side: Measured) -> dict[str, Any]:
    subjects = side.table["subject"]
    return {
        "name": side.batch.name,
        "images": len(side.table),
        "there": side.batch.there,
        "people": int(subjects.nunique()) if tells_people(subjects) else None,
        "unreadable": side.unreadable.to_dict("records"),
    }


def _card(model: TrainedModel | None) -> dict[str, Any] | None:
    return {"architecture": model.card["architecture"], "digest": model.digest} if model else None


def _on_folders(batches: Sequence[Batch], cropped: Sequence[bool]) -> list[str]:
    """How a folder was taken, since it cannot say so itself and the other side may not be a folder."""
    as_what = {True: "faces cut out already (--photographs if they are not)", False: "photographs (--cropped if not)"}
    return [
        f"the images of {batch.name} are taken to be {as_what[flag]}"
        for batch, flag in zip(batches, cropped, strict=True)
        if batch.cropped is None
    ]


def _on_faces(sides: Sequence[Measured]) -> list[str]:
    looked = [bool(side.table["found"].notna().any()) for side in sides]
    if looked[0] == looked[1]:
        return []
    name = sides[looked.index(True)].batch.name
    return [f"faces are looked for in {name} alone, the other side's images being faces already: that is not compared"]


def _on_training(model: TrainedModel | None, reference: Measured, new: Measured, answers: bool) -> list[str]:
    if model is None:
        return []
    notes = []
    old, newer = (int(_seen(model, side.table).sum()) for side in (reference, new))
    if not answers:
        notes.append(
            f"the model was trained or chosen on {old:,} of {len(reference.table):,} images of {reference.batch.name} "
            "and is surer of them than of any new ones: its answers are not compared, and the embedding is that of "
            "--no-model. Name a set or a split that holds images it has not seen"
        )
    elif old:
        notes.append(
            f"the model was trained or chosen on {old:,} of {len(reference.table):,} images of {reference.batch.name}: "
            f"its answers are compared with those on the other {len(reference.table) - old:,}"
        )
    if newer:
        notes.append(f"the model was trained or chosen on {counted(newer)} of {new.batch.name}")
    return notes


def _on_copies(reference: Batch, new: Batch) -> list[str]:
    copies = int(new.table["sha256"].isin(reference.known).sum())
    if not copies:
        return []
    return [f"{copies:,} of {counted(len(new.table))} of {new.name} are in {reference.name} too, the very same files"]


def _on_reading(sides: Sequence[Measured]) -> list[str]:
    return [
        f"{counted(len(side.unreadable))} of {side.batch.name} left out, unreadable: "
        f"{side.unreadable['id'].iloc[0]}: {side.unreadable['reason'].iloc[0]}"
        for side in sides
        if len(side.unreadable)
    ]


def _require_enough(name: str, images: int, more: str = "") -> None:
    if images < LEAST:
        raise FerlineError(f"{name}: {counted(images)}{more}; at least {LEAST} a side are needed to compare")


def _require(ok: bool, name: str, value: object, allowed: str) -> None:
    if not ok:
        raise FerlineError(f"--{name}: {value} is not allowed; write {allowed}")

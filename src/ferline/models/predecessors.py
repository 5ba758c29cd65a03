"""The trained models that a training builds on: the one whose weights it begins with, and those that teach it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferline.errors import FerlineError
from ferline.faces import look
from ferline.faces.faceset import FaceSet
from ferline.models.start import start_of
from ferline.models.teachers import KEY, teachers_of
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams

FEW = 0.02  # of the faces; of FER2013's PublicTest 0.01 look as one of its Training does


@dataclass(frozen=True)
class Predecessors:
    start: TrainedModel | None
    teachers: tuple[TrainedModel, ...]

    @classmethod
    def of(cls, architecture: ArchitectureParams) -> "Predecessors":
        return cls(start_of(architecture.weights), teachers_of(architecture.training))

    @property
    def digests(self) -> dict[str, Any]:
        """For the model's card, and so that another model before it makes it another training."""
        start = {"started_from": self.start.digest} if self.start else {}
        return start | ({"taught_by": [teacher.digest for teacher in self.teachers]} if self.teachers else {})

    @property
    def seen(self) -> np.ndarray:
        """What they have seen, the model that comes of them has seen too."""
        return np.concatenate([np.empty(0, np.uint64), *(model.seen for _, model in self._named())])

    @property
    def looks(self) -> np.ndarray:
        """What they have seen, by its looks."""
        return np.concatenate([look.none(), *(model.looks for _, model in self._named())])

    def require_unseen(self, faces: FaceSet) -> None:
        """That none was trained or chosen on an image that is there to choose by or to test on, in whatever file.

        One of the very same split is no harm: it has learnt from this training's faces only, and was chosen by its
        validation's. A few photographs that stand in two sets are none either, of which neither needs to know.
        """
        others = [each for each in self._named() if each[1].card.get("split_digest") != faces.split_digest]
        if not others:
            return
        rows = np.concatenate([faces.rows("validation"), faces.rows("test")])
        looks = look.looks(faces.images[row] for row in rows)
        for key, model in others:
            same, alike = model.has_seen(faces.table["sha256"][rows]), model.has_seen_alike(looks)
            if same.any() or alike.mean() > FEW:
                raise FerlineError(
                    f"{key}: {model.folder.name} was trained or chosen on {int((same | alike).sum()):,} of the "
                    f"{len(rows):,} validation and test images: no number would be one of new faces. {_INSTEAD[key]}"
                )

    def require_unchanged(self, card: dict[str, Any]) -> None:
        """That they still are what whoever began this training found."""
        for key, digest in self.digests.items():
            if card.get(key, digest) != digest:
                raise FerlineError(f"{key}: another model than when this run began. Start the run again")

    def _named(self) -> list[tuple[str, TrainedModel]]:
        """Each under the parameter that names it."""
        start = [("weights", self.start)] if self.start else []
        return [*start, *((KEY, teacher) for teacher in self.teachers)]


def on_a_card(architecture: dict[str, Any]) -> dict[str, Any]:
    """A row of `architectures` as a model's card has it: of other models their names, not where they lay."""
    training = architecture["training"]
    taught = {"teachers": [name_of(model) for model in training["teachers"]]} if "teachers" in training else {}
    return architecture | {"weights": name_of(architecture["weights"]), "training": training | taught}


def name_of(model: str) -> str:
    """The last part of a folder's path; any other word as it is."""
    if model in ("none", "imagenet") or not any(mark in model for mark in "/\\."):
        return model
    name = Path(model).resolve().name
    return f"folder {name}" if name in ("none", "imagenet") else name


_INSTEAD = {"weights": "Write weights: none, or use another set", KEY: "Leave it out, or train it on this very split"}

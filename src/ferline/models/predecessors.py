"""The trained models that a training builds on: the one whose weights it begins with, and those that teach it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.start import start_of
from ferline.models.teachers import teachers_of
from ferline.models.trained import TrainedModel
from ferline.params import ArchitectureParams


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
        models = (*((self.start,) if self.start else ()), *self.teachers)
        return np.concatenate([np.empty(0, np.uint64), *(model.seen for model in models)])

    def require_unseen(self, faces: FaceSet, card: dict[str, Any]) -> None:
        """That none was trained or chosen on an image that is there to choose by or to test on.

        One of the very same split is no harm: it has learnt from this training's faces only, and was chosen by its
        validation's.
        """
        held_out = faces.table["sha256"][np.concatenate([faces.rows("validation"), faces.rows("test")])]
        named = [("weights", self.start)] if self.start else []
        for key, model in (*named, *(("training.teachers", teacher) for teacher in self.teachers)):
            found = model.has_seen(held_out)
            if (seen := int(found.sum())) and not _same_split(model.card, card):
                raise FerlineError(
                    f"{key}: {model.folder.name} was trained or chosen on {seen:,} of the {len(found):,} validation "
                    f"and test images: no number would be one of new faces. {_INSTEAD[key]}"
                )


_INSTEAD = {
    "weights": "Write weights: none, or use another set",
    "training.teachers": "Leave it out, or train it on this very split",
}


def _same_split(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    return bool(ours.get("faces_digest")) and all(theirs.get(key) == ours.get(key) for key in ("faces_digest", "fold"))

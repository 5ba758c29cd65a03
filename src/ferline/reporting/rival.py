"""Against whom each model's confusion matrix is held: the champion; the champion itself against the next best."""

from dataclasses import dataclass

import numpy as np

from ferline.evaluation.evaluate import Evaluation
from ferline.reporting import difference
from ferline.reporting.material import Material


@dataclass(frozen=True)
class Rival:
    """`what` names it in the middle of a sentence; `same_faces`: whether both were counted on the same test faces."""

    evaluation: Evaluation
    what: str
    same_faces: bool

    def difference(self, evaluation: Evaluation) -> np.ndarray | None:
        """In points; None where the two tell different emotions."""
        if evaluation.emotions != self.evaluation.emotions:
            return None
        return difference.points(evaluation.confusion("test"), self.evaluation.confusion("test"))


def rival_of(evaluation: Evaluation, material: Material) -> Rival | None:
    """None for the only model there is."""
    reigning = champion_here(material) or material.champion
    if reigning is None:
        return _beside(evaluation, "the leaderboard's first", material)
    if reigning.model_digest == evaluation.model_digest:
        return _beside(evaluation, "the next best", material)
    here = reigning in material.evaluations
    what = f"the champion, {reigning.architecture}" + ("" if here else ", of an earlier run")
    return Rival(reigning, what, _same_faces(evaluation, reigning))


def champion_here(material: Material) -> Evaluation | None:
    """The champion's own row of this run, if it has one."""
    if material.champion is None:
        return None
    digest = material.champion.model_digest
    return next((each for each in material.evaluations if each.model_digest == digest), None)


def _beside(evaluation: Evaluation, what: str, material: Material) -> Rival | None:
    """The best of the others; for a model that is not the first, the first."""
    others = [each for each in material.ranked if each is not evaluation]
    if not others:
        return None
    name = "the next best" if evaluation is material.ranked[0] else what
    return Rival(others[0], f"{name}, {others[0].architecture}", True)


def _same_faces(one: Evaluation, other: Evaluation) -> bool:
    first, second = (each.predictions.query("split == 'test'")[["id", "label"]] for each in (one, other))
    return set(map(tuple, first.to_numpy())) == set(map(tuple, second.to_numpy()))

"""The pictures of one evaluation, drawn from its numbers and the faces that it scored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ferline.evaluation import figures, figures_probing, figures_trust
from ferline.evaluation.predictions import SCORED
from ferline.faces.faceset import FaceSet

SHOWN = 35  # faces in a grid: five of each emotion


def draw(folder: Path, content: dict[str, Any], history: Sequence[dict[str, Any]], emotions: Sequence[str]) -> None:
    """What needs numbers alone, of one model or of all its repetitions together."""
    name, splits = content["architecture"], content["splits"]
    for split in SCORED:
        title = f"{name} on {split}: {_faces(content, split)}, {_told(splits[split])}"
        figures.save(figures.confusion(splits[split]["confusion"], emotions, title), folder / f"confusion_{split}.png")
    best = None if _repeated(content) else content["best_epoch"]
    kept = f"mean of {_repeated(content)}" if best is None else f"weights of epoch {best} of {len(history)} kept"
    figures.save(figures.curves(history, f"{name}: {kept}", best), folder / "curves.png")
    _draw_trust(folder, name, content)


def _draw_trust(folder: Path, name: str, content: dict[str, Any]) -> None:
    told = content["splits"]["test"]["calibration"]
    before, after = told["before"]["ece"], told["after"]["ece"]
    title = f"{name} on test: confidence against accuracy, temperature {content['temperature']:.2f}"
    figure = figures_trust.reliability(told["bins_before"], told["bins"], title, before, after)
    figures.save(figure, folder / "reliability.png")
    if content["robustness"]:
        title = f"{name}: {content['robustness']['faces']:,} test faces, corrupted"
        figures.save(figures_probing.robustness(content["robustness"], title), folder / "robustness.png")
    if content["slices"]:
        figures.save(figures_trust.slices(content["slices"], f"{name} on test, by group"), folder / "slices.png")


def draw_examples(folder: Path, name: str, predictions: pd.DataFrame, faces: FaceSet) -> None:
    """Grids of the faces that were told right and wrong."""
    test = predictions[predictions["split"] == "test"].reset_index(drop=True)
    for kind in ("right", "wrong"):
        figures.save(_grid(kind, name, test, faces, faces.rows("test")), folder / f"{kind}.png")


def _repeated(content: dict[str, Any]) -> str:
    """In words, of how many repetitions the row is; empty for a single model."""
    kind = next((kind for kind in ("folds", "seeds") if kind in content), "")
    return f"{len(content[kind])} {kind}" if kind else ""


def _faces(content: dict[str, Any], split: str) -> str:
    of = f" of {_repeated(content)}" if _repeated(content) else ""
    return f"{content['splits'][split]['faces']:,} faces{of}"


def _told(scores: dict[str, Any]) -> str:
    if "sd" not in scores:
        return f"accuracy {scores['accuracy']:.1%}, macro-F1 {scores['macro_f1']:.3f}"
    return ", ".join(
        f"{words} {scores[key]:.3f} ± {scores['sd'][key]:.3f}"
        for key, words in (("accuracy", "accuracy"), ("macro_f1", "macro-F1"))
    )


def _grid(kind: str, name: str, test: pd.DataFrame, faces: FaceSet, test_rows: np.ndarray) -> figures.Figure:
    of_kind = test[(test["label"] == test["predicted"]) == (kind == "right")]
    shown = most_confident(of_kind)
    images = [np.asarray(faces.images[test_rows[place]]) for place in shown.index]
    told = zip(shown["label"], shown["predicted"], shown["confidence"], strict=True)
    captions = [
        f"{faces.emotions[true]} → {faces.emotions[guess]}\nconfidence {sure:.0%}" for true, guess, sure in told
    ]
    title = f"{name} on test: {len(of_kind):,} of {len(test):,} faces {kind}"
    if len(shown) < len(of_kind):
        title += f"; the {len(shown)} most confident, emotions in turn"
    return figures.grid(images, captions, title)


def most_confident(predictions: pd.DataFrame) -> pd.DataFrame:
    """Each true emotion's surest first, then each one's second ...: the frequent ones do not fill the grid."""
    order = predictions.sort_values(["confidence", "id"], ascending=[False, True], kind="stable")
    order = order.assign(turn=order.groupby("label").cumcount())
    return order.sort_values(["turn", "label"], kind="stable").head(SHOWN)

"""What looking for a face costs: PublicTest's faces as parts of larger pictures, found, cut and told as `predict` does.

    python benchmarks/photos.py fer2013.csv --out benchmarks/results/photos.json

Each face is enlarged to 240 pixels, with half as much of its mean grey on every side. Where no face is found the middle
of the picture is told, as `evaluate` does; `predict` leaves such a picture out. Told by the head that learnt FER2013's
own labels.
"""

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from real_faces import commit, processor
from tqdm import tqdm

from ferline.artifact import sha256_of, write_json
from ferline.datasets.sources import SOURCES
from ferline.images.decode import decode
from ferline.models.named import shipped, shipped_model
from ferline.serving.predictor import Predictor

SIDE = 240
BORDER = SIDE // 2
DETECTORS = ("haar", "yunet")


@dataclass
class Way:
    """How faces come out of pictures, and what came out."""

    predictor: Predictor
    faces: list[np.ndarray] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    more: int = 0  # faces seen beside the one that there is
    seconds: list[float] = field(default_factory=list)

    def take(self, rgb: np.ndarray) -> None:
        started = time.thread_time()
        crop = self.predictor.cropper.crop(rgb)
        self.seconds.append(time.thread_time() - started)
        self.faces.append(self.predictor.sized(crop))
        self.found.append(bool(crop.found))
        self.more += max(0, (crop.faces or 0) - 1)


def picture_of(face: np.ndarray) -> np.ndarray:
    large = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    grey = [round(float(large.mean()))] * 3
    return cv2.copyMakeBorder(large, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_CONSTANT, value=grey)


def measured(csv: Path) -> dict[str, Any]:
    models = {name: shipped_model(name) for name in shipped()}
    model = next(iter(models.values()))  # they cut faces alike
    if len({str(each.card["preprocessing"]) for each in models.values()}) > 1:
        raise SystemExit("the models cut faces in different ways: measure them one by one")
    ways = {"as cut": Way(Predictor(model, cropped=True))}
    ways |= {detector: Way(Predictor(model, detector=detector)) for detector in DETECTORS}
    labels = []
    for row in tqdm(SOURCES["fer2013"].read(csv).rows, "faces", disable=None):
        if row["split"] == "validation":
            face = decode(row["image"])
            labels.append(row["label"])
            for name, way in ways.items():
                way.take(face if name == "as cut" else picture_of(face))
    found = {name: np.array(way.found) for name, way in ways.items() if name != "as cut"}
    groups = {"all": np.full(len(labels), True), "both": found["haar"] & found["yunet"]}
    groups["yunet alone"] = found["yunet"] & ~found["haar"]
    right: dict[str, dict[str, dict[str, float]]] = {}
    for each in models:
        right[each] = {}
        for name, way in ways.items():
            told = np.array(models[each].emotions)[models[each].predict(np.stack(way.faces)).argmax(1)]
            right[each][name] = {group: float((told == labels)[rows].mean()) for group, rows in groups.items()}
    searched = {
        name: {
            "found": int(sum(way.found)),
            "more": way.more,
            "ms": 1000 * float(np.median(way.seconds)),
        }
        for name, way in ways.items()
        if name != "as cut"
    }
    return {
        "data": sha256_of(csv),
        "faces": {group: int(rows.sum()) for group, rows in groups.items()},
        "searched": searched,
        "right": right,
        "models": {name: each.digest for name, each in models.items()},
        "processor": processor(),
        "commit": commit(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    write_json(given.out, measured(given.csv))


if __name__ == "__main__":
    main()

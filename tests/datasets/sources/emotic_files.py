"""EMOTIC's files in their exact layouts, in small: eight people in six photographs of noise."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.io import savemat

from ferline.datasets.sources.emotic_table import CATEGORIES
from ferline.datasets.sources.source import Found

WIDTH, HEIGHT = 60, 40
COLUMNS = "Index,Folder,Filename,Image Size,BBox,Categorical_Labels,Continuous_Labels,Gender,Age"
Person = dict[str, Any]

# folder, file, split, people: box, categories, felt
IMAGES: list[tuple[str, str, str, list[tuple[list[float], list[str], list[float]]]]] = [
    (
        "mscoco/images",
        "COCO_val2014_000000562243.jpg",
        "train",
        [
            ([2, 3, 22, 33], ["Happiness", "Engagement"], [7, 5, 6]),
            ([30, 5, 55, 38], ["Anger", "Annoyance"], [2, 8, 6]),
            ([5, 5, 25, 35], ["Engagement"], [5, 5, 5]),
        ],
    ),
    ("framesdb/images", "frame_a.jpg", "train", [([-4, -2, 70, 50.5], ["Fear"], [float("nan")] * 3)]),
    ("emodb_small/images", "one.jpg", "train", [([10, 10, 10, 30], ["Sadness"], [3, 3, 3])]),
    ("ade20k/images", "two.jpg", "val", [([1, 1, 20, 20], ["Surprise", "Fear"], [5, 8, 4])]),
    ("mscoco/images", "three.jpg", "val", [([1, 1, 20, 20], ["Aversion"], [3, 6, 4])]),
    ("mscoco/images", "four.jpg", "test", [([1, 2, 30, 32], ["Sadness", "Suffering"], [2, 3, 3])]),
]
IDS = {
    "mscoco/images/COCO_val2014_000000562243.jpg#1": ("happy", "train"),
    "mscoco/images/COCO_val2014_000000562243.jpg#2": ("angry", "train"),
    "framesdb/images/frame_a.jpg#1": ("fear", "train"),
    "mscoco/images/three.jpg#1": ("disgust", "validation"),
    "mscoco/images/four.jpg#1": ("sad", "test"),
}


def structures(items: Sequence[dict[str, Any]]) -> np.ndarray:
    """A MATLAB array of structures, 1 x N."""
    array = np.empty((1, len(items)), dtype=[(name, object) for name in items[0]])
    for place, item in enumerate(items):
        array[0, place] = tuple(item.values())
    return array


def cell(texts: Sequence[str]) -> np.ndarray:
    array = np.empty((1, len(texts)), dtype=object)
    array[0, :] = texts
    return array


def person_of(split: str, box: list[float], categories: list[str], felt: list[float]) -> Person:
    """The fields in the published order; val and test have several annotators and what they agreed on."""
    vad = dict(zip(("valence", "arousal", "dominance"), map(float, felt), strict=True))
    who = {"gender": "Female", "age": "Adult"}
    bbox = {"body_bbox": np.array([box])}
    if split == "train":
        return {
            **bbox,
            "annotations_categories": {"categories": cell(categories)},
            "annotations_continuous": vad,
            **who,
        }
    said = structures([{"categories": cell(categories[:1])}, {"categories": cell([*categories, "Yearning"])}])
    return {
        **bbox,
        "annotations_categories": said,
        "combined_categories": cell(categories),
        "annotations_continuous": structures([vad, dict.fromkeys(vad, 10.0)]),
        "combined_continuous": vad,
        **who,
    }


def image_of(folder: str, name: str, split: str, people: list[Any]) -> dict[str, Any]:
    return {
        "filename": name,
        "folder": folder,
        "image_size": {"n_col": float(WIDTH), "n_row": float(HEIGHT)},
        "original_database": {"name": folder.split("/")[0], "info": {"image_id": 1.0}},
        "person": structures([person_of(split, *each) for each in people]) if people else None,
    }


def write_mat(path: Path) -> None:
    content = {
        split: structures([image_of(*image) for image in IMAGES if image[2] == split])
        for split in ("train", "val", "test")
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, content)


def write_photographs(base: Path) -> None:
    """The four folders of images, in the folder `emotic`."""
    for seed, (folder, name, _, _) in enumerate(IMAGES):
        pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        (base / "emotic" / folder).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(base / "emotic" / folder / name), pixels)


def write_csv(folder: Path) -> None:
    """emotic_pre/*.csv as mat2py.py writes them: lists in Python's words, nobody without the three values."""
    folder.mkdir(parents=True)
    for split in ("train", "val", "test"):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            writer = csv.writer(file, dialect="excel")
            writer.writerow(COLUMNS.split(","))
            people = [(image, each) for image in IMAGES if image[2] == split for each in image[3]]
            for index, ((folder_name, name, _, _), (box, categories, felt)) in enumerate(people):
                whole = [int(value) for value in box]
                row = [index, folder_name, name, [WIDTH, HEIGHT], whole, categories, felt, "Male", "Kid"]
                if not np.isnan(felt[0]):
                    writer.writerow(row)


def write_kaggle(base: Path) -> None:
    (base / "annots_arrs").mkdir(parents=True)
    (base / "img_arrs").mkdir()
    columns = ["Folder", "Filename", "Width", "Height", "Age", "Gender", "Valence", "Arousal", "Dominance"]
    columns += ["X_min", "Y_min", "X_max", "Y_max", "Arr_name", "Crop_name", *CATEGORIES]
    for split in ("train", "val", "test"):
        people = [(image, each) for image in IMAGES if image[2] == split for each in image[3]]
        with (base / "annots_arrs" / f"annot_arrs_{split}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["", *columns])
            for number, ((folder, name, _, _), (box, categories, felt)) in enumerate(people):
                crop = f"crop_arr_{split}_{number}.npy"
                pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
                np.save(base / "img_arrs" / crop, pixels)
                values = ["" if np.isnan(value) else float(value) for value in felt]
                chosen = [float(category in categories) for category in CATEGORIES]
                whole = [folder, name, WIDTH, HEIGHT, "Adult", "Male", *values, *box, f"img_arr_{split}_{number}.npy"]
                writer.writerow([number, *whole, crop, *chosen])


def labels_of(found: Found) -> dict[str, tuple[str, str]]:
    return {row["id"]: (row["label"], row["split"]) for row in found.rows}

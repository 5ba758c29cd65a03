"""EMOTIC's people as its three kinds of annotation files have them; no image is opened here."""

import ast
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ferline.datasets.sources.emotic_table import CATEGORIES
from ferline.datasets.sources.layout import csv_rows
from ferline.errors import FerlineError

SPLITS = {"train": "train", "val": "validation", "test": "test"}
FELT = ("valence", "arousal", "dominance")  # from 1 to 10, in the order of the annotations
_COLUMNS = ("Folder", "Filename", "Image Size", "BBox", "Categorical_Labels", "Continuous_Labels", "Gender", "Age")


class Person(NamedTuple):
    """One annotated person of one image."""

    image: str  # "mscoco/images/COCO_val2014_000000562243.jpg"
    split: str
    categories: tuple[str, ...]
    said: Mapping[str, Any]  # gender, age, valence, arousal, dominance
    box: tuple[int, int, int, int]  # left, top, right, bottom
    size: tuple[int, int]  # width and height of the image as the annotations state them
    array: str = ""  # the file of arrays that holds the person cut out already,
    row: int | None = None  # and where in it, if it holds more than one
    number: int = 0  # of the image's people, from 1


def numbered(people: Iterable[Person]) -> list[Person]:
    """Each with its number, given before anybody is left out, so that it is the same under every table."""
    seen: Counter[str] = Counter()
    numbered = []
    for person in people:
        seen[person.image] += 1
        numbered.append(person._replace(number=seen[person.image]))
    return numbered


def people_of_mat(path: Path) -> Iterator[Person]:
    """Annotations.mat: structures train, val and test, one element an image, each with its person or persons."""
    content = _mat(path)
    for name, split in SPLITS.items():
        for number, image in enumerate(_each(content[name]), start=1):
            try:
                yield from _people_of_image(image, split)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
                raise FerlineError(
                    f"{path}: {name}, image {number} is not built like EMOTIC's annotations ({reason}). "
                    "Nothing was added"
                ) from None


def _mat(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat  # here, because it takes longer than all other readers' imports together
    from scipy.io.matlab import MatReadError

    try:
        content = dict(loadmat(path, simplify_cells=True, variable_names=list(SPLITS)))
    except (OSError, ValueError, TypeError, NotImplementedError, MatReadError) as error:
        raise FerlineError(f"{path}: cannot be read as a MATLAB file ({error}). Nothing was added") from None
    if absent := [name for name in SPLITS if name not in content]:
        raise FerlineError(f"{path}: holds no {', '.join(absent)}, so it is not EMOTIC's. Nothing was added")
    return content


def _people_of_image(image: Mapping[str, Any], split: str) -> Iterator[Person]:
    path = f"{image['folder']}/{image['filename']}"
    size = int(image["image_size"]["n_col"]), int(image["image_size"]["n_row"])
    for person in _each(image["person"]):
        # Several people annotated those of val and test; what they agreed on is published beside what each said.
        felt = person.get("combined_continuous", person["annotations_continuous"])
        said = {name: person[name] for name in ("gender", "age") if isinstance(person[name], str)}
        yield Person(path, split, _categories_of(person), said | _felt_of(felt), _box(person["body_bbox"]), size)


def _categories_of(person: Mapping[str, Any]) -> tuple[str, ...]:
    if "combined_categories" in person:
        return _known(_each(person["combined_categories"]))
    return _known(name for each in _each(person["annotations_categories"]) for name in _each(each["categories"]))


def _felt_of(value: Any) -> dict[str, float]:
    given = _each(value)
    return _felt(np.nan if np.size(given[0][name]) == 0 else given[0][name] for name in FELT) if given else {}


def _each(value: Any) -> list[Any]:
    """The elements of a MATLAB array, which reads as its element where there is only one."""
    return [value] if isinstance(value, (dict, str)) else list(value)


def people_of_csv(folder: Path, arrays: bool) -> Iterator[Person]:
    """The train.csv, val.csv and test.csv that the PyTorch implementation's mat2py.py makes of Annotations.mat."""
    for name, split in SPLITS.items():
        path = folder / f"{name}.csv"
        for row, (line, values) in enumerate(csv_rows(path, _COLUMNS) if path.is_file() else ()):
            try:
                lists = {column: ast.literal_eval(values[column]) for column in _COLUMNS[2:6]}
                size, box, categories, felt = lists.values()
                person = Person(
                    f"{values['Folder']}/{values['Filename']}",
                    split,
                    _known(categories),
                    {"gender": values["Gender"], "age": values["Age"], **_felt(felt)},
                    _box(box),
                    (int(size[0]), int(size[1])),
                )
            except (ValueError, SyntaxError, TypeError, IndexError) as error:
                raise FerlineError(
                    f"{path}, line {line}: not as mat2py.py writes it ({error}). Nothing was added"
                ) from None
            yield person._replace(array=f"{name}_body_arr.npy", row=row) if arrays else person


def people_of_kaggle(folder: Path) -> Iterator[Person]:
    """annots_arrs/annot_arrs_*.csv: a column of 0 and 1 for every category, and Crop_name, a file in img_arrs/."""
    for name, split in SPLITS.items():
        path = folder / "annots_arrs" / f"annot_arrs_{name}.csv"
        columns = ("Filename", "Crop_name", "Valence", "Arousal", "Dominance", "Gender", "Age", *CATEGORIES)
        for line, values in csv_rows(path, columns) if path.is_file() else ():
            try:
                felt = _felt([float(values[column.capitalize()] or "nan") for column in FELT])
                chosen = tuple(category for category in CATEGORIES if float(values[category] or 0))
            except ValueError as error:
                raise FerlineError(f"{path}, line {line}: {error}. Nothing was added") from None
            said = {"gender": values["Gender"], "age": values["Age"], **felt}
            image = "/".join(part for part in (values.get("Folder"), values["Filename"]) if part)
            yield Person(image, split, chosen, said, (0, 0, 0, 0), (0, 0), array=f"img_arrs/{values['Crop_name']}")


def _known(categories: Iterable[Any]) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(str(category).strip() for category in categories))
    if unknown := [category for category in chosen if category not in CATEGORIES]:
        raise ValueError(f"{unknown[0]!r} is none of the 26 categories")
    return chosen


def _felt(values: Iterable[Any]) -> dict[str, float]:
    """Those of the three that somebody gave."""
    given = dict(zip(FELT, (float(value) for value in values), strict=False))
    return {name: round(value, 4) for name, value in given.items() if math.isfinite(value)}


def _box(values: Iterable[Any]) -> tuple[int, int, int, int]:
    left, top, right, bottom = (int(value) for value in values)
    return left, top, right, bottom

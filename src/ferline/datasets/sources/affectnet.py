"""AffectNet: faces from the web, each with an expression, a valence and an arousal.

Read here, each with the folder itself or the one above it as the source:

- the release of 2021 ("8 labels", 291,650 cropped faces): `train_set/` and `val_set/`, each with `images/NUMBER.jpg`
  and `annotations/NUMBER_exp.npy` (0-7: neutral, happy, sad, surprise, fear, disgust, anger, contempt), `_val.npy`
  and `_aro.npy` (valence and arousal from -1 to 1); `_lnd.npy` (landmarks) is not needed;
- the first release: `Manually_Annotated_file_lists/training.csv` and `validation.csv` (subDirectory_filePath, face_x,
  face_y, face_width, face_height, facial_landmarks, expression, valence, arousal; the second may come without that
  first line) beside `Manually_Annotated_Images/`. These are not cropped, and have expressions 8-10 (none, uncertain,
  no face), which are left out;
- Kaggle's `labels.csv` (pth, label, relFCs) beside one folder an emotion of 96 x 96 faces. Its labels were corrected
  by a network and not all are those of the folders; the file's are taken, and how many differ is noted.

AffectNet's own test set was never given out, and what is published is measured on the validation set. So that set is
`test` here, and protocol `official` draws validation from the training images: a model chosen on what it is then
measured on would look better than it is. Kaggle's form has no split.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from ferline.datasets.sources.files import images_under, row_of
from ferline.datasets.sources.layout import csv_rows, hold_against, require_all, within
from ferline.datasets.sources.source import About, Found, Row, attributes, register_source, wrong_place
from ferline.emotions import named
from ferline.errors import FerlineError

EXPRESSIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
LEFT_OUT = {8: "none", 9: "uncertain", 10: "no face"}
SETS = {"train_set": "train", "val_set": "test"}
LISTS = {"training.csv": "train", "validation.csv": "test"}
COLUMNS = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)
NO_TEST = "AffectNet's test set is withheld: its validation set is the test split here, as in what is published"

ABOUT = About(
    title="AffectNet",
    terms="Research only, under a signed licence agreement; every publication that uses the images must cite the "
    "paper. Copies on Kaggle are under the same agreement, whoever put them there.",
    where="http://mohammadmahoor.com/pages/databases/affectnet/: professors and heads of laboratories ask with the "
    "signed agreement, students through their supervisor",
    citation="A. Mollahosseini, B. Hasani, M. H. Mahoor: AffectNet: A Database for Facial Expression, Valence, and "
    "Arousal Computing in the Wild. IEEE Transactions on Affective Computing, 2017",
    cropped=True,
)

LOOKED_FOR = (
    "train_set/ and val_set/, each with images/*.jpg and annotations/*_exp.npy",
    "Manually_Annotated_file_lists/training.csv and validation.csv, beside Manually_Annotated_Images/",
    "labels.csv (pth, label, relFCs) beside one folder an emotion",
)
EXAMPLE = """\
AffectNet/
  train_set/images/0.jpg
  train_set/annotations/0_exp.npy   (and 0_val.npy, 0_aro.npy)
  val_set/images/0.jpg
  val_set/annotations/0_exp.npy"""


@register_source("affectnet", ABOUT)
def read(source: Path) -> Found:
    """The folder with train_set/ and val_set/, with the lists of the first release, or with Kaggle's labels.csv."""
    for base in within(source):
        if all((base / name / part).is_dir() for name in SETS for part in ("images", "annotations")):
            return _release_2021(base)
        for lists in (base / "Manually_Annotated_file_lists", base):
            if all((lists / name).is_file() for name in LISTS) and (images := _images_beside(base)):
                return _first_release(lists, images)
        if (base / "labels.csv").is_file():
            return _kaggle(base)
    raise wrong_place(source, ABOUT.title, LOOKED_FOR, EXAMPLE)


def _release_2021(base: Path) -> Found:
    paths: list[str] = []
    for name in SETS:
        images = list(images_under(base / name / "images"))
        files = {path.name for path in (base / name / "annotations").iterdir()}
        labelled = [file.removesuffix("_exp.npy") for file in files if file.endswith("_exp.npy")]
        hold_against(labelled, [PurePosixPath(i).stem for i in images], "annotations/*_exp.npy", base / name / "images")
        paths += [f"{name}/images/{image}" for image in images]
    form = "release of 2021: train_set and val_set, images/*.jpg with annotations/*.npy"
    return Found(form, (_annotated(base, path) for path in paths), len(paths), [NO_TEST])


def _annotated(base: Path, path: str) -> Row:
    split = PurePosixPath(path).parts[0]
    stem = base / split / "annotations" / PurePosixPath(path).stem
    file = Path(f"{stem}_exp.npy")
    code = _number(file)
    if code not in range(len(EXPRESSIONS)):
        raise FerlineError(f"{file}: expression {code:g} is none of 0 to {len(EXPRESSIONS) - 1}. Nothing was added")
    felt = {name: Path(f"{stem}_{name[:3]}.npy") for name in ("valence", "arousal")}
    known = {name: _felt(_number(file), file) for name, file in felt.items() if file.exists()}
    return row_of(base, path, label=EXPRESSIONS[int(code)], split=SETS[split], attributes=attributes(**known))


def _number(path: Path) -> float:
    """What is in the file: one number, which the release stores as text."""
    try:
        with path.open("rb") as file:
            return float(np.lib.format.read_array(file, allow_pickle=False).item())
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise FerlineError(f"{path}: does not hold one number ({error}). Nothing was added") from None


def _felt(value: float, where: object) -> float | None:
    """A valence or an arousal; -2 stands for one that nobody gave."""
    if value == -2:
        return None
    if not -1 <= value <= 1:
        raise FerlineError(f"{where}: {value:g} is no valence or arousal, which go from -1 to 1. Nothing was added")
    return round(value, 6)


class Listed(NamedTuple):
    """One line of a list of the first release."""

    path: str
    code: int
    valence: float | None
    arousal: float | None


def _images_beside(base: Path) -> Path | None:
    names = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", "Manually_Annotated")
    return next((base / name for name in names if (base / name).is_dir()), None)


def _first_release(lists: Path, images: Path) -> Found:
    codes: Counter[int] = Counter()
    missing: list[str] = []
    for name in LISTS:
        for line in _lines(lists / name):
            codes[line.code] += 1
            if line.code not in LEFT_OUT and not (images / line.path).is_file():
                missing.append(line.path)
    total = sum(count for code, count in codes.items() if code not in LEFT_OUT)
    require_all(missing, total, "images that the lists name", images)
    notes = [f"{codes[code]:,} images left out: {name}" for code, name in LEFT_OUT.items() if codes[code]]
    form = "first release: training.csv and validation.csv beside Manually_Annotated_Images/"
    return Found(form, _manual(lists, images), total, [NO_TEST, *notes], cropped=False)


def _manual(lists: Path, images: Path) -> Iterator[Row]:
    for name, split in LISTS.items():
        for line in _lines(lists / name):
            if line.code not in LEFT_OUT:
                felt = attributes(valence=line.valence, arousal=line.arousal)
                yield row_of(images, line.path, label=EXPRESSIONS[line.code], split=split, attributes=felt)


def _lines(path: Path) -> Iterator[Listed]:
    """Read once to check and once to yield: with their landmarks, 420,000 lines are 400 MB."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, values in enumerate(csv.reader(file), start=1):
                if values and (number > 1 or values[0] != COLUMNS[0]):
                    yield _listed(values, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FerlineError(f"{path}: cannot be read as CSV ({error}). Nothing was added") from None


def _listed(values: list[str], where: str) -> Listed:
    if len(values) != len(COLUMNS):
        raise FerlineError(f"{where}: {len(values)} values where {', '.join(COLUMNS)} are needed. Nothing was added")
    try:
        code, valence, arousal = int(values[6]), float(values[7]), float(values[8])
    except ValueError:
        raise FerlineError(f"{where}: {values[6:]} are not an expression and two numbers. Nothing was added") from None
    if code not in range(len(EXPRESSIONS) + len(LEFT_OUT)):
        raise FerlineError(f"{where}: expression {code} is none of 0 to 10. Nothing was added")
    return Listed(values[0], code, _felt(valence, where), _felt(arousal, where))


def _kaggle(base: Path) -> Found:
    labels: dict[str, tuple[str, str]] = {}
    for number, row in csv_rows(base / "labels.csv", ("pth", "label")):
        where = f"{base / 'labels.csv'}, line {number}"
        label = named(row["label"])
        if label is None:
            raise FerlineError(f"{where}: {row['label']!r} is no emotion known here. Nothing was added")
        if row["pth"] in labels:
            raise FerlineError(f"{where}: {row['pth']!r} is listed a second time. Nothing was added")
        labels[row["pth"]] = (label, row.get("relFCs") or "")
    require_all([p for p in labels if not (base / p).is_file()], len(labels), "images that labels.csv names", base)
    moved = sum(named(PurePosixPath(path).parent.name) != label for path, (label, _) in labels.items())
    rows = (
        row_of(base, path, label=label, attributes=attributes(relFCs=_share(text, base / "labels.csv")))
        for path, (label, text) in labels.items()
    )
    notes = ["this form has no split of its own"]
    if moved:
        notes.append(f"{moved:,} images have another label in labels.csv than their folder's name; the file's counts")
    return Found("Kaggle labels.csv beside EMOTION/*", rows, len(labels), notes)


def _share(text: str, path: Path) -> float | None:
    """How much of the image its first principal component explains; an image of one colour has nearly 1."""
    try:
        return float(text) if text else None
    except ValueError:
        raise FerlineError(f"{path}: relFCs is {text!r}, which is no number. Nothing was added") from None

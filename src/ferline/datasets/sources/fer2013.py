"""FER2013: faces found on the web by emotion words, from the ICML 2013 workshop's challenge.

Forms read:
- `fer2013.csv` of the challenge's archive (`emotion,pixels,Usage`) and `icml_face_data.csv` (`emotion, Usage, pixels`),
  emotion 0-6 = angry, disgust, fear, happy, sad, surprise, neutral; 48x48 grey values a row, which are kept as binary
  PGM: the exact pixels with a header before them. Training, PublicTest and PrivateTest are train, validation and test;
- Kaggle's folders, `train/EMOTION/Training_3908.jpg` beside `test/EMOTION/PublicTest_81201.jpg` and
  `PrivateTest_10131363.jpg`. The file's name says which of the three it is from; where it does not, the folder does.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ferline.datasets.protocols import SIDE_WORDS, side_named
from ferline.datasets.sources.files import few, images_under, row_of
from ferline.datasets.sources.layout import within
from ferline.datasets.sources.pixel_csv import read_pixel_csv, wrong
from ferline.datasets.sources.source import About, Found, Row, register_source, wrong_place
from ferline.emotions import EMOTIONS, named
from ferline.errors import FerlineError

ABOUT = About(
    title="FER2013",
    terms="For research and teaching: the images were collected from the web for a Kaggle challenge whose rules one "
    "accepts before downloading; no licence for the images themselves is given, and they are not ours to pass on.",
    where="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge/data",
    citation="I. J. Goodfellow, D. Erhan, P. L. Carrier, A. Courville et al.: Challenges in Representation Learning: "
    "A report on three machine learning contests. ICONIP 2013, arXiv:1307.0414",
    cropped=True,
)

CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
SPLIT_OF = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
USAGE_OF = {split: usage for usage, split in SPLIT_OF.items()}
_USAGE_IN_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_")

LOOKED_FOR = (
    "a CSV file with the columns emotion, pixels and Usage, or a folder that holds fer2013.csv or icml_face_data.csv",
    "folders train and test, or one of them, with a folder for each emotion (Kaggle)",
)
EXAMPLE = """fer2013.csv
or
fer2013/
  train/angry/Training_3908.jpg
  train/happy/Training_10019449.jpg
  test/angry/PrivateTest_10131363.jpg
  test/angry/PublicTest_81201.jpg"""


@register_source("fer2013", ABOUT)
def read(source: Path) -> Found:
    """The challenge's CSV, or Kaggle's folders."""
    if file := csv_file(source):
        return Found(f"CSV with a row an image ({file.name})", csv_rows(file))
    for folder in within(source):
        if parts := [path for path in within(folder) if path != folder and _split_of_folder(path)]:
            return _read_folders(folder, parts)
    raise wrong_place(source, ABOUT.title, LOOKED_FOR, EXAMPLE)


def csv_file(source: Path) -> Path | None:
    """The CSV file that `source` is, or that lies in it."""
    if source.is_file() and source.suffix.lower() == ".csv":
        return source
    files = (folder / name for folder in within(source) for name in CSV_NAMES)
    return next((file for file in files if file.is_file()), None)


def csv_rows(path: Path) -> Iterator[Row]:
    """The header is checked at once, the rows are read as they are asked for. An id is a place within a Usage."""
    return _csv_rows(path, read_pixel_csv(path, ("emotion", "Usage")))


def _csv_rows(path: Path, rows: Iterator) -> Iterator[Row]:
    labels = {str(number): emotion for number, emotion in enumerate(EMOTIONS)}
    places: Counter[str] = Counter()
    for line, (emotion, usage), image in rows:
        if emotion not in labels:
            raise wrong(path, line, f"emotion is {emotion!r}, it must be 0 to 6 ({', '.join(EMOTIONS)})")
        if usage not in SPLIT_OF:
            raise wrong(path, line, f"Usage is {usage!r}, it must be one of {', '.join(SPLIT_OF)}")
        yield {
            "id": f"{usage.lower()}-{places[usage]:05d}",
            "image": image,
            "label": labels[emotion],
            "split": SPLIT_OF[usage],
            "source": f"{path.name}, line {line}",
        }
        places[usage] += 1


def _split_of_folder(folder: Path) -> str | None:
    """The split, where it is the name of one and has folders of emotions in it."""
    emotions = any(named(path.name) for path in within(folder) if path != folder)
    return side_named(folder.name) if emotions else None


def _read_folders(root: Path, parts: list[Path]) -> Found:
    for other in within(root):
        if other not in (root, *parts) and (image := next(images_under(other), None)):
            raise FerlineError(
                f"{other}: holds images ({image}) and is no folder of a split with a folder for each emotion in it. "
                f"Splits are called {SIDE_WORDS}. Rename it or move it away. Nothing was added"
            )
    files = [f"{part.name}/{path}" for part in parts for path in images_under(part)]
    unknown = sorted({path.rpartition("/")[0] for path in files if _label_of(path) is None})
    if unknown:
        raise FerlineError(
            f"{root}: no emotion's name: {few(unknown)}. FER2013's folders are {', '.join(EMOTIONS)}. "
            "Rename them or move them away. Nothing was added"
        )
    return Found("Kaggle folders train and test/EMOTION/*.jpg", _folder_rows(root, files), len(files))


def _folder_rows(root: Path, files: list[str]) -> Iterator[Row]:
    for path in files:
        part, _, name = path.partition("/")
        usage = _USAGE_IN_NAME.match(name.rpartition("/")[2])
        split = SPLIT_OF[usage[1]] if usage else side_named(part)
        yield row_of(root, path, label=_label_of(path), split=split)


def _label_of(path: str) -> str | None:
    """Of train/EMOTION/NAME, the emotion; None for an image that lies anywhere else."""
    _, *folders, _ = path.split("/")
    return named(folders[0]) if len(folders) == 1 else None

"""FER+: FER2013's images, each judged by ten people.

Forms read, both of microsoft/FERPlus on GitHub:
- `fer2013.csv` with `fer2013new.csv` (`Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,
  unknown,NF`), which has a row for each row of it, in its order. A row without an image's name is no face (NF);
- the folders that its generate_training_data.py makes of these: `FER2013Train`, `FER2013Valid` and `FER2013Test`, with
  `fer0000000.png` and so on and a `label.csv` without a header, `fer0000000.png,"(0, 0, 48, 48)",4,0,0,1,3,2,0,0,0,0`:
  name, the face's box (left, top, right, bottom; not in those of the script's last version) and the same ten numbers.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from ferline.datasets.sources import fer2013
from ferline.datasets.sources.ferplus_votes import FILE_ORDER, Votes, VotesFile, read_votes, remapped
from ferline.datasets.sources.files import images_under, row_of
from ferline.datasets.sources.layout import hold_against, within
from ferline.datasets.sources.pixel_csv import wrong
from ferline.datasets.sources.source import About, Found, Row, attributes, register_source, wrong_place
from ferline.errors import FerlineError

ABOUT = About(
    title="FER+",
    terms="The votes are under the MIT licence (Microsoft); the images are FER2013's, under its terms.",
    where="https://github.com/microsoft/FERPlus for the votes; "
    "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge/data "
    "for the images",
    citation="E. Barsoum, C. Zhang, C. Canton Ferrer, Z. Zhang: Training Deep Networks for Facial Expression "
    "Recognition with Crowd-Sourced Label Distribution. ICMI 2016, arXiv:1608.01041",
    cropped=True,
)

VOTES_NAME = "fer2013new.csv"
FOLDERS = {"FER2013Train": "train", "FER2013Valid": "validation", "FER2013Test": "test"}

LOOKED_FOR = (
    "FER2013's CSV file (emotion, pixels, Usage), with fer2013new.csv beside it or named by --votes",
    "folders FER2013Train, FER2013Valid and FER2013Test, or some of them, each with label.csv and its images",
)
EXAMPLE = """fer2013.csv
fer2013new.csv
or
data/
  FER2013Train/label.csv
  FER2013Train/fer0000000.png
  FER2013Valid/label.csv
  FER2013Valid/fer0028638.png"""


@register_source("ferplus", ABOUT)
def read(
    source: Path,
    *,
    votes: Annotated[Path | None, "fer2013new.csv of microsoft/FERPlus; by default the one beside fer2013.csv"] = None,
) -> Found:
    """FER2013's CSV with FER+'s own, or the official folders."""
    for root in within(source):
        if folders := [folder for folder in (root / name for name in FOLDERS) if (folder / "label.csv").is_file()]:
            return _read_folders(root, folders)
    if file := fer2013.csv_file(source):
        return _read_csv(file, votes or file.with_name(VOTES_NAME))
    raise wrong_place(source, ABOUT.title, LOOKED_FOR, EXAMPLE)


def _read_csv(path: Path, votes: Path) -> Found:
    if not votes.is_file():
        raise FerlineError(
            f"{votes}: not there, and without FER+'s votes {path.name} is FER2013. Get {VOTES_NAME} from "
            "https://github.com/microsoft/FERPlus and write --votes with its path. Nothing was added"
        )
    notes: list[str] = []
    rows = _csv_rows(path, fer2013.csv_rows(path), read_votes(votes), notes)
    return Found(f"{path.name} with {votes.name}", rows, notes=notes)


def _csv_rows(path: Path, images: Iterator[Row], votes: VotesFile, notes: list[str]) -> Iterator[Row]:
    no_face = 0
    for row in images:
        given = votes.next_of(row)
        if not given.name:
            no_face += 1
            continue
        # Names are no ids: of 32,140 rows restored from images, three have the name of an identical one.
        yield {**row, "votes": given.counts, "attributes": attributes(image_name=given.name)}
    votes.require_lined_up(path)
    _note(no_face, notes)


def _read_folders(root: Path, folders: list[Path]) -> Found:
    listed = {folder: _label_file(folder / "label.csv") for folder in folders}
    notes: list[str] = []
    for folder, rows in listed.items():
        hold_against([given.name for given, _ in rows if given.name], list(images_under(folder)), "label.csv", folder)
    _note(sum(not given.name for rows in listed.values() for given, _ in rows), notes)
    total = sum(bool(given.name) for rows in listed.values() for given, _ in rows)
    return Found("folders FER2013Train/Valid/Test with label.csv", _folder_rows(root, listed), total, notes)


def _folder_rows(root: Path, listed: dict[Path, list[tuple[Votes, list[int] | None]]]) -> Iterator[Row]:
    for folder, rows in listed.items():
        for given, box in rows:
            if given.name:
                path = f"{folder.name}/{given.name}"
                columns = {"votes": given.counts, "split": FOLDERS[folder.name], "attributes": attributes(box=box)}
                yield row_of(root, path, id=Path(given.name).stem, **columns)


def _label_file(path: Path) -> list[tuple[Votes, list[int] | None]]:
    """Each line's image, its votes, and its face's box where there is one."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [_label_line(path, line, cells) for line, cells in enumerate(csv.reader(file), start=1) if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FerlineError(f"{path}: cannot be read as CSV ({error}). Nothing was added") from None


def _label_line(path: Path, line: int, cells: list[str]) -> tuple[Votes, list[int] | None]:
    name, *rest = (cell.strip() for cell in cells)
    box = None
    if rest and rest[0].startswith("("):
        box = [int(number) for number in re.findall(r"-?\d+", rest.pop(0))]
        if len(box) != 4:
            raise wrong(path, line, f"the box is {cells[1]!r}, it must be (left, top, right, bottom)")
    if len(rest) != len(FILE_ORDER):
        raise wrong(path, line, f"{len(rest)} votes, there must be one for each of {', '.join(FILE_ORDER)}")
    return Votes(line, name, "", remapped(path, line, dict(zip(FILE_ORDER, rest, strict=True)))), box


def _note(no_face: int, notes: list[str]) -> None:
    if no_face:
        notes.append(f"{no_face:,} rows without an image's name are left out: FER+ says that they show no face")

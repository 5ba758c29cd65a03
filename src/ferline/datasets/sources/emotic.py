"""EMOTIC: people in photographs of all kinds, each with some of 26 categories of what they seem to feel.

Read here, each with the folder itself or the one above it as the source:

- the official download: `emotic/` with `ade20k/`, `emodb_small/`, `framesdb/` and `mscoco/` (each with `images/`),
  beside `Annotations/Annotations.mat`: structures train, val and test of filename, folder, image_size,
  original_database and person, the last with body_bbox (x1, y1, x2, y2), annotations_categories,
  annotations_continuous, gender and age, in val and test also combined_categories and combined_continuous;
- the PyTorch implementation's `emotic_pre/train.csv`, `val.csv`, `test.csv` beside those images or, without them,
  beside `train_body_arr.npy`, `val_body_arr.npy`, `test_body_arr.npy` (people, 128 x 128, RGB);
- Kaggle's `annots_arrs/annot_arrs_train.csv` (val, test) with `img_arrs/*.npy`: one array a person, taken as RGB,
  which the files do not state.

One row is one person: the box cut out of the photograph, in which the face is still to be found. The 26 categories
become the emotions by a table (emotic_table.yaml); who is left out by it, and why, is in the notes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from ferline.datasets.sources.emotic_annotations import (
    SPLITS,
    Person,
    numbered,
    people_of_csv,
    people_of_kaggle,
    people_of_mat,
)
from ferline.datasets.sources.emotic_people import Cut, from_arrays, from_photographs, open_array
from ferline.datasets.sources.emotic_table import emotions_of, load_table
from ferline.datasets.sources.layout import require_all, within
from ferline.datasets.sources.source import About, Found, Row, attributes, register_source, wrong_place
from ferline.errors import FerlineError

IMAGE_FOLDERS = ("ade20k", "emodb_small", "framesdb", "mscoco")
Table = Mapping[str, str | None]

ABOUT = About(
    title="EMOTIC",
    terms="Non-commercial research and education only, on a signed form; the images from MS-COCO and ADE20K stay "
    "under those sets' own terms as well.",
    where="https://s3.sunai.uoc.edu/emotic/download.html: the form is there",
    citation="R. Kosti, J. M. Alvarez, A. Recasens, A. Lapedriza: Context Based Emotion Recognition Using EMOTIC "
    "Dataset. IEEE Transactions on Pattern Analysis and Machine Intelligence 42(11), 2020, pp. 2755-2766",
    cropped=False,
)

LOOKED_FOR = (
    "Annotations/Annotations.mat beside emotic/ade20k, emotic/emodb_small, emotic/framesdb, emotic/mscoco",
    "emotic_pre/train.csv, val.csv, test.csv beside those images, or with *_body_arr.npy in emotic_pre/",
    "annots_arrs/annot_arrs_train.csv beside img_arrs/*.npy",
)
EXAMPLE = """\
EMOTIC/
  Annotations/Annotations.mat
  emotic/mscoco/images/COCO_val2014_000000562243.jpg
  emotic/framesdb/images/frame_0001.jpg"""


@register_source("emotic", ABOUT)
def read(
    source: Path,
    *,
    mapping: Annotated[Path | None, "a table of your own from EMOTIC's 26 categories to emotions (YAML)"] = None,
) -> Found:
    """The folder with Annotations/ and emotic/, with emotic_pre/, or with annots_arrs/ and img_arrs/."""
    table = load_table(mapping)
    for base in within(source):
        if (base / "annots_arrs" / "annot_arrs_train.csv").is_file() and (base / "img_arrs").is_dir():
            return _kaggle(base, table)
        images = _images_in(base)
        if images and (mat := _annotations_in(base)):
            people, notes = _chosen(numbered(people_of_mat(mat)), table)
            return _photographs("Annotations.mat with the photographs", images, people, notes)
        for folder in (base / "emotic_pre", base):
            if (folder / "train.csv").is_file():
                return _preprocessed(folder, images or _images_in(folder.parent), table)
    raise wrong_place(source, ABOUT.title, LOOKED_FOR, EXAMPLE)


def _images_in(base: Path) -> Path | None:
    places = (base / "emotic", base / "emotic" / "emotic", base)
    return next((place for place in places if any((place / name).is_dir() for name in IMAGE_FOLDERS)), None)


def _annotations_in(base: Path) -> Path | None:
    places = (base, base / "Annotations", base / "Annotations" / "Annotations")
    return next((place / "Annotations.mat" for place in places if (place / "Annotations.mat").is_file()), None)


Chosen = Sequence[tuple[Person, str]]


def _photographs(form: str, images: Path, people: Chosen, notes: list[str]) -> Found:
    needed = sorted({person.image for person, _ in people})
    require_all([p for p in needed if not (images / p).is_file()], len(needed), "images of annotated people", images)
    return Found(form, _rows(people, from_photographs(images, [person for person, _ in people], notes)), None, notes)


def _preprocessed(folder: Path, images: Path | None, table: Table) -> Found:
    present = [name for name in SPLITS if (folder / f"{name}.csv").is_file()]
    everybody = numbered(people_of_csv(folder, arrays=images is None))
    people, notes = _chosen(everybody, table)
    if len(present) < len(SPLITS):
        notes.append(f"only {', '.join(f'{name}.csv' for name in present)} found in {folder.name}/")
    if images:
        return _photographs("emotic_pre/*.csv with the photographs", images, people, notes)
    for name in present:
        _require_rows(folder / f"{name}_body_arr.npy", sum(person.split == SPLITS[name] for person in everybody))
    notes.append("every person's box was squeezed to a square by those who made the arrays")
    return _arrays("emotic_pre/*.csv with *_body_arr.npy", folder, people, notes)


def _require_rows(path: Path, listed: int) -> None:
    """A list and an array of other lengths would give people one another's labels."""
    if not path.is_file():
        raise FerlineError(
            f"{path}: missing, and so are the photographs ({', '.join(IMAGE_FOLDERS)}); one of the two is needed. "
            "Nothing was added"
        )
    if (found := len(open_array(path))) != listed:
        raise FerlineError(f"{path}: {found:,} people where its list has {listed:,}. Nothing was added")


def _kaggle(base: Path, table: Table) -> Found:
    people, notes = _chosen(numbered(people_of_kaggle(base)), table)
    files = [person.array for person, _ in people]
    require_all([file for file in files if not (base / file).is_file()], len(files), "arrays of people", base)
    if (base / "annots_arrs" / "annot_arrs_extra_train.csv").is_file():
        notes.append("annot_arrs_extra_train.csv is not of EMOTIC's own split and was not read")
    return _arrays("Kaggle annots_arrs/*.csv with img_arrs/*.npy", base, people, notes)


def _arrays(form: str, folder: Path, people: Chosen, notes: list[str]) -> Found:
    return Found(form, _rows(people, from_arrays(folder, [person for person, _ in people])), len(people), notes)


def _chosen(people: Sequence[Person], table: Table) -> tuple[list[tuple[Person, str]], list[str]]:
    """Everybody whose categories stand for one emotion, with it; and how many do not, by kind."""
    chosen: list[tuple[Person, str]] = []
    kinds: Counter[str] = Counter()
    several: Counter[str] = Counter()
    for person in people:
        emotions = emotions_of(person.categories, table)
        if len(emotions) == 1:
            chosen.append((person, emotions[0]))
        elif emotions:
            several[" + ".join(emotions)] += 1
        else:
            kinds["none of their categories stands for an emotion" if person.categories else "without categories"] += 1
    if several:
        most = ", ".join(f"{emotions} {count:,}" for emotions, count in several.most_common(3))
        kinds[f"their categories stand for several emotions (most often {most})"] = several.total()
    return chosen, [f"{count:,} of {len(people):,} people left out: {kind}" for kind, count in kinds.items()]


def _rows(people: Chosen, cuts: Iterable[Cut]) -> Iterator[Row]:
    labels = {(person.image, person.number): emotion for person, emotion in people}
    for person, image in cuts:
        yield {
            "id": f"{person.image}#{person.number}",
            "image": image,
            "label": labels[person.image, person.number],
            "split": person.split,
            "source": person.array or person.image,
            "attributes": attributes(**person.said, categories=list(person.categories)),
        }

"""RAF-DB, the single-label ("basic") part: 15,339 faces from the web with one of seven emotions each.

Read here: the official download, `basic/EmoLabel/list_patition_label.txt` (the file's own spelling; copies that say
`list_partition_label.txt` go around too) with lines like `train_00001.jpg 5`, beside `basic/Image/aligned/`, whose
names end in `_aligned.jpg`, or, where that is not unpacked, `basic/Image/original/`: whole photographs, in which the
face is still to be found; and Kaggle's `DATASET/train/1..7/*.jpg`, `DATASET/test/1..7/*.jpg` of the aligned faces,
with `train_labels.csv` and `test_labels.csv` (image, label) beside DATASET.

The labels are 1-7: surprise, fear, disgust, happiness, sadness, anger, neutral. The names say train or test; there is
no validation split, and nobody says who is in the images.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from ferline.datasets.sources.files import few, images_under, row_of
from ferline.datasets.sources.layout import csv_rows, hold_against, within
from ferline.datasets.sources.source import About, Found, Row, register_source, wrong_place
from ferline.errors import FerlineError

LABELS = {"1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "angry", "7": "neutral"}
SPLITS = ("train", "test")
LISTS = ("list_patition_label.txt", "list_partition_label.txt")

ABOUT = About(
    title="RAF-DB",
    terms="Non-commercial research only. The images come from the Internet and are not the makers' property; neither "
    "they nor anything derived from them may be copied on, published, distributed or sold.",
    where="http://www.whdeng.cn/RAF/model1.html: access is given on request to the makers (PRIS, Beijing University "
    "of Posts and Telecommunications), who may end it at any time",
    citation="S. Li, W. Deng, J. Du: Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression "
    "Recognition in the Wild. CVPR 2017, pp. 2852-2861",
    cropped=True,
)

LOOKED_FOR = (
    f"EmoLabel/{LISTS[0]} (or {LISTS[1]}) beside Image/aligned/ or Image/original/",
    "DATASET/train/1 to 7 and DATASET/test/1 to 7",
)
EXAMPLE = """\
basic/
  EmoLabel/list_patition_label.txt
  Image/aligned/train_00001_aligned.jpg
  Image/aligned/test_0001_aligned.jpg"""


@register_source("rafdb", ABOUT)
def read(source: Path) -> Found:
    """RAF-DB's folder `basic` or Kaggle's download, or the folder that holds it."""
    for base in within(source):
        for name in LISTS:
            for images, ending in (("aligned", "_aligned"), ("original", "")):
                if (base / "EmoLabel" / name).is_file() and (base / "Image" / images).is_dir():
                    return _official(base, base / "EmoLabel" / name, f"Image/{images}", ending)
    for base in [source.parent] if source.name == "DATASET" else within(source):
        if all((base / "DATASET" / split / "1").is_dir() for split in SPLITS):
            return _kaggle(base)
    raise wrong_place(source, ABOUT.title, LOOKED_FOR, EXAMPLE)


def _official(base: Path, labels: Path, folder: str, ending: str) -> Found:
    listed = {_with_ending(name, ending): label for name, label in _listed(labels).items()}
    hold_against(listed, list(images_under(base / folder)), labels.name, base / folder)
    return Found(
        form=f"official {folder}/*{ending}.jpg with EmoLabel/{labels.name}",
        rows=_rows(base, {f"{folder}/{name}": label for name, label in sorted(listed.items())}),
        total=len(listed),
        notes=["the set has no validation split of its own"],
        cropped=folder.endswith("aligned"),
    )


def _with_ending(name: str, ending: str) -> str:
    path = PurePosixPath(name)
    return f"{path.stem}{ending}{path.suffix}"


def _listed(path: Path) -> dict[str, str]:
    """Image name to label, as the list has them."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FerlineError(f"{path}: cannot be read as text ({error}). Nothing was added") from None
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.split()
        if len(fields) != 2:
            raise _wrong(path, number, f"{line.strip()!r} is not an image's name and its label")
        name, label = fields
        if label not in LABELS:
            raise _wrong(path, number, f"label {label!r} is none of {', '.join(LABELS)}")
        if not name.startswith(tuple(f"{split}_" for split in SPLITS)):
            raise _wrong(path, number, f"{name!r} begins with neither train_ nor test_, so its split is unknown")
        if name in listed:
            raise _wrong(path, number, f"{name!r} is listed a second time")
        listed[name] = label
    return listed


def _wrong(path: Path, line: int, what: str) -> FerlineError:
    return FerlineError(f"{path}, line {line}: {what}. Nothing was added")


def _kaggle(base: Path) -> Found:
    labels: dict[str, str] = {}
    for split in SPLITS:
        for path in images_under(base / "DATASET" / split):
            labels[f"DATASET/{split}/{path}"] = _folder_label(base, f"DATASET/{split}/{path}")
    lists = {split: base / f"{split}_labels.csv" for split in SPLITS}
    notes = ["the set has no validation split of its own"]
    if all(csv.is_file() for csv in lists.values()):
        for split, csv in lists.items():
            _hold_against_csv(base, split, csv, labels)
    else:
        notes.append("labels are those of the folders: train_labels.csv and test_labels.csv are not beside DATASET")
    form = "Kaggle folders DATASET/SPLIT/LABEL/*.jpg"
    return Found(form, _rows(base, labels), len(labels), notes)


def _folder_label(base: Path, path: str) -> str:
    label = PurePosixPath(path).parent.name
    if len(PurePosixPath(path).parts) != 4 or label not in LABELS:
        raise FerlineError(f"{base / path}: not in one of the folders {', '.join(LABELS)}. Nothing was added")
    return label


def _hold_against_csv(base: Path, split: str, path: Path, labels: Mapping[str, str]) -> None:
    """The list says the same as the folders; where the two disagree, nobody knows which is right."""
    here: dict[str, str] = {}
    for name, label in labels.items():
        if name.startswith(f"DATASET/{split}/") and here.setdefault(PurePosixPath(name).name, label) != label:
            raise FerlineError(f"{base / name}: is in a second label's folder as well. Nothing was added")
    listed = {row["image"].strip(): row["label"].strip() for _, row in csv_rows(path, ("image", "label"))}
    hold_against(listed, here, path.name, base / "DATASET" / split)
    if wrong := sorted(name for name, label in here.items() if listed[name] != label):
        raise FerlineError(
            f"{path}: gives {len(wrong):,} of {len(here):,} images another label than their folder's "
            f"({few(wrong)}). Nothing was added"
        )


def _rows(base: Path, labels: Mapping[str, str]) -> Iterator[Row]:
    """The split is in the name, for both forms: train_00001.jpg, train_00001_aligned.jpg, DATASET/train/..."""
    for path, label in labels.items():
        parts = PurePosixPath(path).parts
        split = parts[1] if parts[0] == "DATASET" else parts[-1].split("_")[0]
        yield row_of(base, path, label=LABELS[label], split=split)

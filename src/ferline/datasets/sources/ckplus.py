"""CK+, the Extended Cohn-Kanade dataset: 123 people posing, from neutral to the apex of an expression.

Three forms are read, each at the source or one level below:
- `CK+48/EMOTION/SUBJECT_SEQUENCE_FRAME.png`: the last three frames of the 327 labelled sequences of 118 people, their
  faces cut out at 48x48; 981 images of seven emotions, contempt among them, and no neutral;
- Kaggle's `ckextended.csv` (`emotion,pixels,Usage`; emotion 0-7 = anger, disgust, fear, happiness, sadness, surprise,
  neutral, contempt): 920 images of 48x48, 593 of them neutral;
- the makers' release: ferline.datasets.sources.ckplus_sequences.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from ferline.datasets.sources import ckplus_sequences
from ferline.datasets.sources.ckplus_sequences import Taken, read_sequences
from ferline.datasets.sources.files import few, images_under, row_of
from ferline.datasets.sources.layout import within
from ferline.datasets.sources.pixel_csv import read_pixel_csv
from ferline.datasets.sources.source import About, Found, Row, attributes, register_source, wrong_place
from ferline.emotions import named
from ferline.errors import FerlineError

ABOUT = About(
    title="CK+ (Extended Cohn-Kanade)",
    terms="For research, under the agreement that its makers have users sign; not to be passed on. The copies on "
    "Kaggle come without that agreement.",
    where="Affect Analysis Group, University of Pittsburgh: http://www.jeffcohn.net/Resources/",
    citation="P. Lucey, J. F. Cohn, T. Kanade, J. Saragih, Z. Ambadar, I. Matthews: The Extended Cohn-Kanade Dataset "
    "(CK+): A complete dataset for action unit and emotion-specified expression. CVPR Workshops 2010, pp. 94-101; "
    "T. Kanade, J. F. Cohn, Y. Tian: Comprehensive database for facial expression analysis. FG 2000, pp. 46-53",
)

CSV = "ckextended.csv"
CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt")  # the CSV's numbers
WHOLE_CK48 = (981, 118, 327)  # images, people, sequences
WHOLE_CSV = 920

LOOKED_FOR = (
    "folders of emotions with images named SUBJECT_SEQUENCE_FRAME.png (CK+48)",
    f"{CSV} (Kaggle)",
    f"{ckplus_sequences.IMAGES}/ beside {ckplus_sequences.LABELS}/ (the original release)",
)
EXAMPLE = """\
CK+48/
  anger/     S010_004_00000017.png  S010_004_00000018.png ...
  contempt/  S138_008_00000007.png ...
or
CK+/
  cohn-kanade-images/S010/004/S010_004_00000001.png ...
  Emotion/S010/004/S010_004_00000019_emotion.txt"""

_NAME = r"((S\d{3})_\d{3})_(\d{8})\.\w+"
_PATH = re.compile(rf"([^/]+)/{_NAME}")


@register_source("ckplus", ABOUT)
def read(
    source: Path,
    *,
    peak: Annotated[int, "Original release: so many of a sequence's last frames get its label."] = 3,
    neutral: Annotated[int, "Original release: so many of a sequence's first frames are read as neutral."] = 1,
    whole: Annotated[bool, "Original release: all frames with the sequence's label, for recurrent use."] = False,
) -> Found:
    taken = Taken(peak, neutral, whole)
    crops = [folder for folder in within(source) if _is_ck48(folder)]
    tables = _tables(source)
    original = ckplus_sequences.folders(source)
    forms = [str(path) for path in (*crops, *tables, *([original[0]] if original else []))]
    if len(forms) > 1:
        raise FerlineError(
            f"{source}: holds CK+ more than once: {', '.join(forms)}. Give one of them. Nothing was added"
        )
    if crops:
        return _ck48(crops[0])
    if tables:
        return _extended(tables[0])
    if original:
        return read_sequences(*original, taken)
    raise wrong_place(source, ABOUT.title, LOOKED_FOR, EXAMPLE)


def _tables(source: Path) -> list[Path]:
    """Its name must speak of CK: fer2013.csv has the same columns and would pass for it."""
    if source.is_file():
        return [source] if source.suffix.lower() == ".csv" and source.name.lower().startswith("ck") else []
    return [folder / CSV for folder in within(source) if (folder / CSV).is_file()]


def _is_ck48(folder: Path) -> bool:
    """Whether an emotion's folder in it has a name of CK+; only as many names are read as that takes."""
    inside = (path for path in sorted(folder.iterdir()) if path.is_dir() and named(path.name))
    return any(re.fullmatch(_NAME, path.name) for emotion in inside for path in emotion.iterdir())


def _ck48(root: Path) -> Found:
    paths = list(images_under(root))
    matches = {path: match for path in paths if (match := _PATH.fullmatch(path))}
    if strange := [path for path in paths if path not in matches]:
        raise FerlineError(
            f"{root}: {len(strange):,} images are not EMOTION/SUBJECT_SEQUENCE_FRAME.png: {few(strange)}. Move them "
            "away. Nothing was added"
        )
    names = {match[1] for match in matches.values()}
    if unknown := sorted(name for name in names if not named(name)):
        raise FerlineError(f"{root}: {few(unknown)}: no known emotions. Rename these folders. Nothing was added")

    def rows() -> Iterator[Row]:
        for path, match in matches.items():
            about = {"label": named(match[1]), "subject": match[3], "sequence": match[2]}
            yield row_of(root, path, **about, attributes=attributes(frame=int(match[4])))

    found = (len(paths), len({match[3] for match in matches.values()}), len({match[2] for match in matches.values()}))
    whole = "{:,} images of {} people in {} sequences"
    notes = ["no neutral images"] if not any(named(name) == "neutral" for name in names) else []
    if found != WHOLE_CK48:
        notes.append(f"{whole.format(*found)}; the whole set has {whole.format(*WHOLE_CK48)}")
    return Found(
        "CK+48 folders EMOTION/SUBJECT_SEQUENCE_FRAME.png", rows(), total=len(paths), notes=notes, cropped=True
    )


def _extended(path: Path) -> Found:
    splits = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
    pixel_rows = read_pixel_csv(path, ("emotion", "Usage"))  # looks at the header now

    def rows() -> Iterator[Row]:
        number = 0
        for number, (line, (code, usage), image) in enumerate(pixel_rows, start=1):
            if code not in map(str, range(len(CODES))) or usage not in splits:
                meanings = ", ".join(f"{value} {name}" for value, name in enumerate(CODES))
                raise FerlineError(
                    f"{path}, line {line}: emotion {code!r} of {usage!r}; emotions are {meanings}, and usages "
                    f"{', '.join(splits)}. Nothing was added"
                )
            name = f"ckextended-{number:04d}"
            yield {"id": name, "source": path.name, "image": image, "label": CODES[int(code)], "split": splits[usage]}
        if number != WHOLE_CSV:
            notes.append(f"{number:,} images; the whole file has {WHOLE_CSV}")

    notes = [
        "nobody is named here, and images of one person stand on both sides of any random split, the file's own too: "
        "no score on such a split is honest. Use CK+48 or the original release for one"
    ]
    return Found(f"Kaggle's {CSV}", rows(), notes=notes, cropped=True)

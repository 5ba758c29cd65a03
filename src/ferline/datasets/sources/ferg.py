"""FERG-DB, the Facial Expression Research Group's 2D database: 55,767 renderings of six stylised characters.

Layout read: `FERG_DB_256/CHARACTER/CHARACTER_EMOTION/*.png` (`aia/aia_anger/aia_anger_10.png`), at the source or one
level below; characters aia, bonnie, jules, malcolm, mery, ray; emotions anger, disgust, fear, joy, neutral, sadness,
surprise. The character is the subject.
"""

from collections.abc import Iterator
from pathlib import Path

from ferline.datasets.sources.files import few, images_under, row_of
from ferline.datasets.sources.layout import within
from ferline.datasets.sources.source import About, Found, Row, register_source, wrong_place
from ferline.emotions import named
from ferline.errors import FerlineError

ABOUT = About(
    title="FERG-DB",
    terms="Access is given by its makers, to those who fill in the form on its page; the paper is to be cited.",
    where="https://grail.cs.washington.edu/projects/deepexpr/ferg-2d-db.html (University of Washington)",
    citation="D. Aneja, A. Colburn, G. Faigin, L. Shapiro, B. Mones: Modeling Stylized Character Expressions via Deep "
    "Learning. ACCV 2016",
    cropped=True,
)
CHARACTERS = ("aia", "bonnie", "jules", "malcolm", "mery", "ray")
EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
WHOLE = 55_767

EXAMPLE = """\
FERG_DB_256/
  aia/  aia_anger/ aia_anger_1.png ...   aia_disgust/ ...   aia_joy/ ...
  bonnie/  bonnie_anger/ ..."""


@register_source("ferg", ABOUT)
def read(source: Path) -> Found:
    for root in within(source):
        if any((root / who / f"{who}_{emotion}").is_dir() for who in CHARACTERS for emotion in EMOTIONS):
            return _read(root)
    looked_for = [f"folders CHARACTER/CHARACTER_EMOTION, the characters being {', '.join(CHARACTERS)}"]
    raise wrong_place(source, ABOUT.title, looked_for, EXAMPLE)


def _read(root: Path) -> Found:
    labels = {f"{who}/{who}_{emotion}": (who, named(emotion)) for who in CHARACTERS for emotion in EMOTIONS}
    paths = list(images_under(root))
    if strange := [path for path in paths if path.rpartition("/")[0] not in labels]:
        raise FerlineError(
            f"{root}: {len(strange):,} images stand in no folder CHARACTER/CHARACTER_EMOTION, the characters being "
            f"{', '.join(CHARACTERS)} and the emotions {', '.join(EMOTIONS)}: {few(strange)}. Move them away. "
            "Nothing was added"
        )
    if not paths:
        raise wrong_place(root, ABOUT.title, ["PNG images in CHARACTER/CHARACTER_EMOTION"], EXAMPLE)

    def rows() -> Iterator[Row]:
        for path in paths:
            character, label = labels[path.rpartition("/")[0]]
            yield row_of(root, path, label=label, subject=character)

    found = sorted({path.split("/")[0] for path in paths})
    notes = [] if len(paths) == WHOLE else [f"{len(paths):,} images; the whole set has {WHOLE:,}"]
    if len(found) < len(CHARACTERS):
        notes.append(f"{len(found)} of the {len(CHARACTERS)} characters: {', '.join(found)}")
    return Found("FERG_DB_256 folders CHARACTER/CHARACTER_EMOTION/*.png", rows(), total=len(paths), notes=notes)

"""JAFFE, the Japanese Female Facial Expression dataset: 213 photographs, ten women posing seven expressions.

Layout read: files named SUBJECT.EMOTION-AND-TAKE.NUMBER, such as `KA.AN1.39.tiff`, at any depth below the source (the
makers' archive is flat, many copies are not); also as JPEG or PNG. The name is the image's id and says everything.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ferline.datasets.sources.files import few, images_under, row_of
from ferline.datasets.sources.source import About, Found, Row, register_source, wrong_place
from ferline.emotions import named
from ferline.errors import FerlineError

ABOUT = About(
    title="JAFFE",
    terms="Non-commercial scientific research, the source to be cited in whatever is published from it; its makers "
    "give access on request.",
    where="https://doi.org/10.5281/zenodo.3451524 (Zenodo, restricted access)",
    citation="M. J. Lyons, M. Kamachi, J. Gyoba: The Japanese Female Facial Expression (JAFFE) Dataset. Zenodo, "
    "doi:10.5281/zenodo.3451524; M. J. Lyons, S. Akamatsu, M. Kamachi, J. Gyoba: Coding Facial Expressions with Gabor "
    "Wavelets. FG 1998, pp. 200-205",
)
WHOLE = (213, 10)  # images, people

EXAMPLE = """\
jaffe/
  KA.AN1.39.tiff  KA.AN2.40.tiff  KA.DI1.42.tiff ...
  YM.SU3.60.tiff"""

_NAME = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)\d\.(\d{1,3})\.\w+", re.IGNORECASE)


@register_source("jaffe", ABOUT)
def read(source: Path) -> Found:
    paths = list(images_under(source)) if source.is_dir() else []
    names = {path: path.rsplit("/", 1)[-1] for path in paths}
    matches = {path: match for path, name in names.items() if (match := _NAME.fullmatch(name))}
    if not matches:
        raise wrong_place(source, ABOUT.title, ["images with names such as KA.AN1.39.tiff"], EXAMPLE)
    if strange := [path for path in paths if path not in matches]:
        raise FerlineError(
            f"{source}: {len(strange):,} images do not have a name such as KA.AN1.39.tiff (subject, emotion and take, "
            f"number): {few(strange)}. Move them away. Nothing was added"
        )
    stems = Counter(name.rsplit(".", 1)[0].upper() for name in names.values())
    if twice := sorted(stem for stem, count in stems.items() if count > 1):
        raise FerlineError(
            f"{source}: {len(twice):,} images are there twice: {few(twice)}. Keep one. Nothing was added"
        )

    def rows() -> Iterator[Row]:
        for path, match in matches.items():
            yield row_of(source, path, id=names[path], label=named(match[2]), subject=match[1].upper())

    found = (len(matches), len({match[1].upper() for match in matches.values()}))
    notes = [] if found == WHOLE else ["{:,} images of {} people; the whole set has {} of {}".format(*found, *WHOLE)]
    return Found("files named SUBJECT.EMOTION.NUMBER", rows(), total=len(matches), notes=notes)

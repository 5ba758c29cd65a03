"""Class-named folders of one's own images.

Layout read: `CLASS/**/*.jpg` (and PNG, TIFF, ...), or the same below split folders: `train/CLASS/**`, `val/CLASS/**`,
`test/CLASS/**`. Classes and splits go by any case and usual synonym; an image's id is its path below the source.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ferline.datasets.protocols import side_named
from ferline.datasets.sources.files import few, images_under, row_of
from ferline.datasets.sources.labels import Classes
from ferline.datasets.sources.source import About, Found, Row, register_source, wrong_place
from ferline.datasets.subjects import subject_finder
from ferline.errors import FerlineError

ABOUT = About(
    title="a folder of your own images",
    terms="Your own set: nothing is known here of its terms. The people shown must have agreed to this use.",
    where="Whoever collected the images",
    citation="None known",
)

EXAMPLE = """\
my_faces/
  Happy/  0001.jpg  0002.jpg  ...
  Sad/    ...
or, with splits of your own,
my_faces/
  train/  Happy/ 0001.jpg ...   Sad/ ...
  test/   Happy/ ...            Sad/ ..."""


@dataclass(frozen=True)
class _Image:
    """One image file and what its folders say of it."""

    path: str
    split: str | None
    name: str  # of the class folder
    below: str  # the path from there on


@register_source("folder", ABOUT)
def read(
    source: Path,
    *,
    map: Annotated[
        str, "Emotions of folders whose names are not known: 'joyful=happy,blank='; nothing after = leaves them out."
    ] = "",
    subject: Annotated[
        str,
        r"A regular expression with one group that finds the person in an image's path below its class folder, "
        r"such as '(S\d+)_'.",
    ] = "",
    cropped: Annotated[bool, "The images are faces cut out already, so no detector should look for one."] = False,
) -> Found:
    classes, subject_of = Classes(map), subject_finder(subject)
    paths = list(images_under(source)) if source.is_dir() else []
    if not paths:
        raise wrong_place(source, ABOUT.title, ["a folder for each emotion with images in it"], EXAMPLE)
    images = _placed(source, paths)
    counts = Counter(image.name for image in images)
    if not all(classes.knows(name) for name in counts):
        raise classes.unknown(counts, str(source))
    labels = {name: classes.emotion(name) for name in counts}
    classes.require_all_met(counts, str(source))
    kept = [image for image in images if labels[image.name]]
    if not kept:
        raise FerlineError(f"{source}: --map leaves out every image. Nothing was added")
    notes = [
        f"{counts[name]:,} images of {name!r} left out, as --map says" for name in sorted(counts) if not labels[name]
    ]
    subjects = {image.path: subject_of(image.below) for image in kept}
    if subject:
        notes += _told(source, subject, kept, subjects)

    def rows() -> Iterator[Row]:
        for image in kept:
            path = image.path
            yield row_of(source, path, label=labels[image.name], split=image.split, subject=subjects[path])

    split = any(image.split for image in kept)
    form = f"class-named folders{' below split folders' if split else ''}"
    return Found(form, rows(), total=len(kept), notes=notes, cropped=cropped)


def _placed(source: Path, paths: Sequence[str]) -> list[_Image]:
    """Every image with its class and split; all of them below split folders, or none."""
    parts = [path.split("/")[:-1] for path in paths]
    splits = [side_named(folders[0]) if folders else None for folders in parts]
    if any(splits) and not all(splits):
        tops = list(zip((path.split("/")[0] for path in paths), splits, strict=True))
        within, beside = (sorted({top for top, split in tops if bool(split) is yes}) for yes in (True, False))
        raise FerlineError(
            f"{source}: has split folders ({', '.join(within)}) and images beside them ({few(beside)}), so it is not "
            "clear which split those are of. Move them into a split, or take the split folders away. Nothing was added"
        )
    depth = 1 if all(splits) else 0
    if loose := [path for path, folders in zip(paths, parts, strict=True) if len(folders) <= depth]:
        raise FerlineError(
            f"{source}: {len(loose):,} images stand in no class folder: {few(loose)}. Move them into the folder "
            f"of their emotion, or away. The right tree, for example:\n{EXAMPLE}\nNothing was added"
        )
    return [
        _Image(path, split, folders[depth], path.split("/", depth + 1)[-1])
        for path, folders, split in zip(paths, parts, splits, strict=True)
    ]


def _told(source: Path, pattern: str, images: Sequence[_Image], subjects: Mapping[str, str | None]) -> list[str]:
    """Who was found, for the user to see whether those are people, and how many images do not tell theirs."""
    people = sorted({subject for subject in subjects.values() if subject})
    if not people:
        raise FerlineError(
            f"{source}: --subject {pattern!r} finds nobody in any of the {len(images):,} paths below the class "
            f"folders, such as {images[0].below!r} of {images[0].path}. Nothing was added"
        )
    notes = [f"{len(people):,} people by --subject: {few(people)}"]
    without = [path for path, subject in subjects.items() if subject is None]
    if without:
        notes.append(f"{len(without):,} images whose path does not tell the subject, such as {without[0]}")
    return notes

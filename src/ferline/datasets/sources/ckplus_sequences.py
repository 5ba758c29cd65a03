"""CK+ as its makers release it: sequences from neutral to apex, and one label for each of 327 of the 593.

Layout read: `cohn-kanade-images/S005/001/S005_001_00000001.png` ... beside
`Emotion/S005/001/S005_001_00000011_emotion.txt`, each of the two folders at the source or one level below
(`extended-cohn-kanade-images/cohn-kanade-images`, `Emotion_labels/Emotion`). A label file holds one float
("   3.0000000e+00"); a sequence that fits no prototype has none.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferline.datasets.sources.files import few, images_under, row_of
from ferline.datasets.sources.layout import within
from ferline.datasets.sources.source import Found, Row, attributes
from ferline.errors import FerlineError

IMAGES, LABELS = "cohn-kanade-images", "Emotion"
CODES = ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")  # a label is a place in this
SEQUENCES, LABELLED = 593, 327

_FRAME = re.compile(r"(S\d{3})/(\d{3})/(\1_\2)_(\d{8})\.\w+")
_LABEL = re.compile(r"(S\d{3})/(\d{3})/(\1_\2)_(\d{8})_emotion\.txt")


@dataclass(frozen=True)
class Taken:
    """Which frames of a labelled sequence are read, and as what."""

    peak: int  # so many of the last, with the sequence's label
    neutral: int  # so many of the first, as neutral
    whole: bool  # all of them instead, with the sequence's label

    def __post_init__(self) -> None:
        if self.peak < 1 or self.neutral < 0:
            raise FerlineError(
                f"--peak {self.peak} --neutral {self.neutral}: write at least 1 frame of the peak and at least 0 "
                "neutral ones. Nothing was added"
            )

    def labels(self, frames: int, emotion: str) -> dict[int, str]:
        """Position to label. No frame is both: where a sequence is too short for all, its peak goes first."""
        if self.whole:
            return dict.fromkeys(range(frames), emotion)
        apex = max(0, frames - self.peak)
        first = dict.fromkeys(range(min(self.neutral, apex)), "neutral")
        return first | dict.fromkeys(range(apex, frames), emotion)

    def __str__(self) -> str:
        if self.whole:
            return "all frames with the sequence's label"
        return f"the last {self.peak} frames with the sequence's label, the first {self.neutral} as neutral"


def folders(source: Path) -> tuple[Path, Path] | None:
    """Where the images are and where the labels; None where there is no folder of images, here or one level below."""
    starts = [*within(source), *([source.parent] if source.name == IMAGES else [])]
    images = [start / IMAGES for start in starts if (start / IMAGES).is_dir()]
    labels = [start / LABELS for start in starts if (start / LABELS).is_dir()]
    if not images:
        return None
    if not labels:
        raise FerlineError(
            f"{source}: has {IMAGES}/ and no {LABELS}/ beside it, so no sequence has a label. Unpack "
            "Emotion_labels.zip of the same release there. Nothing was added"
        )
    return images[0], labels[0]


def read_sequences(images: Path, labels: Path, taken: Taken) -> Found:
    """The frames of the labelled sequences, as `taken` says."""
    paths, emotions = _paths(images), _emotions(labels)
    if missing := sorted(set(emotions) - set(paths)):
        raise FerlineError(
            f"{images}: {len(missing):,} sequences that {labels} labels have no images here: {few(missing)}. Unpack "
            f"all of {IMAGES}.zip there. Nothing was added"
        )
    chosen = {name: taken.labels(len(paths[name]), emotion) for name, emotion in sorted(emotions.items())}

    def rows() -> Iterator[Row]:
        for name, frames in chosen.items():
            for position, label in frames.items():
                numbers = attributes(frame=position + 1, frames=len(paths[name]))
                about = {"label": label, "subject": name[:4], "sequence": name, "attributes": numbers}
                yield row_of(images, paths[name][position], **about)

    total = sum(map(len, chosen.values()))
    notes = _notes(paths, emotions, taken)
    return Found(f"the original sequences: {taken}", rows(), total=total, notes=notes, cropped=False)


def _paths(images: Path) -> dict[str, list[str]]:
    """The frames of every sequence in their order, by its name."""
    sequences: dict[str, list[str]] = {}
    strange = []
    for path in images_under(images):  # sorted, and the numbers have leading zeros
        if match := _FRAME.fullmatch(path):
            sequences.setdefault(match[3], []).append(path)
        else:
            strange.append(path)
    if strange:
        raise FerlineError(
            f"{images}: {len(strange):,} images are not SUBJECT/SEQUENCE/SUBJECT_SEQUENCE_FRAME.png: {few(strange)}. "
            "Move them away. Nothing was added"
        )
    return sequences


def _emotions(labels: Path) -> dict[str, str]:
    """The emotion of every labelled sequence, by its name."""
    emotions: dict[str, str] = {}
    for path in sorted(labels.rglob("*_emotion.txt")):
        if path.name.startswith("."):
            continue
        match = _LABEL.fullmatch(path.relative_to(labels).as_posix())
        if not match:
            raise FerlineError(
                f"{path}: a label is SUBJECT/SEQUENCE/SUBJECT_SEQUENCE_FRAME_emotion.txt below {labels}. "
                "Nothing was added"
            )
        if match[3] in emotions:
            raise FerlineError(f"{path.parent}: has two labels; keep the one of the last frame. Nothing was added")
        emotions[match[3]] = _emotion(path)
    if not emotions:
        raise FerlineError(f"{labels}: holds no *_emotion.txt, so no sequence has a label. Nothing was added")
    return emotions


def _emotion(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FerlineError(f"{path}: cannot be read ({error}). Nothing was added") from None
    if not re.fullmatch(r"[0-7](\.0*)?(e\+?0+)?", text):
        meanings = ", ".join(f"{code} {name}" for code, name in enumerate(CODES))
        raise FerlineError(f"{path}: {text[:40]!r} is no label; there are {meanings}. Nothing was added")
    return CODES[int(float(text))]


def _notes(paths: Mapping[str, Sequence[str]], emotions: Mapping[str, str], taken: Taken) -> list[str]:
    notes = []
    if unlabelled := len(paths) - len(emotions):
        notes.append(f"{unlabelled:,} of {len(paths):,} sequences have no emotion file and are left out")
    if (len(paths), len(emotions)) != (SEQUENCES, LABELLED):
        notes.append(
            f"{len(paths):,} sequences, {len(emotions):,} of them labelled; the whole release has {SEQUENCES} and "
            f"{LABELLED}"
        )
    short = [name for name in emotions if not taken.whole and len(paths[name]) < taken.peak + taken.neutral]
    if short:
        notes.append(
            f"{len(short):,} sequences are too short for all of that and give fewer frames: {few(sorted(short))}"
        )
    return notes

"""The emotions, in FER2013's own order, which is the class order everywhere, and the names that datasets give them."""

from collections.abc import Iterable, Sequence

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
KNOWN: tuple[str, ...] = (*EMOTIONS, "contempt")  # FER+, CK+ and AffectNet have an eighth
VOTES: tuple[str, ...] = (*KNOWN, "unknown", "no face")  # what a tagger may say of an image

_ALSO = {
    "angry": ("anger", "angered", "ang", "an"),
    "disgust": ("disgusted", "disgusting", "dis", "di"),
    "fear": ("afraid", "fearful", "scared", "fea", "fe"),
    "happy": ("happiness", "joy", "joyful", "hap", "ha"),
    "sad": ("sadness", "sa"),
    "surprise": ("surprised", "sur", "su"),
    "neutral": ("neutrality", "calm", "neu", "ne"),
    "contempt": ("contemptuous", "con"),
}
_NAMES = {name: emotion for emotion, names in _ALSO.items() for name in (emotion, *names)}


def named(text: str) -> str | None:
    """The emotion that a folder or a label means, whatever its case ("Happiness", "ANGER"); None where it is none."""
    return _NAMES.get(text.strip().lower())


def in_order(emotions: Iterable[str]) -> tuple[str, ...]:
    """These emotions in the class order."""
    chosen = set(emotions)
    return tuple(emotion for emotion in KNOWN if emotion in chosen)


def index_of(label: str, emotions: Sequence[str] = EMOTIONS) -> int:
    """The class index of an emotion's name; ValueError lists the classes for anything else."""
    try:
        return emotions.index(label)
    except ValueError:
        raise ValueError(f"unknown emotion {label!r}: write one of {', '.join(emotions)}") from None


def indices_of(labels: Iterable[str], emotions: Sequence[str] = EMOTIONS) -> list[int]:
    return [index_of(label, emotions) for label in labels]

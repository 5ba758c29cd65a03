"""The seven emotions, in FER2013's own order, which is the class order everywhere in the product."""

from collections.abc import Iterable

EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def index_of(label: str) -> int:
    """The class index of an emotion's name; ValueError names the seven for anything else."""
    try:
        return EMOTIONS.index(label)
    except ValueError:
        raise ValueError(f"unknown emotion {label!r}: write one of {', '.join(EMOTIONS)}") from None


def indices_of(labels: Iterable[str]) -> list[int]:
    return [index_of(label) for label in labels]

"""Which faces: the set, what it must satisfy, how faces are cut out of it."""

from dataclasses import dataclass, field
from typing import Literal

from ferline.emotions import EMOTIONS, KNOWN, in_order
from ferline.params.checks import require, share

PROTOCOLS = ("official", "random", "subject", "sequence")
PAPERS = ("resnet50_gru", "cnn_lstm", "cnn_lstm_svm", "resnet50_resnet34", "resnet50_transfer")


@dataclass(frozen=True)
class DatasetParams:
    """Which raw set, which of its emotions, and how it is split (ferline.datasets.protocols says how each is)."""

    name: str
    protocol: str = "official"
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    folds: int = 0
    seed: int = 0
    emotions: tuple[str, ...] = EMOTIONS
    labels: Literal["majority", "plurality", "own"] = "majority"
    fraction: float = 1.0

    def __post_init__(self) -> None:
        ok = bool(self.name) and "/" not in self.name and not self.name.startswith(".")
        require(ok and not self.name.endswith(".dvc"), "name", self.name, "the name of a set under data/raw/")
        kind, _, rest = self.protocol.partition(":")
        known = self.protocol in PROTOCOLS or (kind == "paper" and rest in PAPERS) or (kind == "column" and bool(rest))
        allowed = f"{', '.join(PROTOCOLS)}, column:NAME or paper:KEY, KEY being one of {', '.join(PAPERS)}"
        require(known, "protocol", self.protocol, allowed)
        require(self.seed >= 0, "seed", self.seed, "0 or more")
        ok = all(s > 0 for s in self.shares) and abs(sum(self.shares) - 1) < 1e-9
        require(ok, "shares", self.shares, "three shares above 0 (train, validation, test) that sum to 1")
        require(self.folds == 0 or self.folds >= 3, "folds", self.folds, "0 (one split) or 3 and more")
        foldable = self.folds == 0 or self.protocol in ("random", "subject", "sequence")
        require(
            foldable, "folds", self.folds, f"0 with protocol: {self.protocol}; random, subject and sequence have folds"
        )
        require(0 < self.fraction <= 1, "fraction", self.fraction, "a share of the images above 0, at most 1")
        ordered = in_order(self.emotions)
        ok = len(ordered) == len(self.emotions) >= 2
        require(ok, "emotions", list(self.emotions), f"two or more of {', '.join(KNOWN)}, each once")
        object.__setattr__(self, "emotions", ordered)


@dataclass(frozen=True)
class LeakageParams:
    """What is done about images that stand on two sides of the split (ferline.datasets.audit says how they are found).

    `drop` sets the copy aside that has less right to stay: training's before validation's before test's.
    """

    exact: Literal["report", "drop", "fail"] = "drop"
    near: Literal["report", "drop", "fail"] = "report"
    conflicts: Literal["report", "drop", "fail"] = "report"


@dataclass(frozen=True)
class ValidationParams:
    """What a raw set must satisfy before anything is trained on it."""

    min_per_class: int = 10
    min_side: int = 32
    max_side: int = 8192
    max_bad_share: float = 0.02
    leakage: LeakageParams = field(default_factory=LeakageParams)

    def __post_init__(self) -> None:
        require(self.min_per_class >= 1, "min_per_class", self.min_per_class, "a whole number of at least 1")
        require(1 <= self.min_side <= self.max_side, "min_side", self.min_side, "a number of pixels, at most max_side")
        share("max_bad_share", self.max_bad_share)


Detector = Literal["haar", "yunet"]


@dataclass(frozen=True)
class FaceParams:
    """Detection, levelling and cropping."""

    detect: Literal["auto", True, False] = "auto"
    detector: Detector = "haar"
    side: int = 96
    colour: Literal["rgb", "grey"] = "rgb"
    detection_side: int = 240
    scale_factor: float = 1.2
    min_neighbours: int = 3
    min_face_share: float = 0.2
    choose: Literal["largest", "central"] = "largest"
    level: bool = True
    margin: float = 0.1
    when_none: Literal["whole_image", "quarantine"] = "whole_image"
    denoise: Literal["none", "median", "bilateral", "gaussian"] = "none"
    equalise: Literal["none", "global", "clahe"] = "none"
    workers: int = 0

    def __post_init__(self) -> None:
        require(24 <= self.side <= 1024, "side", self.side, "pixels from 24 to 1024")
        require(64 <= self.detection_side <= 4096, "detection_side", self.detection_side, "pixels from 64 to 4096")
        require(1.01 <= self.scale_factor <= 2, "scale_factor", self.scale_factor, "a factor from 1.01 to 2")
        require(self.min_neighbours >= 1, "min_neighbours", self.min_neighbours, "a whole number of at least 1")
        require(0 < self.min_face_share <= 1, "min_face_share", self.min_face_share, "a share above 0, at most 1")
        require(0 <= self.margin <= 1, "margin", self.margin, "a share of the face from 0 to 1")
        require(self.workers >= 0, "workers", self.workers, "0 (one a core) or a number of processes")

    def looks_for_faces(self, cropped: bool) -> bool:
        """In images that are faces cut out already, or that are not."""
        return not cropped if self.detect == "auto" else self.detect

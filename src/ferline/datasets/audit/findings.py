"""What an audit found, as plain data."""

from dataclasses import asdict, dataclass
from typing import Any

from ferline.datasets.audit.nearest import Nearest

Count = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Member:
    """One image of a group; `row` is the label of its row in the audited table."""

    row: int
    id: str
    dataset: str | None
    split: str | None
    label: str | None
    subject: str | None
    sequence: str | None


@dataclass(frozen=True)
class Group:
    """Images of one picture, pixel for pixel (`exact`; with different labels `conflict`) or nearly (`near`)."""

    kind: str
    members: list[Member]
    across: bool  # they stand in different splits, or in different sets
    likeness: float  # of the least alike pair that links them; 1 where they are identical


@dataclass(frozen=True)
class Across:
    """A subject or a sequence with images in more than one split."""

    name: str
    dataset: str | None
    images: dict[str, int]  # by split


@dataclass(frozen=True)
class Findings:
    """The figures, every group, and what the consequences are worked out from.

    `exact_in` and `near_in` count the images of a place that have a copy in another: {"test": {"train": 3}} says that
    3 test images stand in train too. A place is a split, or where several sets are audited, a set and its split.
    """

    images: int
    unreadable: int
    different: int  # pixel for pixel
    places: dict[str, int]
    exact_in: Count
    near_in: Count
    groups: list[Group]
    subjects: int
    sequences: int
    subjects_across: list[Across]
    sequences_across: list[Across]
    nearest: Nearest | None
    near_across: list[tuple[int, int]]  # pairs of rows in different places, each the other's near-duplicate

    def of_kind(self, kind: str) -> list[Group]:
        return [group for group in self.groups if group.kind == kind]

    def figures(self) -> dict[str, Any]:
        """All that can be said in numbers; JSON-able."""
        counted = {f"{kind}_groups": len(self.of_kind(kind)) for kind in ("exact", "near", "conflict")}
        crossing = {
            f"{kind}_groups_across": sum(group.across for group in self.of_kind(kind)) for kind in ("exact", "near")
        }
        return {
            "images": self.images,
            "unreadable": self.unreadable,
            "different": self.different,
            "places": self.places,
            **counted,
            **crossing,
            "conflict_images": sum(len(group.members) for group in self.of_kind("conflict")),
            "exact_in": self.exact_in,
            "near_in": self.near_in,
            "subjects": self.subjects,
            "sequences": self.sequences,
            "subjects_across": len(self.subjects_across),
            "sequences_across": len(self.sequences_across),
            "nearest": asdict(self.nearest) if self.nearest else None,
        }

    def lines(self) -> list[str]:
        """The figures in words, for a terminal and for the page."""
        places = ", ".join(f"{place} {count:,}" for place, count in self.places.items())
        said = [f"{self.images:,} images ({places}), {self.different:,} of them different pixel for pixel"]
        said += [f"{self.unreadable:,} images could not be read and are left out"] if self.unreadable else []
        for kind, name, has, count in (
            ("exact", "identical images", "an identical one", self.exact_in),
            ("near", "near-duplicates", "a near-duplicate", self.near_in),
        ):
            groups = self.of_kind(kind)
            said.append(f"{name}: {len(groups):,} groups of {sum(len(group.members) for group in groups):,} images")
            said += [f"{name}: {line}" for line in _told(count, has)]
        conflicts = self.of_kind("conflict")
        images = sum(len(group.members) for group in conflicts)
        said.append(f"identical images with different labels: {len(conflicts):,} groups of {images:,} images")
        said += self._told_apart("subjects", self.subjects, len(self.subjects_across))
        said += self._told_apart("sequences", self.sequences, len(self.sequences_across))
        return [*said, *self._told_nearest()]

    @staticmethod
    def _told_apart(name: str, known: int, across: int) -> list[str]:
        return [f"{name}: {known:,}, {across:,} of them in more than one split"] if known else []

    def _told_nearest(self) -> list[str]:
        if (found := self.nearest) is None:
            return ["nearest neighbour: not asked, because no split is there to ask about"]
        part = ", a random part of all" if found.drawn else ""
        return [
            f"nearest neighbour on raw pixels: {found.score:.1%} of {found.asked:,} {found.asked_split} images right "
            f"from {found.known:,} others{part}; {found.score_apart:.1%} with {_apart(found.apart_by)} apart"
        ]


def _told(count: Count, has: str) -> list[str]:
    return [
        f"of the {place} images, " + ", ".join(f"{n:,} have {has} in {other}" for other, n in others.items())
        for place, others in count.items()
    ]


def _apart(by: str) -> str:
    return by if by.endswith("s") else f"{by}s"

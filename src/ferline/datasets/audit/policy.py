"""What follows from an audit's findings in a pipeline: which images are set aside, with which words, and what stops.

`drop` sets an image aside for a copy with more right to stay: test before validation before training, for what is
measured on must not have been learnt from. A copy that is itself set aside is no reason to set another one aside. Of
identical images that then still have different labels nobody knows which label is right, so all of them go.

Without folds a test image is never set aside: without it the score would be no one else's. With folds every image
tests in its own fold, so what is dropped is not tested either; the copy in the first of the folds stays.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ferline.datasets.audit.findings import Findings, Member
from ferline.datasets.protocols import FOLD, leaks_by_design
from ferline.datasets.samples import SPLITS
from ferline.params import DatasetParams, LeakageParams

_RIGHT = {split: rank for rank, split in enumerate(SPLITS)}
_MEASURED = "test"


@dataclass(frozen=True)
class Consequences:
    """What the policy makes of the findings. Row labels are those of the audited table."""

    drops: dict[int, str] = field(default_factory=dict)  # row to reason
    stops: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    stays: dict[str, dict[int, str]] = field(default_factory=dict)  # by policy: the rows found that are not dropped

    def summary(self) -> dict[str, Any]:
        """For a program: JSON-able."""
        return {"set_aside": len(self.drops), "reports": self.reports, "stops": self.stops}

    def lines(self) -> list[str]:
        """What the pipeline would do with these images, for a terminal."""
        counts = Counter(why.split(":")[0] for why in self.drops.values())
        aside = [f"the pipeline sets {count:,} images aside: {why}" for why, count in counts.most_common()]
        return [
            *aside,
            *(f"the pipeline reports {line}" for line in self.reports),
            *(f"the pipeline stops: {line}" for line in self.stops),
        ]


def policy_of(dataset: DatasetParams, leakage: LeakageParams) -> LeakageParams:
    """A paper's protocol keeps its leaks, or its table could not be compared with."""
    return LeakageParams("report", "report", "report") if leaks_by_design(dataset.protocol) else leakage


def consequences(findings: Findings, params: LeakageParams) -> Consequences:
    """Exact copies are dealt with first, then conflicts, then near-duplicates among what is left."""
    result = Consequences()
    members = {member.row: member for group in findings.groups for member in group.members}
    for key, action, words, find in (
        ("exact", params.exact, "are identical to one with more right to stay", _exact),
        ("conflicts", params.conflicts, "are identical to one with another label", _conflicting),
        ("near", params.near, "are near-duplicates of one with more right to stay", _near),
    ):
        found = find(findings, result.drops)
        goes = {row: why for row, why in found.items() if action == "drop" and members[row].split != _MEASURED}
        result.drops.update(goes)
        result.stays[key] = {row: why for row, why in found.items() if row not in goes}
        if stays := [f"{members[row].id}: {why}" for row, why in result.stays[key].items()]:
            line = f"leakage.{key}: {len(stays):,} images {words} (first: {'; '.join(stays[:3])})"
            (result.stops if action == "fail" else result.reports).append(line)
    return result


def _exact(findings: Findings, gone: Mapping[int, str]) -> dict[int, str]:
    found = {}
    for group in findings.of_kind("exact"):
        best = max(group.members, key=_right)
        behind = [member for member in group.members if _right(member) < _right(best)]
        found.update({member.row: f"exact copy of an image in {best.split}: {best.id}" for member in behind})
    return found


def _conflicting(findings: Findings, gone: Mapping[int, str]) -> dict[int, str]:
    found = {}
    for group in findings.of_kind("conflict"):
        left = [member for member in group.members if member.row not in gone and member.label is not None]
        for member in left:
            if other := next((other for other in left if other.label != member.label), None):
                found[member.row] = f"identical to an image with another label: {other.id} ({other.label})"
    return found


def _near(findings: Findings, gone: Mapping[int, str]) -> dict[int, str]:
    members = {member.row: member for group in findings.of_kind("near") for member in group.members}
    found: dict[int, str] = {}
    pairs = [(members[one], members[other]) for one, other in findings.near_across]
    ordered = [(one, other) if _right(one) < _right(other) else (other, one) for one, other in pairs]
    # Validation's images before training's: those set aside for test are no reason any more.
    for less, more in sorted(ordered, key=lambda pair: (-_right(pair[0]), pair[0].row, pair[1].row)):
        if _right(less) < _right(more) and not {less.row, more.row} & (found.keys() | gone.keys()):
            found[less.row] = f"near-duplicate of an image in {more.split}: {more.id}"
    return found


def _right(member: Member) -> int:
    """Where the set is cut into folds, each tests once, and the first one's images stay."""
    split = member.split or ""
    return -int(split.removeprefix(FOLD)) if split.startswith(FOLD) else _RIGHT.get(split, -1)

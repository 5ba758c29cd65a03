"""What a validation found, and the artifact that it leaves: to be read by people, by programs, and row by row."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ferline.artifact import Artifact, staging, write_json
from ferline.datasets import validation_page
from ferline.datasets.audit import page as audit_page
from ferline.datasets.audit.findings import Findings
from ferline.datasets.audit.picture import Pictures
from ferline.datasets.expectations import Finding, text_of
from ferline.datasets.samples import Samples
from ferline.params import DatasetParams, ValidationParams

_FIRST = 10  # rows of a failed expectation in report.json; all rows that are set aside are in quarantine.parquet


@dataclass(frozen=True)
class Leakage:
    """An audit's findings with what was audited, for its page."""

    findings: Findings
    table: pd.DataFrame
    pictures: Pictures


@dataclass
class Review:
    """All that was found, in the order in which it was looked at. Rows are numbers of rows in the samples' table."""

    samples: Samples
    params: ValidationParams
    dataset: DatasetParams
    findings: list[Finding] = field(default_factory=list)
    reasons: dict[int, list[str]] = field(default_factory=dict)  # of the bad rows, which are set aside
    copies: dict[int, str] = field(default_factory=dict)  # of the good rows that are set aside for a copy elsewhere
    leakage: Leakage | None = None  # None: it did not come to that
    counts: pd.DataFrame | None = None

    @property
    def stops(self) -> list[str]:
        """What stops the run, a line each: the expectation in words, and what was found instead."""
        return [f"{finding.words}: {self._told(finding)}" for finding in self.findings if finding.stops]

    @property
    def aside(self) -> list[int]:
        return sorted({*self.reasons, *self.copies})

    @property
    def bad_share(self) -> float:
        return len(self.reasons) / max(1, len(self.samples))

    @property
    def reason_counts(self) -> dict[str, int]:
        """Rows by the reason for which they are set aside, without its details; a row may have two."""
        said = [*(reason for reasons in self.reasons.values() for reason in reasons), *self.copies.values()]
        return dict(Counter(reason.split(": ")[0] for reason in said).most_common())

    def quarantine(self) -> pd.DataFrame:
        reasons = ["; ".join(self.reasons.get(row) or [self.copies[row]]) for row in self.aside]
        table = self.samples.table.iloc[self.aside].reindex(columns=["id", "source"])
        return table.assign(reason=pd.Series(reasons, index=table.index, dtype="str")).reset_index(drop=True)

    def summary(self) -> str:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in self.reason_counts.items())
        origin = self.samples.origin
        left_out = "".join(f"{count:,} left out: {reason}. " for reason, count in origin.get("left_out", {}).items())
        note = f"{origin['split_note']}. " if origin.get("split_note") else ""
        return (
            f"{len(self.samples):,} images, split by protocol '{self.dataset.protocol}'. {note}{left_out}"
            f"Set aside: {counts or 'nothing'}. That makes {self.bad_share:.2%} bad images; "
            f"{self.params.max_bad_share:.2%} are allowed."
        )

    def _told(self, finding: Finding) -> str:
        """Of too many bad rows the reasons and the first ones; of anything else what the finding says."""
        if finding.column != "bad":
            return finding.told()
        counts = ", ".join(f"{count:,} {reason}" for reason, count in self.reason_counts.items())
        bad = self.quarantine()[[row in self.reasons for row in self.aside]]
        first = "; ".join(f"{row.id}: {row.reason}" for row in bad.head(3).itertuples())
        return f"{len(self.reasons):,} are ({self.bad_share:.2%}): {counts} (first: {first})"


class ValidationReport(Artifact):
    """`report.json`, `quarantine.parquet` (and .csv) of what was set aside and why, `docs/index.html` to read.

    `docs/leakage.html` shows the leakage audit's pictures.
    """

    @property
    def decision(self) -> str:
        return str(self.read_json("report.json")["decision"])

    @property
    def page(self) -> Path:
        return self.folder / "docs" / "index.html"

    @property
    def quarantine(self) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "quarantine.parquet")

    def summary(self) -> dict[str, Any]:
        report = self.read_json("report.json")
        return {key: report[key] for key in ("decision", "images", "quarantined", "bad_share")}

    @classmethod
    def write(cls, review: Review, target: Path | None = None) -> "ValidationReport":
        quarantine = review.quarantine()
        title = f"Validation of {review.dataset.name}"
        told = review.leakage.findings.lines() if review.leakage else []
        page = validation_page.render(
            title, review.summary(), review.stops, review.counts, quarantine, told, review.findings
        )
        with staging(target) as folder:
            write_json(folder / "report.json", _content(review))
            quarantine.to_parquet(folder / "quarantine.parquet", index=False)
            quarantine.to_csv(folder / "quarantine.csv", index=False)
            (folder / "docs").mkdir()
            (folder / "docs" / "index.html").write_text(page, encoding="utf-8")
            if found := review.leakage:
                pictures = audit_page.render(
                    f"Leakage audit of {review.dataset.name}", found.findings, found.table, found.pictures
                )
                (folder / "docs" / "leakage.html").write_text(pictures, encoding="utf-8")
        return cls(target or folder)


def _content(review: Review) -> dict[str, Any]:
    return {
        "dataset": review.dataset.name,
        "protocol": review.dataset.protocol,
        "decision": "stopped" if review.stops else "passed",
        "stopped_by": review.stops,
        "images": len(review.samples),
        "images_that_go_on": len(review.samples) - len(review.aside),
        "counts": None if review.counts is None else review.counts.to_dict(orient="index"),
        "quarantined": len(review.aside),
        "reasons": review.reason_counts,
        "bad_share": review.bad_share,
        "max_bad_share": review.params.max_bad_share,
        "leakage": review.leakage.findings.figures() if review.leakage else None,
        "left_out": review.samples.origin.get("left_out", {}),
        "split_note": review.samples.origin.get("split_note"),
        "expectations": [_outcome(finding) for finding in review.findings],
    }


def _outcome(finding: Finding) -> dict[str, Any]:
    first = [{key: text_of(value) for key, value in row.items() if key != "row"} for row in finding.rows[:_FIRST]]
    return {
        "suite": finding.suite,
        "expectation": finding.words,
        "type": finding.result.expectation_config.type,
        "otherwise": finding.consequence,
        "success": bool(finding.success),
        "unexpected": finding.unexpected,
        "first": first,
    }

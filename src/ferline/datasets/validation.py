"""The gate before training: a set is held against what is expected of it, bad rows are set aside, the rest goes on."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ferline.datasets import expectations, inspection
from ferline.datasets.audit.audit import audit
from ferline.datasets.audit.picture import Pictures
from ferline.datasets.audit.policy import consequences, policy_of
from ferline.datasets.expectations import Finding, text_of
from ferline.datasets.samples import Samples
from ferline.datasets.validation_report import Leakage, Review, ValidationReport
from ferline.emotions import KNOWN
from ferline.errors import FerlineError
from ferline.params import DatasetParams, ValidationParams

_NAMES = ["row", "id", "source"]


def validate(
    samples: Samples,
    params: ValidationParams,
    dataset: DatasetParams,
    target: Path | None = None,
    keep: Path | None = None,
) -> tuple[Samples, ValidationReport]:
    """The samples that may go on, and the report; they are `target`/samples and `target`/report, where one is given.

    What stops the run is raised as a FerlineError, and its report stays under `keep`, by the set's name.
    """
    review = _review(samples, params, dataset)
    if review.stops:
        raise FerlineError(_message(review, ValidationReport.write(review, keep / dataset.name).page if keep else None))
    report = ValidationReport.write(review, target / "report" if target else None)
    return _kept(review, target / "samples" if target else None), report


def _review(samples: Samples, params: ValidationParams, dataset: DatasetParams) -> Review:
    review = Review(samples, params, dataset)
    review.findings += expectations.run("The table", samples.table, expectations.of_the_table())
    if review.stops:
        return review
    table, pictures = inspection.inspect(samples, params.max_side)
    _review_images(review, table)
    good = ~table.index.isin(table.index[list(review.reasons)])
    _review_set(review, table[good], pictures.take(good))
    return review


def _review_images(review: Review, table: pd.DataFrame) -> None:
    """Each row by itself: what is bad is set aside."""
    columns = ["id", "source", "label", "split", "problem", "shorter", "longer", "wrong_bytes"]
    frame = table[columns].assign(row=range(len(table)))
    found = expectations.run(
        "Every image", frame, expectations.of_every_image(review.params, review.dataset.emotions), _NAMES
    )
    for finding in found:
        if finding.consequence == "sets aside":
            for row in finding.rows:
                review.reasons.setdefault(int(row["row"]), []).append(_reason(finding, row["value"]))
    bad = pd.DataFrame({"bad": frame["row"].isin(list(review.reasons)).astype(float)})
    share = expectations.run("What is set aside", bad, expectations.of_what_is_set_aside(review.params))
    review.findings += found + share


def _review_set(review: Review, table: pd.DataFrame, pictures: Pictures) -> None:
    """The rows that are left, as a set: who and what stands on two sides of the split."""
    policy = policy_of(review.dataset, review.params.leakage)
    sides = table.assign(split=inspection.sides_of(table))
    found = audit(sides, pictures)
    made = consequences(found, policy)
    review.leakage = Leakage(found, sides, pictures)
    review.copies = made.drops
    table = table.drop(index=list(made.drops))
    classes = len(KNOWN if review.dataset.labels == "own" else review.dataset.emotions)  # as labels.labelled has it
    frame = pd.DataFrame(
        {
            "row": table.index,
            "id": table["id"],
            "source": table["source"],
            "votes_problem": table["votes"].map(lambda votes: inspection.votes_problem(votes, classes)),
        }
        | {key: table.index.to_series().map(made.stays[key]) for key in expectations.LEAKS}
        | {column: table[column].where(table[column] != "", None) for column in ("subject", "sequence")}
        | {f"{column}_in": inspection.elsewhere(table, column) for column in ("subject", "sequence")}
    )
    expected = expectations.of_the_set(policy, review.dataset)
    review.findings += expectations.run("The set that goes on", frame, expected, _NAMES)
    review.counts = inspection.counts(table, review.dataset.emotions)
    review.findings += expectations.run(
        "Emotions and splits", review.counts.reset_index(), expectations.of_the_counts(review.params), ["label"]
    )


def _reason(finding: Finding, value: object) -> str:
    return f"{finding.reason}: {text_of(value)}" if text_of(value) != "none" else finding.reason


def _kept(review: Review, target: Path | None) -> Samples:
    """What goes on, and in its origin what leaks in it all the same."""
    stays = pd.Series(True, index=review.samples.table.index)
    stays[review.aside] = False
    found = {"leaks": _leaks(review.leakage, review.copies)} if review.leakage else {}
    return review.samples.keep(stays, target, **found)


def _leaks(audited: Leakage, dropped: Mapping[int, str]) -> dict[str, int]:
    """Of what goes on, the test images (with folds every image tests) of which something is on another side too.

    `exact`: the same picture, pixel for pixel; `subject`: the same person; `sequence`: the same video.
    """
    table = audited.table.drop(index=list(dropped))
    tested = table.index if "fold" in table else table.index[table["split"] == "test"]
    groups = audited.findings.of_kind("exact")
    left = [[member for member in group.members if member.row in table.index] for group in groups]
    copies = {member.row for group in left if len({each.split for each in group}) > 1 for member in group}
    return {
        "exact": int(tested.isin(list(copies)).sum()),
        **{
            column: int(inspection.elsewhere(table, column)[tested].notna().sum()) for column in ("subject", "sequence")
        },
    }


def _message(review: Review, page: Path | None) -> str:
    head = f"{review.dataset.name}: validation stops the run; {len(review.samples):,} images were looked at."
    tail = f"The report: {page}" if page else "The report was not kept, because no folder was given for it."
    return "\n".join([head, *(f"- {line}" for line in review.stops), tail])

"""What is expected of the table of samples, as Great Expectations suites, and what came of each expectation."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from ferline.datasets.samples import INDEX_COLUMNS, SPLITS
from ferline.errors import FerlineError
from ferline.params import DatasetParams, LeakageParams, ValidationParams

# It logs hundreds of lines as it is imported, and every metric's shortcomings, all of which are in the result too.
logging.getLogger("great_expectations").setLevel(logging.ERROR)

# What happens when an expectation is not met: the run stops, the rows are set aside, or the page says so and no more.
Consequence = Literal["stops", "sets aside", "reports"]
# What validation.leakage is about, by its keys.
LEAKS = {
    "exact": "No picture is on two sides, pixel for pixel the same",
    "near": "No picture is on two sides, nearly the same",
    "conflicts": "No picture has two labels",
}
_SEVERITY = {"stops": "critical", "sets aside": "warning", "reports": "info"}


@dataclass(frozen=True)
class Finding:
    """What came of one expectation."""

    suite: str
    words: str
    reason: str  # in two or three words, for rows that are set aside
    consequence: Consequence
    success: bool
    unexpected: int
    rows: list[dict[str, Any]]  # those that fail: what identifies them, and the value
    result: Any  # as Great Expectations returned it

    @property
    def stops(self) -> bool:
        return not self.success and self.consequence == "stops"

    @property
    def column(self) -> str:
        """The column that the expectation is about; none where it is about the table."""
        return str(self.result.expectation_config.kwargs.get("column", ""))

    def told(self) -> str:
        """What was found, in a line: how many rows fail and which come first."""
        found = self.result.result
        if missing := found.get("details", {}).get("mismatched", {}).get("missing"):
            return f"missing: {', '.join(map(str, missing))}"
        if not self.rows:
            return f"found {text_of(found.get('observed_value'))}"
        return (
            f"{self.unexpected:,} fail: {', '.join(map(self._named, self.rows[:3]))}{', ...' * (self.unexpected > 3)}"
        )

    def _named(self, row: dict[str, Any]) -> str:
        name, *others = (text_of(value) for key, value in row.items() if key not in ("row", "value"))
        words = f"{name} ({', '.join(others)})" if others else name
        said = self.column in row or is_nothing(row["value"])
        return words if said else f"{words}: {text_of(row['value'])}"


def is_nothing(value: Any) -> bool:
    return value is None or value != value


def text_of(value: Any) -> str:
    """A cell as a person writes it."""
    if is_nothing(value):
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def of_the_table() -> list[Any]:
    from great_expectations import expectations as gxe

    words = f"Every column is there: {', '.join(INDEX_COLUMNS)}"
    return [gxe.ExpectTableColumnsToMatchSet(column_set=INDEX_COLUMNS, exact_match=False, **_says(words, "stops"))]


def of_every_image(params: ValidationParams, emotions: Sequence[str]) -> list[Any]:
    from great_expectations import expectations as gxe

    low, high = params.min_side, params.max_side
    aside: Consequence = "sets aside"
    return [
        gxe.ExpectColumnValuesToNotBeNull(column="id", **_says("Every image has an id", "stops")),
        gxe.ExpectColumnValuesToBeUnique(column="id", **_says("No id is used twice", "stops")),
        gxe.ExpectColumnValuesToBeInSet(
            column="split", value_set=SPLITS, **_says(f"Every split is one of {', '.join(SPLITS)}", "stops")
        ),
        gxe.ExpectColumnValuesToNotBeNull(column="split", **_says("Every image is in a split", "stops")),
        gxe.ExpectColumnValuesToBeNull(column="problem", **_says("Every image can be read", aside, "unreadable")),
        gxe.ExpectColumnValuesToBeBetween(
            column="shorter",
            min_value=low,
            **_says(f"No side is below {low} pixels", aside, f"shorter side below {low} pixels"),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="longer",
            max_value=high,
            **_says(f"No side is above {high:,} pixels", aside, f"longer side above {high} pixels"),
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="wrong_bytes", **_says("The bytes are those that the checksum was taken of", aside, "wrong checksum")
        ),
        gxe.ExpectColumnValuesToNotBeNull(column="label", **_says("Every image has a label", aside, "no label")),
        gxe.ExpectColumnValuesToBeInSet(
            column="label",
            value_set=list(emotions),
            **_says(f"Every label is one of {', '.join(emotions)}", aside, "unknown label"),
        ),
    ]


def of_what_is_set_aside(params: ValidationParams) -> list[Any]:
    from great_expectations import expectations as gxe

    words = f"At most {params.max_bad_share:.2%} of the images are bad (validation.max_bad_share)"
    return [gxe.ExpectColumnMeanToBeBetween(column="bad", max_value=params.max_bad_share, **_says(words, "stops"))]


def of_the_set(policy: LeakageParams, dataset: DatasetParams) -> list[Any]:
    from great_expectations import expectations as gxe

    expected = [
        gxe.ExpectColumnValuesToBeNull(
            column="votes_problem", **_says("Votes are 0 or more, one an emotion, and sum to more than 0", "stops")
        ),
    ]
    for key, words in LEAKS.items():
        left: Consequence = "stops" if getattr(policy, key) == "fail" else "reports"
        expected.append(gxe.ExpectColumnValuesToBeNull(column=key, **_says(words, left)))
    for column, words in (("subject", "No person is on two sides"), ("sequence", "No video is on two sides")):
        promised: Consequence = "stops" if dataset.protocol == column else "reports"
        expected.append(gxe.ExpectColumnValuesToBeNull(column=f"{column}_in", **_says(words, promised)))
        if promised == "stops":
            named = f"Every image has a {column}, as dataset.protocol: {column} needs"
            expected.append(gxe.ExpectColumnValuesToNotBeNull(column=column, **_says(named, "stops")))
    return expected


def of_the_counts(params: ValidationParams) -> list[Any]:
    from great_expectations import expectations as gxe

    least = params.min_per_class
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="train",
            min_value=least,
            **_says(f"Every emotion has at least {least} training images (validation.min_per_class)", "stops"),
        )
    ] + [
        gxe.ExpectColumnSumToBeBetween(column=split, min_value=1, **_says(f"There are {split} images", "stops"))
        for split in SPLITS
    ]


def run(suite: str, frame: pd.DataFrame, expected: Sequence[Any], names: Sequence[str] = ()) -> list[Finding]:
    """Hold `frame` against the expectations; the columns `names` say which row is which."""
    import great_expectations as gx

    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.ERROR)  # it sets its own to INFO
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("samples").add_dataframe_asset(suite)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    format_ = {"result_format": "COMPLETE", "unexpected_index_column_names": list(names)}
    result = batch.validate(gx.ExpectationSuite(name=suite, expectations=list(expected)), result_format=format_)
    return [_finding(suite, each, names) for each in result.results]


def _says(words: str, consequence: Consequence, reason: str = "") -> dict[str, Any]:
    meta = {"consequence": consequence, "reason": reason}
    return {"description": words, "severity": _SEVERITY[consequence], "meta": meta}


def _finding(suite: str, result: Any, names: Sequence[str]) -> Finding:
    config, found = result.expectation_config, result.result
    if result.exception_info.get("raised_exception"):
        message = result.exception_info["exception_message"]
        raise FerlineError(f"{suite}: the expectation {config.description!r} could not be evaluated ({message})")
    column = config.kwargs.get("column")
    failing = found.get("unexpected_index_list") or []
    return Finding(
        suite=suite,
        words=config.description,
        reason=config.meta["reason"],
        consequence=config.meta["consequence"],
        success=result.success,
        unexpected=int(found.get("unexpected_count", not result.success)),
        rows=[{name: row[name] for name in names} | {"value": row.get(column)} for row in failing],
        result=result,
    )

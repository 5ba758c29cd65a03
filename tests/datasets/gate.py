"""What the tests of the gate ask of a report, and samples as no ingest of ours would write them."""

from pathlib import Path
from typing import Any

import pytest

from ferline.artifact import staging, write_json
from ferline.datasets.samples import Samples
from ferline.datasets.validation import ValidationReport, validate
from ferline.errors import FerlineError
from ferline.params import DatasetParams, ValidationParams


def reasons(report: ValidationReport) -> dict[str, str]:
    return dict(report.quarantine[["id", "reason"]].itertuples(index=False))


def outcomes(report: dict[str, Any]) -> dict[str, bool]:
    return {each["expectation"]: each["success"] for each in report["expectations"]}


def rewritten(samples: Samples, target: Path, **changes: Any) -> Samples:
    """The same samples with other columns in their index, as no ingest of ours would write it."""
    table = samples.table.assign(**{name: column for name, column in changes.items() if column is not None})
    table = table.drop(columns=[name for name, column in changes.items() if column is None])
    with staging(target) as folder:
        table.to_parquet(folder / "index.parquet", index=False)
        write_json(folder / "origin.json", samples.origin)
        for shard in samples.table["shard"].unique():
            (folder / "shards").mkdir(exist_ok=True)
            (folder / "shards" / shard).write_bytes((samples.folder / "shards" / shard).read_bytes())
    return Samples(target)


def stopped(
    samples: Samples, params: ValidationParams, dataset: DatasetParams, keep: Path
) -> tuple[str, dict[str, Any]]:
    """The message of a run that stops, and the report that was kept."""
    with pytest.raises(FerlineError) as error:
        validate(samples, params, dataset, keep=keep)
    report = ValidationReport(keep / dataset.name).verify()
    assert report.decision == "stopped"
    assert str(report.page) in str(error.value)
    assert "stopped" in report.page.read_text()
    return str(error.value), report.read_json("report.json")

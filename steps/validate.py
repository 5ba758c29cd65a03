"""Samples -> the good ones, and a report."""

from typing import Annotated

from zenml import step

from ferline.artifact import state_folder
from ferline.datasets import validation
from ferline.datasets.samples import Samples
from ferline.params import DatasetParams, ValidationParams
from steps._caching import following


@step(cache_policy=following("ferline.datasets.validation"))
def validate(
    samples: Samples, params: ValidationParams, dataset: DatasetParams
) -> tuple[Annotated[Samples, "samples"], Annotated[validation.ValidationReport, "report"]]:
    """Hold the set against its expectations; bad rows are set aside, a bad set stops the run."""
    keep = state_folder("failed_validation")
    good, report = validation.validate(samples, params, dataset, keep=keep)
    return good, report  # spelt out: ZenML takes a step to have two outputs only where it sees two returned

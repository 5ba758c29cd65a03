"""Lets `zenml pipeline run fer_training` find the pipeline: this module puts the pipeline in its own place."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import yaml
from zenml.config.pipeline_run_configuration import PipelineRunConfiguration
from zenml.pipelines.pipeline_definition import Pipeline

from ferline.cli.said import Told
from ferline.errors import FerlineError
from pipelines.fer_training import fer_training


class CommandLinePipeline(Pipeline):
    """The pipeline as the command line runs it: our errors come out as one message, without a traceback."""

    def with_options(self, *args: Any, **kwargs: Any) -> Pipeline:
        """ZenML passes over keys that it does not know in a run's YAML; a misspelt one must not count as set."""
        if path := kwargs.get("config_path"):
            _refuse_unknown(path, _read(path), PipelineRunConfiguration.model_fields, "ZenML's run settings are")
        return super().with_options(*args, **kwargs)

    def _compile(self, config_path: str | None = None, **kwargs: Any) -> Any:
        """Settings for a step that is not in the pipeline would be passed over too; here its steps are known."""
        if config_path:
            _refuse_unknown(
                f"{config_path}: steps", _read(config_path).get("steps") or {}, self.invocations, "the steps are"
            )
        return super()._compile(config_path=config_path, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except FerlineError as error:
            raise Told(error) from None


def _read(path: str) -> dict[str, Any]:
    return dict(yaml.safe_load(Path(path).read_text()) or {})


def _refuse_unknown(where: str, given: Iterable[str], known: Iterable[str], named: str) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise click.ClickException(f"{where}: unknown key {', '.join(unknown)}; {named}: {', '.join(sorted(known))}")


sys.modules[__name__] = CommandLinePipeline(
    name=fer_training.name,
    entrypoint=fer_training.entrypoint,
    execution_mode=fer_training.configuration.execution_mode,
)

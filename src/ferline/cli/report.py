"""`ferline report`: everything that a pipeline run found, as a page to read, to print and to pass on."""

from pathlib import Path

import click

from ferline.artifact import state_folder
from ferline.cli.said import told


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--run", default=None, help="A pipeline run, by its ZenML id or name or its MLflow id; default: the newest."
)
@click.option("--name", default=None, help="The registered model's name; default: params.yaml's.")
@told
def report(folder: Path | None, run: str | None, name: str | None) -> None:
    """Write a report of a run into FOLDER (default: .ferline/report): report.html, and report.md with pictures/.

    The HTML is one file that opens anywhere. Faces are in it only where their set says that they may be shown.
    """
    from ferline.params import load
    from ferline.reporting.collect import material
    from ferline.reporting.report import write

    registered_name = name or load().promotion.registered_name
    click.echo(write(material(run, registered_name), folder or state_folder("report")).page)

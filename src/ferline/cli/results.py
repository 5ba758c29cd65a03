"""What the last run found: on the screen, and as files for DVC."""

import json
from pathlib import Path

import click

from ferline.cli.said import ROOT, told


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@told
def leaderboard(as_json: bool) -> None:
    """Print the comparison of the newest finished pipeline run."""
    from ferline.evaluation.leaderboard import as_text
    from ferline.tracking.results import latest_leaderboard

    content = latest_leaderboard()
    click.echo(json.dumps(content, indent=2) if as_json else as_text(content))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("reports"))
@told
def export(folder: Path) -> None:
    """Write the newest run's metrics, plots and decision, and what the data was, where DVC reads them."""
    from ferline.params import load
    from ferline.tracking.exported import write_data
    from ferline.tracking.results import export as write

    write(folder)
    write_data(folder, ROOT, load().dataset.name)
    for path in sorted(folder.glob("*.*")):
        click.echo(path)

"""What the last run found: on the screen, and as files for DVC."""

import json
from pathlib import Path

import click

from ferline.cli.said import told


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
    """Write the newest run's metrics and plots where DVC reads them (metrics.json, confusion.csv, curves.csv)."""
    from ferline.tracking.results import export as write

    for path in write(folder):
        click.echo(path)

"""The `ferline` command: what the last run found, which model is in use, and data into a raw set."""

import json
from pathlib import Path

import click

from ferline.cli_data import data, told


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Facial expression recognition you can re-run."""


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@told
def leaderboard(as_json: bool) -> None:
    """Print the comparison of the newest finished pipeline run."""
    from ferline.evaluation.leaderboard import as_text
    from ferline.tracking.results import latest_leaderboard

    content = latest_leaderboard()
    click.echo(json.dumps(content, indent=2) if as_json else as_text(content))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--name", default=None, help="The registered model's name; default: params.yaml's.")
@told
def champion(as_json: bool, name: str | None) -> None:
    """Print the model in use: its version, where it came from, and how to load it."""
    from ferline.params import load
    from ferline.tracking.results import champion_card, champion_text

    content = champion_card(name or load().promotion.registered_name)
    click.echo(json.dumps(content, indent=2) if as_json else champion_text(content))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("reports"))
@told
def export(folder: Path) -> None:
    """Write the newest run's metrics and plots where DVC reads them (metrics.json, confusion.csv, curves.csv)."""
    from ferline.tracking.results import export as write

    for path in write(folder):
        click.echo(path)


main.add_command(data)


if __name__ == "__main__":
    main()

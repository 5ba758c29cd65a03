"""The `ferline` command: what the last run found, which model is in use, and data into a raw set."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from ferline.errors import FerlineError


def _told(command: Callable[..., None]) -> Callable[..., None]:
    """Our own errors come out as their one message."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except FerlineError as error:
            raise click.ClickException(str(error)) from None

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Facial expression recognition you can re-run."""


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_told
def leaderboard(as_json: bool) -> None:
    """Print the comparison of the newest finished pipeline run."""
    from ferline.evaluation.leaderboard import as_text
    from ferline.tracking.results import latest_leaderboard

    content = latest_leaderboard()
    click.echo(json.dumps(content, indent=2) if as_json else as_text(content))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--name", default=None, help="The registered model's name; default: params.yaml's.")
@_told
def champion(as_json: bool, name: str | None) -> None:
    """Print the model in use: its version, where it came from, and how to load it."""
    from ferline.params import load
    from ferline.tracking.results import champion_card, champion_text

    content = champion_card(name or load().promotion.registered_name)
    click.echo(json.dumps(content, indent=2) if as_json else champion_text(content))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("reports"))
@_told
def export(folder: Path) -> None:
    """Write the newest run's metrics and plots where DVC reads them (metrics.json, confusion.csv, curves.csv)."""
    from ferline.tracking.results import export as write

    for path in write(folder):
        click.echo(path)


@main.group()
def data() -> None:
    """Raw sets under data/raw."""


@data.command()
@click.option("--identities", default=84, show_default=True, help="How many people to draw.")
@click.option("--takes", default=4, show_default=True, help="Images of every person and emotion.")
@click.option("--seed", default=7, show_default=True)
@click.option("--name", default="synthetic", show_default=True, help="The set's name under data/raw.")
@_told
def synthesize(identities: int, takes: int, seed: int, name: str) -> None:
    """Draw the synthetic faces into a raw set and add it to DVC."""
    from ferline.datasets.raw import RawSet
    from ferline.datasets.synthetic import faces

    folder = Path("data/raw") / name
    new = RawSet(folder).append(faces(identities, takes, seed))
    click.echo(f"{folder}: {new} new images")
    done = subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", str(folder)], check=False)
    if done.returncode:
        raise FerlineError(
            f"`dvc add {folder}` failed; the images are in the folder, so run it again once DVC's message is dealt with"
        )


if __name__ == "__main__":
    main()

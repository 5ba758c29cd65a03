"""Where a model came from, and whether it can be made again."""

import json
from pathlib import Path

import click

from ferline.cli.said import ROOT, told

NAME = click.option("--name", default=None, help="The registered model's name; default: params.yaml's.")


@click.command()
@click.argument("model", default="champion")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@NAME
@told
def lineage(model: str, as_json: bool, name: str | None) -> None:
    """Print where MODEL came from: its data, code, parameters, environment and runs, and what was decided of it.

    MODEL is a version of the registered model, an alias such as champion, or the beginning of a model's digest.
    """
    from ferline.lineage.trace import as_text
    from ferline.lineage.trace import lineage as follow
    from ferline.params import load

    content = follow(model, name or load().promotion.registered_name)
    click.echo(json.dumps(content, indent=2) if as_json else as_text(content))


@click.command()
@click.argument("model", default="champion")
@click.option("--keep", type=click.Path(path_type=Path), help="Work in this new folder and leave it there.")
@click.option("--anyway", is_flag=True, help="Go on where it was trained from files that no commit holds.")
@click.option("--setup", is_flag=True, help="Make the environment of its requirements.lock first.")
@NAME
@told
def reproduce(model: str, keep: Path | None, anyway: bool, setup: bool, name: str | None) -> None:
    """Train MODEL again from its own commit, data and parameters, and compare; exit code 1 where it differs.

    It happens in a git worktree with a ZenML and an MLflow of its own: nothing is promoted, no file here is touched.
    """
    from ferline.lineage.reproduce import Asked
    from ferline.lineage.reproduce import reproduce as make_again
    from ferline.params import load

    def say(line: str) -> None:
        click.echo(f"== {line}", err=True)

    found = make_again(model, name or load().promotion.registered_name, ROOT, Asked(keep, anyway, setup), say)
    click.echo(found.text())
    raise SystemExit(0 if found.equal else 1)

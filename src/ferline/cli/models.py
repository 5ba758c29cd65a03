"""The registered models: which is in use."""

import json

import click

from ferline.cli.said import told


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--name", default=None, help="The registered model's name; default: params.yaml's.")
@told
def champion(as_json: bool, name: str | None) -> None:
    """Print the model in use: its version, where it came from, and how to load it."""
    from ferline.params import load
    from ferline.tracking.results import champion_card, champion_text

    content = champion_card(name or load().promotion.registered_name)
    click.echo(json.dumps(content, indent=2) if as_json else champion_text(content))

"""The registered models: which is in use, which were, and the way back to one of them."""

import json

import click

from ferline.cli.said import told


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--name", default=None, help="The registered model's name; default: params.yaml's.")
@click.option("--history", "all_of_them", is_flag=True, help="Every version: when and why it was champion, or was not.")
@told
def champion(as_json: bool, name: str | None, all_of_them: bool) -> None:
    """Print the model in use: its version, the decision that made it champion, and how to load it."""
    from ferline.params import load
    from ferline.promotion.champion import champion_card, champion_text, history, history_text

    name = name or load().promotion.registered_name
    if all_of_them:
        versions = history(name)
        click.echo(json.dumps(versions, indent=2) if as_json else history_text(versions))
        return
    card = champion_card(name)
    click.echo(json.dumps(card, indent=2) if as_json else champion_text(card))


@click.command()
@click.argument("version", required=False)
@click.option("--reason", default="", help="Why, for those who will ask; kept in MLflow.")
@click.option("--name", default=None, help="The registered model's name; default: params.yaml's.")
@told
def rollback(version: str | None, reason: str, name: str | None) -> None:
    """Put the champion before this one back, or VERSION. What was taken back is never promoted again by itself."""
    from ferline.params import load
    from ferline.promotion.rollback import rollback as go_back

    click.echo(go_back(name or load().promotion.registered_name, version, reason).text)

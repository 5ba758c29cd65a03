"""What a retraining changed, for a pull request."""

from pathlib import Path

import click

from ferline.cli.said import ROOT, told


@click.command()
@click.argument("base", default="HEAD")
@click.option(
    "--failure",
    type=click.Path(path_type=Path),
    default=None,
    help="The log of a retraining that failed: say why, and that the champion stays.",
)
@told
def changes(base: str, failure: Path | None) -> None:
    """Print, as Markdown, what differs from the commit BASE: metrics, confusion, promotion, data, parameters."""
    from ferline.retraining.changes import changes as since
    from ferline.retraining.changes_page import as_markdown

    click.echo(as_markdown(since(ROOT, base, failure)), nl=False)

"""The `ferline` command, a file for each thing that one talks about: data, results, the champion, its origin."""

import click

from ferline.cli.changes import changes
from ferline.cli.data import data
from ferline.cli.drift import drift
from ferline.cli.lineage import lineage, reproduce
from ferline.cli.models import champion, rollback
from ferline.cli.report import report
from ferline.cli.results import export, leaderboard


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Facial expression recognition you can re-run."""


for command in (data, leaderboard, report, export, champion, rollback, lineage, reproduce, changes, drift):
    main.add_command(command)

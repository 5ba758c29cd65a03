"""The `ferline` command, a file for each thing that one talks about: data, results, the champion."""

import click

from ferline.cli.data import data
from ferline.cli.models import champion
from ferline.cli.results import export, leaderboard


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Facial expression recognition you can re-run."""


for command in (data, leaderboard, export, champion):
    main.add_command(command)

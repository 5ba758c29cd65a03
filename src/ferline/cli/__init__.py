"""The `ferline` command, a file for each thing that one talks about: data, results, the champion, its origin."""

import click

from ferline.cli.bench import bench
from ferline.cli.changes import changes
from ferline.cli.data import data
from ferline.cli.drift import drift
from ferline.cli.evaluate import evaluate
from ferline.cli.join import join
from ferline.cli.lineage import lineage, reproduce
from ferline.cli.models import champion, rollback
from ferline.cli.predict import predict
from ferline.cli.report import report
from ferline.cli.results import export, leaderboard


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Facial expression recognition you can re-run."""


for command in (
    data,
    predict,
    evaluate,
    leaderboard,
    report,
    export,
    champion,
    rollback,
    lineage,
    reproduce,
    changes,
    drift,
    join,
    bench,
):
    main.add_command(command)

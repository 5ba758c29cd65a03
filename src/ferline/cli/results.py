"""What the last run found: on the screen, and as files for DVC."""

import json
from pathlib import Path
from typing import Any

import click

from ferline.artifact import Artifact
from ferline.cli.said import ROOT, told

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


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
@click.argument("what", default="reports")
@click.option("--onnx", type=FILE, help="Write the model WHAT as this ONNX file.")
@click.option("--card", type=FILE, help="Write the card of the model WHAT as this Markdown file.")
@click.option("--evaluation", type=FOLDER, help="For the card: an Evaluation of the model.")
@click.option("--exam", "exams", type=FOLDER, multiple=True, help="For the card: what `evaluate` wrote of the model.")
@told
def export(what: str, onnx: Path | None, card: Path | None, evaluation: Path | None, exams: tuple[Path, ...]) -> None:
    """Write the newest run's metrics, plots and decision, and what the data was, where DVC reads them.

    WHAT is the folder to write. With --onnx or --card it is a model (a folder, champion, or an address in MLflow):
    one file that takes uint8 faces and gives calibrated shares, or the page that says what the model is good for.
    """
    if onnx or card:
        _export_model(what, onnx, card, evaluation, exams)
        return
    from ferline.params import load
    from ferline.tracking.exported import write_data
    from ferline.tracking.results import export as write

    folder = Path(what)
    write(folder)
    write_data(folder, ROOT, load().dataset.name)
    for path in sorted(folder.glob("*.*")):
        click.echo(path)


def _export_model(
    what: str, onnx: Path | None, card: Path | None, evaluation: Path | None, exams: tuple[Path, ...]
) -> None:
    from ferline.cli.found_model import named_model

    model = named_model(what)
    if onnx:
        from ferline.serving.onnx import export as write_onnx

        click.echo(write_onnx(model, onnx).text())
    if card:
        from ferline.evaluation.evaluate import Evaluation
        from ferline.serving.model_card import write as write_card

        measured = Evaluation(evaluation).verify() if evaluation else None
        write_card(card, model, measured, [_exam(folder) for folder in exams])
        click.echo(card)


def _exam(folder: Path) -> dict[str, Any]:
    return dict(Artifact(folder).verify().read_json("exam.json"))

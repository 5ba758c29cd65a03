"""What the last run found: on the screen, and as files for DVC."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ferline.artifact import Artifact
from ferline.cli.said import ROOT, told
from ferline.errors import FerlineError

if TYPE_CHECKING:
    import numpy as np

    from ferline.models.trained import TrainedModel

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@told
def leaderboard(as_json: bool) -> None:
    """Print the comparison of the newest finished pipeline run."""
    from ferline.evaluation.tables import as_text
    from ferline.tracking.results import latest_leaderboard

    content = latest_leaderboard()
    click.echo(json.dumps(content, indent=2) if as_json else as_text(content))


@click.command()
@click.argument("what", default="reports")
@click.option("--onnx", type=FILE, help="Write the model WHAT as this ONNX file.")
@click.option("--int8", metavar="WHERE", help="In 8 bits, measured on faces of WHERE: a set, SET:train, or a folder.")
@click.option("--card", type=FILE, help="Write the card of the model WHAT as this Markdown file.")
@click.option("--evaluation", type=FOLDER, help="For the card: an Evaluation of the model.")
@click.option("--exam", "exams", type=FOLDER, multiple=True, help="For the card: what `evaluate` wrote of the model.")
@told
def export(
    what: str,
    onnx: Path | None,
    int8: str | None,
    card: Path | None,
    evaluation: Path | None,
    exams: tuple[Path, ...],
) -> None:
    """Write the newest run's metrics, plots and decision, and what the data was, where DVC reads them.

    WHAT is the folder to write. With --onnx or --card it is a model (one that comes with Ferline, a folder,
    champion, or an address in MLflow): one file that takes uint8 faces and gives calibrated shares, or the page that
    says what the model is good for.
    """
    if int8 and not onnx:
        raise FerlineError("--int8 is a form of the file that --onnx writes; name that, too")
    if onnx or card:
        _export_model(what, onnx, int8, card, evaluation, exams)
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
    what: str,
    onnx: Path | None,
    int8: str | None,
    card: Path | None,
    evaluation: Path | None,
    exams: tuple[Path, ...],
) -> None:
    from ferline.cli.found_model import named_model

    model = named_model(what)
    if onnx:
        from ferline.serving.onnx import export as write_onnx

        click.echo(write_onnx(model, onnx, _faces_of(int8, model) if int8 else None).text())
    if card:
        from ferline.evaluation.evaluate import Evaluation
        from ferline.serving.model_card import write as write_card

        measured = Evaluation(evaluation).verify() if evaluation else None
        write_card(card, model, measured, [_exam(folder) for folder in exams])
        click.echo(card)


def _faces_of(where: str, model: "TrainedModel") -> "np.ndarray":
    """Some faces of a set or a folder, as the model takes them; what cannot be read is passed over."""
    import numpy as np

    from ferline.drift.batches import find
    from ferline.images.decode import UnreadableImage, decode
    from ferline.params import DatasetParams, load
    from ferline.serving.onnx_int8 import AT_ONCE, MOST
    from ferline.serving.predictor import Predictor

    dataset = DatasetParams("none") if Path(where).is_dir() else load().dataset  # which says how a set is split
    batch = find(where, ROOT, dataset).drawn(MOST, seed=0)
    predictor = Predictor(model, bool(batch.cropped))
    faces = []
    for _, sources in batch.sources(AT_ONCE):
        for source in sources:
            try:
                crop = predictor.cropper.crop(decode(source if isinstance(source, bytes) else source.read_bytes()))
            except (UnreadableImage, OSError):
                continue
            faces.append(predictor.sized(crop))
    return np.stack(faces) if faces else np.empty((0,), np.uint8)


def _exam(folder: Path) -> dict[str, Any]:
    return dict(Artifact(folder).verify().read_json("exam.json"))

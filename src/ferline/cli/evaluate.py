"""`ferline evaluate`: a model on one split of a downloaded dataset."""

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ferline.artifact import MANIFEST, staging, state_folder, write_json
from ferline.cli.found_model import device_of, named_model
from ferline.cli.reader_options import parsed
from ferline.cli.said import told
from ferline.errors import FerlineError

if TYPE_CHECKING:
    from ferline.datasets.sources.source import Source
    from ferline.serving.exam import Exam
    from ferline.serving.views import Views


RESULT, PREDICTIONS = "exam.json", "predictions.parquet"


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("model")
@click.argument("of_reader", metavar="[OPTIONS OF THE READER]", nargs=-1, type=click.UNPROCESSED)
@click.option("--data", "reader", required=True, help="The dataset's reader: fer2013, ckplus ... (`data add --help`).")
@click.option("--source", required=True, type=click.Path(path_type=Path), help="The download: a file or folder.")
@click.option("--split", default="PrivateTest", show_default=True, help="The split to score, or all.")
@click.option("--votes", type=click.Path(path_type=Path), help="FER+'s fer2013new.csv: also 8 classes by its majority.")
@click.option(
    "--tta",
    "how",
    is_flag=False,
    flag_value="mirror",
    default="none",
    show_default=True,
    type=click.Choice(["none", "mirror", "ten"]),
    help="Average several views of each face; --tta alone is mirror.",
)
@click.option("--resamples", default=2000, show_default=True, type=click.IntRange(200), help="Of the bootstrap.")
@click.option("--robustness", default=0, show_default=True, type=click.IntRange(0), help="Faces to corrupt, too.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write; default: under .ferline/.")
@told
def evaluate(
    model: str,
    of_reader: tuple[str, ...],
    reader: str,
    source: Path,
    split: str,
    votes: Path | None,
    how: "Views",
    resamples: int,
    robustness: int,
    device: str,
    as_json: bool,
    out: Path | None,
) -> None:
    """Score MODEL on one split of a dataset as it was downloaded.

    MODEL is one that comes with Ferline (ferline_large), a folder, champion, or an address in MLflow.
    The source needs to hold nothing but that split. Faces are found and cut as in the model's training; the faces of
    FER2013 are cut out already. Writes exam.json with every number and its 95% interval, and predictions.parquet.

    The reader's own options follow MODEL: those of `ferline data add READER --help`, such as --subject of a folder.
    """
    from ferline.params import EvaluationParams, RobustnessParams
    from ferline.serving.exam import examine
    from ferline.serving.exam_text import as_text

    if model.startswith("-"):
        raise FerlineError(f"{model}: write MODEL first, and what is meant for the reader behind it")
    source_reader = _reader(reader)
    options = parsed(source_reader, of_reader, own=("votes",))
    if out:
        _require_own(out)
    trained = named_model(model)
    params = EvaluationParams(resamples=resamples, robustness=RobustnessParams(faces=robustness))
    device = device_of(device)
    exam = examine(trained, source_reader, source, split, votes, options, how=how, device=device, params=params)
    folder = out or state_folder("exams") / _name(exam, source)
    _write(folder, exam)
    click.echo(json.dumps(exam.content, indent=2) if as_json else f"{as_text(exam.content)}\nWritten: {folder}")


def _reader(name: str) -> "Source":
    from ferline.datasets.sources import SOURCES

    if name not in SOURCES:
        raise FerlineError(f"--data: {name!r} is no reader; write one of {', '.join(sorted(SOURCES))}")
    return SOURCES[name]


def _name(exam: "Exam", source: Path) -> str:
    """Another for all that makes another exam: only the same one again replaces it."""
    model, data = exam.content["model"], exam.content["data"]
    asked = [{**model, "device": ""}, {**data, "ms_a_face": 0}, exam.content["bootstrap"]]
    asked += [question["robustness"] for question in exam.content["questions"].values()]
    identity = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]
    parts = (model["architecture"], source.resolve().stem, data["split"], identity)
    return "-".join(re.sub(r"[^\w.]+", "_", part) for part in parts)


def _require_own(folder: Path) -> None:
    """What is written replaces what is there: that must be an older exam and nothing of the user's."""
    if folder.is_file() or folder.resolve() == Path.cwd():
        raise FerlineError(f"--out: {folder} is {'a file' if folder.is_file() else 'this folder'}. Name a new folder")
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if there and RESULT not in there:
        raise FerlineError(f"--out: {folder} is there and holds no {RESULT}. Name a new folder, or an older exam's")
    if others := sorted(there - {RESULT, PREDICTIONS, MANIFEST}):
        raise FerlineError(
            f"--out: {folder} holds more than an exam ({others[0]}), which would be lost. Name a new folder"
        )


def _write(folder: Path, exam: "Exam") -> None:
    with staging(folder) as work:
        write_json(work / RESULT, exam.content)
        exam.predictions.to_parquet(work / PREDICTIONS, index=False)

"""`ferline predict`: the emotions of all faces in photos, folders and videos."""

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ferline.artifact import write_text
from ferline.cli.found_model import SHIPPED, device_of, named_model
from ferline.cli.said import told
from ferline.errors import FerlineError

if TYPE_CHECKING:
    from ferline.serving.files import Asked
    from ferline.serving.recognise import Recognised

FILE = click.Path(path_type=Path, dir_okay=False)


def _number(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if math.isnan(value):  # which is in every range
        raise click.BadParameter(f"{value} is no number.")
    return value


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    "where",
    default=SHIPPED,
    show_default=True,
    help="A model that comes with Ferline, a folder, champion, or an address in MLflow.",
)
@click.option(
    "--by",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "votes", "label"]),
    help="Of a model of two heads: what people would say, or its set's label; auto: votes where it has learnt them.",
)
@click.option("--json", "json_file", type=FILE, help="Write all faces and files as JSON; - for the screen.")
@click.option("--csv", "csv_file", type=FILE, help="Write a row a face as CSV; - for the screen.")
@click.option("--annotate", type=click.Path(path_type=Path, file_okay=False), help="Draw what was found into here.")
@click.option(
    "--threshold",
    default=0.5,
    show_default=True,
    type=click.FloatRange(0, 1),
    callback=_number,
    help="Say 'unsure' where no emotion is at least so likely.",
)
@click.option("--every", default=1, show_default=True, type=click.IntRange(1), help="Of videos each so many-th frame.")
@click.option(
    "--smallest",
    default=0.08,
    show_default=True,
    type=click.FloatRange(0.01, 1),
    callback=_number,
    help="Look for faces down to this share of a picture's short side.",
)
@click.option(
    "--detector",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "haar", "yunet"]),
    help="What finds faces. haar: OpenCV's cascade; yunet: a network that also finds turned and half covered ones; "
    "auto: what the model has learnt with, yunet where its faces came cut out.",
)
@click.option("--cropped", is_flag=True, help="The pictures are faces cut out already: look for none.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@told
def predict(
    paths: tuple[Path, ...],
    where: str,
    by: str,
    json_file: Path | None,
    csv_file: Path | None,
    annotate: Path | None,
    threshold: float,
    every: int,
    smallest: float,
    detector: Literal["auto", "haar", "yunet"],
    cropped: bool,
    device: str,
) -> None:
    """Tell the emotion of every face in PATHS: photos, folders of them, videos.

    A face is found, cut, levelled and scaled as in the model's training; its confidence is calibrated. An expression is
    what a person shows, not what they feel: do not use it to judge people.

    \b
    Exit status:
      0  every file was read, whatever is in it
      1  some file could not be read; the others are done
      2  the command was mistyped
    """
    if detector != "auto" and cropped:
        raise click.UsageError("--cropped looks for no face, and --detector for all of them: write one of the two.")
    from ferline.serving.annotate import Annotator
    from ferline.serving.files import asked_for
    from ferline.serving.predictor import Predictor
    from ferline.serving.recognise import recognise

    model = named_model(where)
    if by == "votes" or (by == "auto" and model.tells_votes):
        model = model.voted()
    asked = asked_for(paths, but=annotate)
    _require_targets((json_file, csv_file), asked)
    show = Annotator(annotate) if annotate else None
    if show:
        show.require_apart(asked)
    predictor = Predictor(model, cropped, smallest, device_of(device), None if detector == "auto" else detector)
    found = recognise(asked, predictor, threshold, every, show)
    if json_file:
        own = {"architecture": model.card["architecture"], "digest": model.digest, "head": model.head}
        own["detector"] = None if cropped else predictor.cropper.params.detector
        content = {"model": own, "threshold": threshold, **found.content()}
        _write(json_file, json.dumps(content, indent=2, allow_nan=False) + "\n")
    if csv_file:
        _write(csv_file, found.table().to_csv(index=False))
    if not (json_file or csv_file or annotate):
        _say_faces(found)
    _say_files(found, annotate)


def _require_targets(files: Sequence[Path | None], asked: Sequence["Asked"]) -> None:
    """Before anything is predicted: where to write is there, and is nothing that was asked about."""
    inputs = {Path(each.file).resolve() for each in asked}
    for path in files:
        if path is None or path == Path("-"):
            continue
        if path.resolve() in inputs:
            raise FerlineError(f"{path}: is one of the files asked about, and would be written over")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            reason = "cannot be written to" if path.parent.is_dir() else "is not there"
            raise FerlineError(f"{path}: could not be written ({path.parent} {reason})")


def _write(path: Path, text: str) -> None:
    if path == Path("-"):
        click.echo(text, nl=False)
        return
    try:
        write_text(path, text)
    except OSError as error:
        raise FerlineError(f"{path}: could not be written ({error.strerror})") from None


def _say_faces(found: "Recognised") -> None:
    for face in found.faces:
        frame = "" if face.frame is None else f" {face.second:.2f} s"
        x, y, width, height = face.box
        click.echo(f"{face.file}{frame}: {face.emotion} {face.confidence:.0%} at {x},{y} {width}x{height}")


def _say_files(found: "Recognised", annotate: Path | None) -> None:
    """What stays unsaid in the results: files without a face, and those that could not be read."""
    for file, each in found.files.items():
        if not each["faces"] and not each["wrong"]:
            click.echo(f"{file}: no face found", err=True)
    for line in found.failed:
        click.echo(line, err=True)
    pictures = sum(each["pictures"] for each in found.files.values())
    drawn = f"; drawn into {annotate}" if annotate and pictures else ""
    click.echo(f"{len(found.faces):,} faces in {pictures:,} pictures of {len(found.files):,} files{drawn}", err=True)
    if found.failed:
        sys.exit(1)

"""`ferline drift`: is a new batch of images as the data was that the model was made for?"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ferline.artifact import state_folder
from ferline.cli.found_model import model_at
from ferline.cli.said import ROOT, told
from ferline.errors import FerlineError

if TYPE_CHECKING:
    from ferline.models.trained import TrainedModel

FOUND = 3  # the exit status where a drift was found; 1 is an error's and 2 that of a mistyped command


@click.command()
@click.argument("reference")
@click.argument("new")
@click.option(
    "--model",
    "where",
    default=None,
    help="One that comes with Ferline, a folder, or an address in MLflow; default: the champion.",
)
@click.option("--no-model", is_flag=True, help="Compare the images alone.")
@click.option("--images", default=2000, show_default=True, help="Of each side at most so many, drawn by the seed.")
@click.option("--level", default=0.01, show_default=True, help="The chance of an alarm where nothing has changed.")
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--cropped/--photographs",
    default=None,
    help="A folder's images are faces cut out already, or are not; default: as the other side's.",
)
@click.option(
    "--subject", default="", help=r"A regular expression that finds the person in a folder's paths, such as '(S\d+)_'."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--page", type=click.Path(path_type=Path), default=None, help="The page to write; default: under .ferline/."
)
@click.option("--show", is_flag=True, help="Put the most unusual new images into the page. It then shows people.")
@told
def drift(
    reference: str,
    new: str,
    where: str | None,
    no_model: bool,
    images: int,
    level: float,
    seed: int,
    cropped: bool | None,
    subject: str,
    as_json: bool,
    page: Path | None,
    show: bool,
) -> None:
    """Compare a new batch of images with the data that they should be like.

    REFERENCE and NEW are each the name of a raw set under data/raw, NAME:train for one split of it, or a folder of
    images. Embedding, emotions predicted, confidence, faces found and how the images look are tested line by line; a
    drift is a difference that is significant and large enough to count. Writes a page to look at.

    \b
    Exit status, for cron:
      0  no drift
      1  an error; nothing is known
      2  the command was mistyped
      3  drift
    """
    from ferline.drift import page as pages
    from ferline.drift.batches import find
    from ferline.drift.compare import Settings, compare
    from ferline.drift.words import as_text
    from ferline.params import load

    if where and no_model:
        raise FerlineError("--model and --no-model: write one of them")
    params, settings = load(), Settings(images, level, seed, cropped)
    sides = [find(name, ROOT, params.dataset, subject) for name in (reference, new)]
    model = None if no_model else _model(where, params.promotion.registered_name)
    found = compare(sides[0], sides[1], model, params.faces, settings)
    written = pages.write(found, page or state_folder("drift") / _folder(reference, new) / "index.html", show)
    if as_json:
        click.echo(json.dumps(found.content() | {"page": str(written)}, indent=2))
    else:
        click.echo(f"{as_text(found)}\nTo look at: {written}")
    if found.found:
        raise click.exceptions.Exit(FOUND)


def _model(where: str | None, name: str) -> "TrainedModel":
    from ferline.tracking import registry

    if where is None:
        champion = registry.champion(name)
        if champion is None:
            raise FerlineError(f"there is no champion of the name {name!r} yet; write --model FOLDER, or --no-model")
        return champion.model()
    return model_at(where, name)


def _folder(reference: str, new: str) -> str:
    """REFERENCE-NEW, whatever signs are in them."""
    return "-".join(re.sub(r"[^\w.]+", "_", name).strip("_.") or "here" for name in (reference, new))

"""`ferline data ...`: datasets as downloaded into raw sets under data/raw, and what is in them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ferline.artifact import state_folder
from ferline.cli.reader_options import as_click
from ferline.cli.said import ROOT, told
from ferline.errors import FerlineError

if TYPE_CHECKING:
    from ferline.datasets.sources.source import Source


@click.group()
def data() -> None:
    """Raw sets under data/raw: add, list, describe, audit."""


class _Readers(click.Group):
    """A command for every reader. They are imported when one is asked for: that takes a second that no other needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from ferline.datasets.sources import SOURCES

        return sorted(SOURCES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from ferline.datasets.sources import SOURCES

        return _adder(SOURCES[cmd_name]) if cmd_name in SOURCES else None


@data.group(cls=_Readers)
def add() -> None:
    """Read a dataset as people download it, check it, pack it, put it under DVC and print its card.

    Adding more images appends; adding the same again changes nothing.
    """


def _adder(source: "Source") -> click.Command:
    @told
    def command(source_path: Path, name: str, skip_bad: bool, **options: Any) -> None:
        from ferline.datasets.add import add as read
        from ferline.datasets.card import as_text, card_of

        require_project()
        added = read(ROOT, source, source_path, name, options, skip_bad)
        version(added.raw.folder)
        click.echo(f"{added.raw.folder}: {added.told()}\n")
        click.echo(as_text(card_of(added.raw)))

    parameters: list[click.Parameter] = [
        click.Option(
            ["--source", "source_path"],
            type=click.Path(path_type=Path),
            required=True,
            help="The download: a file or folder.",
        ),
        click.Option(["--name"], default=source.key, show_default=True, help="The set's name under data/raw."),
        *(as_click(each) for each in source.options),
        click.Option(
            ["--skip-bad"], is_flag=True, help="Leave out files that are no whole images, rather than refuse."
        ),
    ]
    about = source.about
    title = f"{about.title[0].upper()}{about.title[1:]}."
    text = f"{title}\n\n{about.terms}\n\n\b\n{about.where}"  # \b: not wrapped, which would cut an address in two
    return click.Command(source.key, callback=command, params=parameters, help=text, short_help=title)


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@told
def list_(as_json: bool) -> None:
    """Print a line for every set."""
    from ferline.datasets.card import sets_under

    sets = sets_under(ROOT)
    if as_json:
        click.echo(json.dumps(sets, indent=2))
    elif not sets:
        click.echo("no sets yet; `ferline data add --help` lists what can be added")
    for each in [] if as_json else sets:
        images = f"{each['images']:>9,} images" if "images" in each else " " * 16
        click.echo(f"{each['name']:16} {images}  {each['state']}  {each.get('title', '')}".rstrip())


@data.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@told
def card(name: str, as_json: bool) -> None:
    """Print what is in a set, where it came from, on which terms, and how to train on it."""
    from ferline.datasets.card import as_text, card_of

    content = card_of(the_set(name))
    click.echo(json.dumps(content, indent=2) if as_json else as_text(content))


@data.command()
@click.argument("name")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="The PNG to write; default: under .ferline/."
)
@told
def sheet(name: str, out: Path | None) -> None:
    """Draw examples of every emotion, to look at. The picture shows people: it must stay where the set may be."""
    from ferline.datasets.audit.sets import whole
    from ferline.datasets.card import sheet_of
    from ferline.images.sheet import save_png

    target = out or state_folder("sheets") / f"{the_set(name).name}.png"
    picture = sheet_of(whole(ROOT, name, "random"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save_png(target, picture)
    except OSError as error:
        raise FerlineError(f"{target}: could not be written ({error.strerror})") from None
    click.echo(target)


@data.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--protocol", default=None, help="Split by this protocol; default: params.yaml's, or the set's card's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="The folder to write; default: under .ferline/."
)
@told
def audit(names: tuple[str, ...], protocol: str | None, as_json: bool, out: Path | None) -> None:
    """Look for leaks: the same or nearly the same picture, person or video on two sides, in one set or across several.

    The one set that params.yaml names is audited as the pipeline trains on it, with its emotions, fraction and folds:
    then it says what validation.leakage makes of it, and ends with status 1 where that stops the pipeline. Of any
    other set, of several, and with --protocol, all images are audited.

    Writes a page of pictures to look at; it shows people, so it must stay where the sets may be.
    """
    from ferline.datasets.audit.policy import consequences, policy_of
    from ferline.datasets.audit.sets import as_trained, audited
    from ferline.params import load

    params = load()
    result, findings = audited(ROOT, names, protocol, params, out or state_folder("audits") / "+".join(names))
    policy = policy_of(params.dataset, params.validation.leakage)
    made = consequences(findings, policy) if as_trained(names, protocol, params) else None
    if as_json:
        click.echo(json.dumps(result.read_json("audit.json") | {"policy": made.summary() if made else None}, indent=2))
    else:
        parts = [findings.lines(), made.lines() if made else [], [f"To look at: {result.page}"]]
        click.echo("\n\n".join("\n".join(lines) for lines in parts if lines))
    if made and made.stops:
        raise click.exceptions.Exit(1)


@data.command()
@click.option("--identities", default=84, show_default=True, help="How many people to draw.")
@click.option("--takes", default=4, show_default=True, help="Images of every person and emotion.")
@click.option("--seed", default=7, show_default=True)
@click.option("--name", default="synthetic", show_default=True, help="The set's name under data/raw.")
@told
def synthesize(identities: int, takes: int, seed: int, name: str) -> None:
    """Draw the synthetic faces into a raw set and add it to DVC."""
    from ferline.datasets.add import require_same_kind
    from ferline.datasets.ingest import dataset_named
    from ferline.datasets.raw import RawSet
    from ferline.datasets.synthetic import faces

    raw = RawSet(ROOT / "data" / "raw" / dataset_named(name).name)
    require_same_kind(raw, None)
    new = raw.append(faces(identities, takes, seed))
    click.echo(f"{raw.folder}: {new} new images")
    version(raw.folder)


def the_set(name: str) -> Any:
    from ferline.datasets.ingest import dataset_named, require_set

    return require_set(ROOT, dataset_named(name))


def require_project() -> None:
    """A set that is packed where no DVC is would be versioned by nobody; say so before reading for minutes."""
    if not (ROOT / ".dvc").is_dir():
        raise FerlineError(
            f"{ROOT.absolute()}: no DVC project. Run this in the project's folder, or `dvc init` there first"
        )


def version(folder: Path) -> None:
    """Put the set under DVC."""
    done = subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", str(folder)], check=False)
    if done.returncode:
        raise FerlineError(
            f"`dvc add {folder}` failed; the images are in the folder, so run it again once DVC's message is dealt with"
        )

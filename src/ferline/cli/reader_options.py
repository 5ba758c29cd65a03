"""A reader's own options on the command line: those of `data add READER`, and behind a MODEL of `evaluate`."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ferline.errors import FerlineError

if TYPE_CHECKING:
    from ferline.datasets.sources.source import Option, Source


def as_click(option: "Option") -> click.Option:
    flag = f"--{option.name.replace('_', '-')}"
    if option.kind is bool:
        return click.Option([flag, option.name], is_flag=True, default=option.default, help=option.help)
    kind = click.Path(path_type=Path) if option.kind is Path else option.kind
    return click.Option([flag, option.name], type=kind, default=option.default, help=option.help)


def parsed(source: "Source", given: Sequence[str], own: Collection[str]) -> dict[str, Any]:
    """What the words that a command did not know itself say to the reader, but for options of `own` names."""
    options: list[click.Parameter] = [as_click(each) for each in source.options if each.name not in own]
    command = click.Command(source.key, params=options, add_help_option=False)
    usual = {each.name: each.default for each in source.options}
    try:
        found = command.make_context(source.key, list(given)).params
    except click.UsageError as error:
        said = error.format_message()
        raise FerlineError(
            f"{said}{'' if said[-1] in '.?' else '.'} See --help, and `ferline data add {source.key} --help` for the "
            "reader's own"
        ) from None
    return {name: value for name, value in found.items() if value != usual[name]}

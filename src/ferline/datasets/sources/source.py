"""What a reader of a downloaded dataset is: from files as people have them to the rows of a raw set."""

import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from ferline.errors import FerlineError

Row = Mapping[str, Any]  # columns of samples.SHARD_SCHEMA; `id` and `image` at least


@dataclass(frozen=True)
class About:
    """What a user must know of a set before using it. Its terms are stated and kept: nothing is ever downloaded."""

    title: str
    terms: str
    where: str  # to ask for it, or who holds it
    citation: str
    cropped: bool = False  # the images are faces cut out already, so no detector should look for one


@dataclass(frozen=True)
class Found:
    """One of the forms in which a set is distributed, recognised on disk; only names and headers are read by now."""

    form: str  # in words, for the card: "Kaggle folders train/EMOTION/*.jpg"
    rows: Iterable[Row]
    total: int | None = None  # how many rows come, where that is known without reading them
    notes: list[str] = field(default_factory=list)  # what was left out and why; complete once the rows are read
    cropped: bool | None = None  # where this form differs from what About says of the set


@dataclass(frozen=True)
class Option:
    """One keyword-only parameter of a reader, as the command line offers it."""

    name: str
    kind: type
    default: Any
    help: str


@dataclass(frozen=True)
class Source:
    """A reader with its name. `read(source, **options)` gives what was Found, or says what is wrong with `source`."""

    key: str
    about: About
    read: Callable[..., Found]

    @property
    def options(self) -> list[Option]:
        """Each is written `name: Annotated[kind, "its help"] = default` in the reader's signature."""
        hints = get_type_hints(self.read, include_extras=True)
        parameters = inspect.signature(self.read).parameters.values()
        return [_option(p.name, hints[p.name], p.default) for p in parameters if p.kind is p.KEYWORD_ONLY]

    def told(self, options: Mapping[str, Any]) -> dict[str, str]:
        """Those that are not the usual ones; of a path its last name: where it lay on somebody's disk nobody needs."""
        usual = {option.name: option.default for option in self.options}
        given = sorted((key, value) for key, value in options.items() if value != usual[key])
        return {key: value.name if isinstance(value, Path) else str(value) for key, value in given}


SOURCES: dict[str, Source] = {}


def register_source(key: str, about: About) -> Callable[[Callable[..., Found]], Callable[..., Found]]:
    """For `def read(source: Path, *, option: Annotated[kind, "help"] = default) -> Found`."""

    def register(read: Callable[..., Found]) -> Callable[..., Found]:
        if key in SOURCES:
            raise ValueError(f"two readers are registered as {key!r}")
        SOURCES[key] = Source(key, about, read)
        return read

    return register


def attributes(**values: Any) -> str | None:
    """What a set says of an image beyond our columns, as the text that the `attributes` column holds."""
    known = {name: value for name, value in values.items() if value is not None}
    return json.dumps(known, sort_keys=True) if known else None


def wrong_place(source: Path, title: str, looked_for: Sequence[str], example: str) -> FerlineError:
    """For a source that is none of a set's forms: what is there, what would be, and how the right one looks."""
    wanted = "\n".join(f"  - {each}" for each in looked_for)
    return FerlineError(
        f"{source}: this is not {title} in a form known here. Nothing was added.\n"
        f"Found: {_inventory(source)}\nLooked for:\n{wanted}\nThe right tree, for example:\n{example.rstrip()}"
    )


def _inventory(source: Path) -> str:
    if not source.exists():
        return "nothing; the path does not exist"
    if source.is_file():
        return f"one file of {source.stat().st_size:,} bytes, {source.suffix or 'without an ending'}"
    here = sorted(source.iterdir())
    folders = [path.name for path in here if path.is_dir()]
    files = Counter(path.suffix.lower() or "no ending" for path in here if path.is_file())
    parts = [f"{len(folders)} folders ({', '.join(folders[:6])}{', ...' * (len(folders) > 6)})"] if folders else []
    parts += [f"{count} files ({suffix})" for suffix, count in files.most_common(4)]
    return ", ".join(parts) or "an empty folder"


def _option(name: str, hint: Any, default: Any) -> Option:
    if len(get_args(hint)) != 2:
        raise ValueError(f"option {name!r}: write Annotated[kind, 'help']")
    kind, text = get_args(hint)
    plain = next((each for each in get_args(kind) if each is not type(None)), kind)  # of `Path | None`, Path
    return Option(name, get_origin(plain) or plain, default, str(text))

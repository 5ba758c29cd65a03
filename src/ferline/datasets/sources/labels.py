"""What people call the classes and splits of their own sets, and what they may write to say what they mean."""

import csv
from collections.abc import Iterable, Mapping
from io import StringIO

from ferline.datasets.sources.files import few
from ferline.emotions import KNOWN, named
from ferline.errors import FerlineError


class Classes:
    """Names to emotions: those that everybody knows, and those that a user's `map` adds ("joyful=happy,blank=")."""

    def __init__(self, text: str = "") -> None:
        self._text = text.strip()
        entries = [_entry(each) for each in _listed(self._text)]
        self._mapped = dict(entries)
        if len(self._mapped) < len(entries):
            raise FerlineError(f"--map: {self._text!r} names something twice. Nothing was added")
        self._met: set[str] = set()

    def knows(self, name: str) -> bool:
        return _key(name) in self._mapped or named(name) is not None

    def emotion(self, name: str) -> str | None:
        """The emotion of a name that is known; None for one whose images are to be left out."""
        key = _key(name)
        if key not in self._mapped:
            return named(name)
        self._met.add(key)
        return self._mapped[key]

    def unknown(self, counts: Mapping[str, int], where: str) -> FerlineError:
        """All the names that are not known, with their numbers of images, and the option to write."""
        missing = {name: count for name, count in counts.items() if not self.knows(name)}
        listed = [f"{name!r} ({count:,} images)" for name, count in sorted(missing.items())]
        written = ",".join(part for part in (self._text, _written(f"{name}=..." for name in sorted(missing))) if part)
        return FerlineError(
            f"{where}: {len(missing)} names that are no known emotion: {', '.join(listed)}. Known are "
            f"{', '.join(KNOWN)} and their usual synonyms, in any case. Write --map '{written}' with an "
            "emotion in place of each ... (nothing in its place leaves those images out). Nothing was added"
        )

    def require_all_met(self, names: Iterable[str], where: str) -> None:
        """A name in `map` that the set does not have is a slip of the pen, and its images went elsewhere."""
        if missing := sorted(set(self._mapped) - self._met):
            raise FerlineError(
                f"{where}: --map speaks of {', '.join(map(repr, missing))}, and there is no such class. "
                f"The classes here: {few(sorted(set(names)), 20)}. Nothing was added"
            )


def _listed(text: str) -> list[str]:
    """Commas part the entries; a name that has one itself stands in double quotes."""
    return next(csv.reader([text], skipinitialspace=True), []) if text else []


def _written(entries: Iterable[str]) -> str:
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(list(entries))
    return line.getvalue()


def _entry(text: str) -> tuple[str, str | None]:
    name, equals, meant = text.rpartition("=")
    emotion = named(meant)
    if not equals or (meant.strip() and emotion is None):
        raise FerlineError(
            f"--map: {text!r} is not NAME=EMOTION, the emotion being one of {', '.join(KNOWN)} "
            "or nothing at all (which leaves NAME out). Nothing was added"
        )
    return _key(name), emotion


def _key(name: str) -> str:
    return name.strip().lower()

"""What a step's cache key depends on besides its own function: the library code that it calls."""

import re
from functools import cache
from pathlib import Path

from zenml.config.cache_policy import CachePolicy
from zenml.utils.source_utils import get_source_root

import ferline
from ferline.home import ROOT

LIBRARY = Path(ferline.__file__).parent
# One import of ours to a statement, at any depth, as ruff writes them: `from PACKAGE import A, B` or `import MODULE`.
IMPORT = re.compile(r"^ *(?:from (ferline[\w.]*) import (\([^)]*\)|.*)|import (ferline\.[\w.]+))", re.MULTILINE)


def following(*modules: str, files: tuple[Path, ...] = ()) -> CachePolicy:
    """Run the step again when the source of these modules changes, of any ferline module that they import, or the
    environment: another torch is another result."""
    sources = {path for module in modules for path in _closure(module)}
    lock = {path for path in (ROOT / "requirements.lock",) if path.is_file()}
    return CachePolicy(include_artifact_ids=False, file_dependencies=_named(sources | lock | set(files)))


def _named(paths: set[Path]) -> list[str]:
    """From the source root, where a pod has them too: its project is not in the folder that this machine has it in."""
    root = Path(get_source_root())
    return [str(path.relative_to(root) if path.is_relative_to(root) else path) for path in sorted(paths)]


def _closure(module: str) -> set[Path]:
    found: set[Path] = set()
    pending = _files(module)
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending |= {each for name in _imports(path) for each in _files(name)}
    return found


def _files(module: str) -> set[Path]:
    """The source of a module; of a package, all of it. Names that are no module (a class, a function) have none."""
    path = LIBRARY.joinpath(*module.split(".")[1:])
    if path.is_dir() and path != LIBRARY:
        return set(path.rglob("*.py"))
    file = path.with_suffix(".py")
    return {file} if file.is_file() else set()


@cache  # ten steps follow much the same files
def _imports(path: Path) -> set[str]:
    """Read by a pattern: Python's own parser takes a second for all of the library, at every start of a pipeline."""
    names: set[str] = set()
    for package, inside, module in IMPORT.findall(path.read_text()):
        if module:
            names.add(module)
        else:
            # `from ferline.faces import crop` may name a module or something in one; a package named alone is not meant
            named = {f"{package}.{name}" for name in re.findall(r"(\w+)(?: as \w+)?", re.sub("#.*", "", inside))}
            names |= {name for name in named if _files(name)} or {package}
    return names

"""Imports point down only, and the library imports on a machine that has none of the pipeline's tools."""

import ast
from pathlib import Path

import pytest

import ferline

LIBRARY = Path(ferline.__file__).parent
# From the bottom up; parts of one line do not import each other.
LAYERS = [
    {"errors", "emotions", "home"},
    {"artifact", "params"},
    {"images"},
    {"datasets"},
    {"faces"},
    {"models", "augment"},
    {"training", "evaluation"},
    {"jobs"},
    {"bench"},
    {"serving"},
    {"tracking", "drift"},
    {"promotion"},
    {"lineage", "reporting", "retraining"},
    {"cli"},
]
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
TOOLS = {"zenml", "mlflow", "dvc", "great_expectations", "pydantic", "yaml"}
ON_TOP = {"tracking", "promotion", "lineage", "reporting", "retraining"}  # what stands on MLflow
FILES = sorted(path for path in LIBRARY.rglob("*.py") if path.relative_to(LIBRARY).parts[0] != "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Parts of ferline that are imported anywhere in a file."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "ferline":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ferline."):
            names.add(str(node.module).split(".")[1])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_imports_point_down(path: Path) -> None:
    own = part_of(path)
    up = {name for name in imported(ast.parse(path.read_text())) - {own} if RANK[name] >= RANK[own]}
    assert not up, f"{own} imports {', '.join(sorted(up))}, which stand above it or beside it"


def test_every_part_has_its_layer() -> None:
    assert {part_of(path) for path in FILES} == set(RANK)


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) not in ON_TOP], ids=lambda path: path.stem)
def test_nothing_below_tracking_needs_the_pipelines_tools_to_be_imported(path: Path) -> None:
    top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name.split(".")[0] for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module).split(".")[0] for node in top if isinstance(node, ast.ImportFrom)}
    assert not names & TOOLS

"""What makes a step run again: the library code it calls, near and far, and no other."""

import ast
import importlib.util
from pathlib import Path

import pytest

from steps import _caching
from steps._caching import following


@pytest.fixture
def library(tmp_path, monkeypatch) -> Path:
    """A small library of three modules: a calls b, c stands alone."""
    root = tmp_path / "ferline"
    (root / "deep").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "deep" / "__init__.py").write_text("")
    (root / "deep" / "a.py").write_text("def late():\n    from ferline.b import helper\n    return helper\n")
    (root / "b.py").write_text("def helper(): return 1\n")
    (root / "c.py").write_text("x = 1\n")
    monkeypatch.setattr(_caching, "LIBRARY", root)
    return root


def names(policy) -> set[str]:
    return {Path(path).name for path in policy.file_dependencies} - {"requirements.lock"}


def test_imports_are_followed_at_any_depth(library):
    assert names(following("ferline.deep.a")) == {"a.py", "b.py"}


def test_a_package_means_all_of_it(library):
    assert names(following("ferline.deep")) == {"__init__.py", "a.py", "b.py"}


def test_imports_are_read_as_python_reads_them():
    """In all of the library and the steps: a form that the pattern does not know would leave a step in the cache."""
    for path in [*_caching.LIBRARY.rglob("*.py"), *(Path(__file__).parents[1] / "steps").glob("*.py")]:
        named: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ferline"):
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                named |= {name for name in inside if _caching._files(name)} or {str(node.module)}
            elif isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names if alias.name.startswith("ferline.")}
        assert _caching._imports(path) == named, path


def test_imports_of_several_lines_with_comments_and_other_names(library):
    text = "from ferline import (  # two\n    b as other,  # c is not meant\n    deep,\n)\n"
    (library / "c.py").write_text(text)
    assert names(following("ferline.c")) == {"a.py", "b.py", "c.py", "__init__.py"}


def test_files_may_be_added(library, tmp_path):
    assert "c.py" not in names(following("ferline.b"))
    assert names(following("ferline.b", files=(library / "c.py",))) == {"b.py", "c.py"}


def test_another_environment_is_another_result(library):
    assert "requirements.lock" in following("ferline.b").file_dependencies


def test_every_step_follows_real_files():
    for path in (Path(__file__).parents[1] / "steps").glob("[a-z]*.py"):
        spec = importlib.util.spec_from_file_location(f"steps.{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        step = getattr(module, path.stem)
        if path.stem == "promote":
            assert step.configuration.enable_cache is False
        else:
            files = step.configuration.cache_policy.file_dependencies
            assert files, path
            assert all(Path(file).is_file() for file in files)

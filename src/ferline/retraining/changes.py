"""What differs between a commit and the working tree: data, parameters, results. From git's and DVC's own records."""

import io
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ferline.emotions import in_order
from ferline.errors import FerlineError
from ferline.tracking.exported import counts

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_BOXES = re.compile(r"[│╭╮╰╯─]+")  # what ZenML draws around a traceback
_SHOWN = 15  # lines of a log, where it ends in no message of ours


@dataclass(frozen=True)
class State:
    """What a commit, or the working tree, says of data and results; None where it says nothing."""

    data: str | None  # the set's name
    version: str | None  # DVC's md5 of it
    counts: dict[str, Any] | None
    metrics: dict[str, Any]
    decision: dict[str, Any] | None
    confusion: pd.DataFrame | None  # faces; actual by predicted

    @property
    def best(self) -> str | None:
        """The architecture that was chosen."""
        return str(self.decision["candidate"]["architecture"]) if self.decision else None

    @property
    def decided(self) -> dict[str, Any]:
        """What became of it; the figures of the decision are new at every run."""
        return {key: (self.decision or {}).get(key) for key in ("outcome", "mode", "promoted", "champion_version")}


@dataclass(frozen=True)
class Failure:
    """Why nothing was retrained: our own message, or how the log ends."""

    message: tuple[str, ...]
    ours: bool
    report: str | None  # where validation left its page


@dataclass(frozen=True)
class Changes:
    base: str  # as it was asked for
    commit: str
    before: State
    now: State
    parameters: dict[str, tuple[Any, Any]]  # by dotted name, before and now
    failure: Failure | None

    @property
    def any(self) -> bool:
        compared = [(state.data, state.version, state.metrics, state.decided) for state in (self.before, self.now)]
        return bool(self.parameters) or compared[0] != compared[1]


def changes(project: Path, base: str, log: Path | None = None) -> Changes:
    """`base` against the working tree; with the log of a retraining that failed, its reason in place of results."""
    commit = _git(project, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    if commit is None:
        raise FerlineError(f"{base}: no commit of this clone. Fetch it: git fetch origin, or git fetch --unshallow")
    return Changes(
        base=base,
        commit=commit.strip(),
        before=_state(project, commit.strip()),
        now=_state(project, None),
        parameters=_parameters(project, commit.strip()),
        failure=None if log is None else failure_of(_read_log(log)),
    )


def failure_of(log: str) -> Failure:
    """The last message of ours in what `dvc repro` printed, else its last lines."""
    text = _COLOURS.sub("", log)
    found = re.findall(r"^Error: (.*?)(?=^ERROR: |^Error: |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        lines = [line for line in (_BOXES.sub("", each).strip() for each in text.splitlines()) if line]
        return Failure(tuple(lines[-_SHOWN:]), ours=False, report=None)
    lines = [line.strip() for line in found[-1].splitlines() if line.strip()]
    pages = [line.removeprefix("The report: ") for line in lines if line.startswith("The report: ")]
    report = re.sub(r"^.*?(?=\.ferline/)", "", pages[-1]) if pages else None
    return Failure(tuple(line for line in lines if not line.startswith("The report: ")), ours=True, report=report)


def _state(project: Path, commit: str | None) -> State:
    name = _set_named(_text(project, commit, "params.yaml"))
    pointer = yaml.safe_load(_text(project, commit, f"data/raw/{name}.dvc") or "") or {}
    table = _text(project, commit, "reports/confusion.csv")
    here = counts(project, name) if name and commit is None else None
    return State(
        data=name,
        version=pointer["outs"][0]["md5"] if pointer else None,
        # The working tree's set may be newer than its results, and one that validation refuses has none.
        counts=_json(project, commit, "data.json") if commit else here,
        metrics=_json(project, commit, "metrics.json") or {},
        decision=_json(project, commit, "promotion.json"),
        confusion=_confusion(table) if table else None,
    )


def _set_named(params: str | None) -> str | None:
    """dataset.name; None where params.yaml is missing or no YAML, of which the pipeline itself says what is wrong."""
    try:
        content = yaml.safe_load(params or "")
        return str(content["dataset"]["name"])
    except (yaml.YAMLError, KeyError, TypeError):
        return None


def _confusion(table: str) -> pd.DataFrame:
    faces = pd.read_csv(io.StringIO(table), dtype=str)
    emotions = list(in_order({*faces["actual"], *faces["predicted"]}))
    return pd.crosstab(faces["actual"], faces["predicted"]).reindex(index=emotions, columns=emotions, fill_value=0)


def _parameters(project: Path, commit: str) -> dict[str, tuple[Any, Any]]:
    """As `dvc params diff` has them."""
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        found = repo.params.diff(a_rev=commit).get("diff", {})
    values = found.get("params.yaml", {})
    return {name: (each.get("old"), each.get("new")) for name, each in sorted(values.items())}


def _json(project: Path, commit: str | None, name: str) -> dict[str, Any] | None:
    text = _text(project, commit, f"reports/{name}")
    return None if text is None else dict(json.loads(text))


def _text(project: Path, commit: str | None, path: str) -> str | None:
    """A file as it is in a commit, or on the disk; None where it is not there."""
    if commit is not None:
        return _git(project, "show", f"{commit}:./{path}")
    return (project / path).read_text() if (project / path).is_file() else None


def _git(project: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _read_log(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise FerlineError(f"{path}: the log cannot be read ({error.strerror})") from None

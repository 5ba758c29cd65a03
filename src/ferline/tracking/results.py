"""What the store says about finished runs: the newest leaderboard, the champion, and files for DVC to compare."""

import csv
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mlflow

from ferline.artifact import write_json
from ferline.errors import FerlineError
from ferline.models.trained import CARD
from ferline.tracking import registry, store


def latest_leaderboard() -> dict[str, Any]:
    """leaderboard.json of the newest pipeline run that got that far."""
    return dict(mlflow.artifacts.load_dict(f"runs:/{_latest_parent()}/leaderboard/leaderboard.json"))


def champion_card(name: str) -> dict[str, Any]:
    found = registry.champion(name)
    if found is None:
        raise FerlineError(
            f"{mlflow.get_tracking_uri()} has no champion of the name {name!r}. Run: zenml pipeline run fer_training"
        )
    return {
        "name": found.name,
        "version": found.version,
        "uri": f"models:/{found.name}@{registry.CHAMPION}",
        **found.tags,
    }


def champion_text(card: dict[str, Any]) -> str:
    lines = [f"Champion: {card['architecture']}, registered as {card['name']} version {card['version']}"]
    lines += [
        f"  {key:22} {value}" for key, value in card.items() if key not in ("name", "version", "architecture", "uri")
    ]
    return "\n".join([*lines, f"  load it:               mlflow.pyfunc.load_model({card['uri']!r})"])


def export(folder: Path) -> list[Path]:
    """metrics.json, confusion.csv (one line a test face) and curves.csv (one line an epoch) of the newest run."""
    board, parent = latest_leaderboard(), _latest_parent()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "metrics.json", {row["architecture"]: _numbers(row) for row in board["rows"]})
    _write_csv(folder / "confusion.csv", ["actual", "predicted"], _answers(board["rows"][0]["model_digest"]))
    curves = [point for row in board["rows"] for point in _curves(parent, row["architecture"])]
    names = sorted({key for point in curves for key in point} - {"architecture", "epoch"})
    _write_csv(
        folder / "curves.csv",
        ["architecture", "epoch", *names],
        ([p.get(k, "") for k in ("architecture", "epoch", *names)] for p in curves),
    )
    return sorted(folder.glob("*.*"))


def _latest_parent() -> str:
    found = store.search("tags.`ferline.kind` = 'pipeline' and tags.`ferline.leaderboard` LIKE '%'", 1)
    if not found:
        raise FerlineError(
            f"{mlflow.get_tracking_uri()} holds no finished run yet. Run: zenml pipeline run fer_training"
        )
    return str(found[0].info.run_id)


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    """What should be compared between commits: not digests, and not times measured on a busy machine."""
    kept = {key: row[key] for key in ("validation", "test", "parameters", "best_epoch") if key in row}
    return {key: _only_numbers(value) if isinstance(value, dict) else value for key, value in kept.items()}


def _only_numbers(values: dict[str, Any]) -> dict[str, float]:
    return {
        key: value for key, value in values.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _answers(model_digest: str) -> Iterable[list[str]]:
    import pandas as pd

    rows = store.search(f"tags.`model.digest` = '{model_digest}' and tags.`ferline.kind` = 'architecture'", 1)
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(
            run_id=rows[0].info.run_id, artifact_path="predictions.parquet", dst_path=folder
        )
        table = pd.read_parquet(path)
    table = table[table["split"] == "test"]
    emotions = mlflow.artifacts.load_dict(f"runs:/{rows[0].info.run_id}/{CARD}")["emotions"]
    return [[emotions[a], emotions[p]] for a, p in zip(table["label"], table["predicted"], strict=True)]


def _curves(parent: str, architecture: str) -> list[dict[str, Any]]:
    """The row's own history; for a run served wholly from the cache, the newest row of that architecture."""
    kind = f"tags.`ferline.architecture` = '{architecture}'"
    kind += " and tags.`model.digest` LIKE '%'"  # a row that is whole
    found = store.search(f"{kind} and tags.`mlflow.parentRunId` = '{parent}'", 1) or store.search(kind, 1)
    history = mlflow.artifacts.load_dict(f"runs:/{found[0].info.run_id}/history.json")
    return [{"architecture": architecture, **record} for record in history]


def _write_csv(path: Path, header: list[str], lines: Iterable[Iterable[Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(lines)

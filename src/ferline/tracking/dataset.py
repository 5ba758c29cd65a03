"""The data of a row as MLflow's own dataset inputs: its name, what DVC calls this version, our digest of the split."""

import json
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from ferline.errors import FerlineError

CONTEXTS = ("training", "evaluation")


def pointer_of(name: str, root: Path = Path()) -> Path:
    return root / "data" / "raw" / f"{name}.dvc"


def revision_of(pointer: Path) -> str | None:
    """DVC's MD5 of the set that a pointer names (of the folder, that is of its list of files); None without one."""
    if not pointer.exists():
        return None
    try:
        return str(yaml.safe_load(pointer.read_text())["outs"][0]["md5"])
    except (yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        raise FerlineError(f"{pointer}: not a pointer of DVC ({error!r}). Restore it: git checkout {pointer}") from None


def input_of(origin: dict[str, Any], context: str) -> DatasetInput:
    """`origin`: a face set's, or a model's card.

    MLflow keeps one input of a name and digest on a run, so what is trained on and what is scored have a name each.
    """
    name = str(origin["dataset"]["name"])
    pointer = pointer_of(name)
    revision = revision_of(pointer)
    source = {"pointer": pointer.as_posix(), "md5": revision, "raw_digest": origin.get("raw_digest")}
    dataset = Dataset(
        name=name if context == "training" else f"{name}, held out",
        # At most 36 characters there; without DVC (scored on its own) the digest of the split stands for it.
        digest=(revision or origin["data_digest"])[:36].removesuffix(".dir"),
        source_type="dvc" if revision else "local",
        source=json.dumps(source),
    )
    told = {
        MLFLOW_DATASET_CONTEXT: context,
        "data.digest": origin["data_digest"],
        "protocol": origin["dataset"]["protocol"],
    }
    return DatasetInput(dataset, [InputTag(key, str(value)) for key, value in told.items()])

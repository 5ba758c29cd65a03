"""From the names of raw sets to an audit of them, together where there are several."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from ferline.datasets import inspection
from ferline.datasets.audit.audit import audit
from ferline.datasets.audit.findings import Findings
from ferline.datasets.audit.picture import pictures_of, together
from ferline.datasets.audit.report import Audit
from ferline.datasets.card import card_of
from ferline.datasets.ingest import dataset_named, ingest, require_set
from ferline.datasets.samples import Samples
from ferline.emotions import KNOWN
from ferline.errors import FerlineError
from ferline.params import DatasetParams, Params


def audited(
    root: Path, names: tuple[str, ...], protocol: str | None, params: Params, target: Path
) -> tuple[Audit, Findings]:
    """The audit of these sets, left at `target`: of what the pipeline trains on, or else of all that each set holds.

    Without a protocol each is split as params.yaml or its card says.
    """
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise FerlineError(f"{', '.join(twice)} is named twice; name every set once")
    trained = as_trained(names, protocol, params)
    samples = {name: ingest(root, params.dataset) if trained else whole(root, name, protocol, params) for name in names}
    table, pictures = together({name: (_sides(each), pictures_of(each)) for name, each in samples.items()})
    findings = audit(table.drop(columns="dataset") if len(names) == 1 else table, pictures)
    title = ", ".join(f"{name} ({_split(each)})" for name, each in samples.items())
    return Audit.write(findings, f"Leakage audit of {title}", table, pictures, target), findings


def as_trained(names: tuple[str, ...], protocol: str | None, params: Params) -> bool:
    """Whether what is asked for is what the pipeline trains on: of anything else it would draw no consequences."""
    return protocol is None and names == (params.dataset.name,)


def _sides(samples: Samples) -> pd.DataFrame:
    return samples.table.assign(split=inspection.sides_of(samples.table))


def _split(samples: Samples) -> str:
    dataset = samples.origin["dataset"]
    folds = f", {dataset['folds']} folds" if dataset["folds"] else ""
    return f"protocol {dataset['protocol']}{folds}"


def whole(root: Path, name: str, protocol: str | None = None, params: Params | None = None) -> Samples:
    """All of a set, every emotion and no folds, split so that an audit can say what the split gives away."""
    raw = require_set(root, dataset_named(name))
    own = params is not None and params.dataset.name == name
    dataset = params.dataset if params is not None and own else DatasetParams(name)
    if protocol is None and not own:
        protocol = str(card_of(raw)["suggested"]["protocol"])
    dataset = replace(dataset, emotions=KNOWN, folds=0, fraction=1.0)
    if protocol is not None:
        dataset = dataset_named(**vars(dataset) | {"protocol": protocol})
    return ingest(root, dataset)

"""The five papers' networks on FER2013, FER+ and CK+48: each as its paper splits, and honestly, with several seeds.

    export PYTHONPATH=src
    python benchmarks/papers.py --csv fer2013.csv --votes fer2013new.csv --ckplus CK+48 --out papers.json
    python benchmarks/papers.py ... --done papers.json --out papers.json       # goes on where the last sitting ended

Papers' values, but for ImageNet's weights, which have to be there (`--imagenet`): without, all start from random ones
and no layer is frozen. `--side 48` trains those of 224 pixels on smaller faces, as a CPU can. Rows go into the JSON one
by one; `--seconds` ends the sitting before a row that would not fit. A training that was stopped goes on when the same
command is given again.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from floor import PAPERS
from h200 import AUGMENTATIONS
from real_faces import Clock, checkpoints_of, commit, faces_of

from ferline.artifact import scratch_folder, write_json
from ferline.augment.policy import AugmentationPolicy
from ferline.emotions import KNOWN
from ferline.evaluation.metrics import score
from ferline.evaluation.predictions import probability_columns
from ferline.evaluation.scores import scores_of
from ferline.faces.faceset import FaceSet
from ferline.params import ArchitectureParams, ComputeParams, DatasetParams, EvaluationParams, FaceParams
from ferline.training.loop import train

CK = tuple(emotion for emotion in KNOWN if emotion != "neutral")
# As in params.yaml, whose reader needs pydantic: what floor.PAPERS leaves out because it changes no speed.
TRAINING: dict[str, dict[str, Any]] = {
    "cnn_lstm": {"monitor": "loss", "early_stopping": 5},
    "resnet50_resnet34": {"learning_rate": 1e-4},
    "resnet50_transfer": {"learning_rate": 1e-4, "schedule": "plateau"},
}
OPTIMISERS: dict[str, dict[str, Any]] = {
    "adam": {},
    "sgd": {"optimiser": "sgd", "learning_rate": 1e-3},
    "rmsprop": {"optimiser": "rmsprop", "momentum": 0.0},
}


@dataclass(frozen=True)
class Row:
    """One network on one set under one protocol: a training a seed, or a fold."""

    model: str
    reader: str
    dataset: DatasetParams
    optimiser: str = "adam"
    seeds: int = 1
    side: int | None = None  # of its faces, where that is not the paper's

    @property
    def name(self) -> str:
        size = f"-{self.side}px" if self.side else ""
        return f"{self.model}-{self.optimiser}-{self.reader}-{self.dataset.protocol.replace(':', '_')}{size}"

    @property
    def members(self) -> list[tuple[int | None, int]]:
        folds = self.dataset.folds
        return [(fold, 0) for fold in range(folds)] if folds else [(None, seed) for seed in range(self.seeds)]


def rows(seeds: int) -> Iterator[Row]:
    """Quick ones first: what a sitting cuts off is the hybrid's three optimisers at 224 pixels."""
    paper = {key: f"paper:{key}" for key in PAPERS}
    yield Row("cnn_lstm", "ferplus", DatasetParams("ferplus", paper["cnn_lstm"]))
    yield Row("cnn_lstm", "ferplus", DatasetParams("ferplus"), seeds=seeds)
    yield Row("cnn_lstm_svm", "fer2013", DatasetParams("fer2013", paper["cnn_lstm_svm"]))
    yield Row("cnn_lstm_svm", "fer2013", DatasetParams("fer2013"), seeds=seeds)
    yield Row("resnet50_gru", "ckplus", DatasetParams("ckplus", paper["resnet50_gru"], emotions=CK))
    yield Row("resnet50_gru", "ckplus", DatasetParams("ckplus", "subject", folds=10, emotions=CK))
    yield Row("resnet50_transfer", "fer2013", DatasetParams("fer2013", paper["resnet50_transfer"]))
    yield Row("resnet50_transfer", "fer2013", DatasetParams("fer2013"), seeds=seeds)
    for optimiser in OPTIMISERS:
        yield Row("resnet50_resnet34", "fer2013", DatasetParams("fer2013", paper["resnet50_resnet34"]), optimiser)
        yield Row("resnet50_resnet34", "fer2013", DatasetParams("fer2013"), optimiser, seeds)


def sized(row: Row) -> ArchitectureParams:
    """The paper's, for the row's faces."""
    base = PAPERS[row.model]
    return replace(base, input=replace(base.input, side=row.side)) if row.side else base


def architecture(row: Row, imagenet: bool, seed: int, given: argparse.Namespace) -> ArchitectureParams:
    base = sized(row)
    changes = TRAINING.get(row.model, {}) | (OPTIMISERS[row.optimiser] if row.model == "resnet50_resnet34" else {})
    changes |= {"seed": seed} | ({"epochs": given.epochs} if given.epochs else {})
    own = replace(base, training=replace(base.training, **changes), augmentation=AUGMENTATIONS[row.model])
    if own.weights == "none" or imagenet:
        return own
    options = {"frozen_layers": 0} if row.model == "resnet50_transfer" else {}
    return replace(own, weights="none", options=options)


def faces_for(row: Row, size: ArchitectureParams, given: argparse.Namespace) -> FaceSet:
    source = given.ckplus if row.reader == "ckplus" else given.csv
    votes = given.votes if row.reader == "ferplus" else None
    colour: Any = "grey" if size.input.channels == 1 else "rgb"
    preprocessing = FaceParams(side=size.input.side, colour=colour)
    return faces_of(row.reader, source, row.dataset, preprocessing, scratch_folder() / "faces", votes)


def trained(row: Row, given: argparse.Namespace) -> dict[str, Any]:
    """Every member of a row, and what they answer to their test faces."""
    faces = faces_for(row, sized(row), given)
    answers, members = [], []
    for fold, seed in row.members:
        own, split = architecture(row, given.imagenet, seed, given), faces.fold(fold)
        kept = checkpoints_of(row.name, own, split)
        clock = Clock(kept)
        policy = AugmentationPolicy.write(own.augmentation, split, own.input, seed)
        card = {**faces.origin, "faces_digest": faces.digest, "augmentation_digest": policy.digest}
        model = train(
            row.name, own, split, policy, card=card, compute=ComputeParams(graphs=given.graphs, checkpoint_seconds=300),
            checkpoints=kept, on_epoch=clock.note,
        )  # fmt: skip
        assert model is not None  # one process writes
        at = split.rows("test")
        shares = model.predict(split.images[at], device=str(model_device(model.card)))
        table = pd.DataFrame(shares, columns=probability_columns(faces.emotions))
        table["label"], table["subject"] = split.labels[at], split.table["subject"].to_numpy()[at]
        answers.append(table)
        found = score(split.labels[at], shares, faces.emotions)
        measures = {
            key: found[key] for key in ("accuracy", "macro_precision", "macro_recall", "macro_f1", "macro_specificity")
        }
        members.append(
            {"fold": fold, "seed": seed, "seconds": clock.stop(), "test": measures, "faces": len(at)}
            | {key: model.card[key] for key in ("validation", "best_epoch", "computed")}
            | {
                "history": model.history,
                "epochs": len(model.history),
                "train_accuracy": model.history[-1]["train_accuracy"],
            }
        )
        print(f"{row.name} fold {fold} seed {seed}: {measures} ({members[-1]['seconds']:.0f} s)", flush=True)
    pooled = pd.concat(answers) if row.dataset.folds else answers[0]
    scores = scores_of(pooled.reset_index(drop=True), faces.emotions, EvaluationParams())
    return {
        "name": row.name,
        "model": row.model,
        "optimiser": row.optimiser,
        "side": faces.side,
        "dataset": asdict(row.dataset),
        "weights": architecture(row, given.imagenet, 0, given).weights,
        "training": asdict(architecture(row, given.imagenet, 0, given).training),
        "scores": {key: scores[key] for key in ("faces", "accuracy", "macro_f1", "confusion", "intervals")},
        "members": members,
        "mean": {key: float(np.mean([each["test"][key] for each in members])) for key in members[0]["test"]},
        "sd": {key: float(np.std([each["test"][key] for each in members], ddof=1)) for key in members[0]["test"]}
        if len(members) > 1
        else None,
        "data_digest": faces.origin["data_digest"],
        "commit": commit(),
    }


def model_device(card: dict[str, Any]) -> str:
    return "cpu" if card["computed"]["device"] == "CPU" else "cuda"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--votes", type=Path, required=True)
    parser.add_argument("--ckplus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--done", type=Path, help="what an earlier sitting wrote")
    parser.add_argument("--names", nargs="+", help="rows, by a part of their name; all unless told")
    parser.add_argument("--seeds", type=int, default=3, help="of the honest protocols without folds")
    parser.add_argument("--seconds", type=float, default=560.0)
    parser.add_argument("--epochs", type=int, help="instead of the papers'")
    parser.add_argument("--side", type=int, help="pixels of a face, instead of the papers'; such rows are named by it")
    parser.add_argument("--imagenet", action="store_true", help="torchvision's weights are in torch.hub's folder")
    parser.add_argument("--graphs", action="store_true", help="steps as CUDA graphs")
    given = parser.parse_args()
    done = json.loads(given.done.read_text())["rows"] if given.done else []
    started, longest = time.monotonic(), 0.0
    for paper in rows(given.seeds):
        row = replace(paper, side=None if given.side == PAPERS[paper.model].input.side else given.side)
        wanted = not given.names or any(part in row.name for part in given.names)
        if not wanted or any(each["name"] == row.name for each in done):
            continue
        if time.monotonic() - started + longest > given.seconds:
            print(f"left for another sitting, from {row.name} on")
            break
        before = time.monotonic()
        done.append(trained(row, given))
        longest = max(longest, time.monotonic() - before)
        write_json(given.out, {"rows": done})


if __name__ == "__main__":
    main()

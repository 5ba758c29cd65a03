"""Ferline's own network on FER2013, from the raw CSV to a sealed model, and the search for its recipe.

    export PYTHONPATH=src
    python benchmarks/champion.py train  fer2013.csv fer2013new.csv --recipe large --out MODEL_FOLDER
    python benchmarks/champion.py train  fer2013.csv fer2013new.csv --recipe pupil --teachers ferline_large --out P
    python benchmarks/champion.py train  fer2013.csv fer2013new.csv --recipe medium --out A       # and --seed 1 --out B
    python benchmarks/champion.py train  fer2013.csv fer2013new.csv --recipe small --teachers A B --out MODEL_FOLDER
    python benchmarks/champion.py train  fer2013.csv fer2013new.csv --recipe again --weights L --teachers L P --out M
    python benchmarks/champion.py train  fer2013.csv fer2013new.csv --recipe hardened --weights S --teachers L --out M
    python benchmarks/champion.py mean   fer2013.csv fer2013new.csv --models S HARDENED --name MEAN --out M
    python benchmarks/champion.py calibrate fer2013.csv fer2013new.csv --models FOLDER --out MODEL_FOLDER
    python benchmarks/champion.py search fer2013.csv fer2013new.csv --recipe alone --epochs 12 --out search.json

Learns from every row of Training that FER+ gives a name to (the others show no face), without those whose pixels stand
in PublicTest too, and chooses the epoch on PublicTest's own labels. `search` changes one thing of the recipe at a time.
A training that was stopped goes on when the same command is given again. `mean` takes the mean of models' weights, of
which one began with another's. `calibrate` fits the temperature of a trained model's votes anew and notes the looks of
its faces, as a training of today does at its end. Needs no ZenML, no MLflow.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import real_faces
import torch

from ferline.artifact import scratch_folder, staging, state_folder, write_json
from ferline.augment.policy import AugmentationPolicy
from ferline.datasets.sources import SOURCES
from ferline.errors import FerlineError
from ferline.faces import look
from ferline.faces.faceset import FaceSet
from ferline.models import temperature
from ferline.models.start import require_alike
from ferline.models.trained import CARD, LOOKS, TrainedModel, card_of, logits
from ferline.params import (
    ArchitectureParams,
    AugmentationParams,
    ComputeParams,
    DatasetParams,
    FaceParams,
    InputParams,
    TrainingParams,
)
from ferline.serving.exam import examine
from ferline.training.loop import train
from ferline.training.scoring import scores

SIDE = 48
# How a photo's faces are cut for this model. In FER2013's pictures the Haar box is 0.967 of the side (the median of 583
# that were found among 800 of PublicTest, enlarged, with a border); so much around it gives the same frame.
PREPROCESSING = FaceParams(side=SIDE, colour="grey", margin=0.017)
AUGMENTATION = AugmentationParams(
    rotation=12, shear=5, zoom=0.12, shift=0.06, horizontal_flip=0.5, brightness=0.2, contrast=0.2, erasing=0.25,
    erasing_area=(0.02, 0.15),
)  # fmt: skip
ALONE = ArchitectureParams(
    "ferline_net",
    InputParams(SIDE, 1),
    TrainingParams(
        epochs=110, batch_size=64, optimiser="sgd", learning_rate=0.05, momentum=0.9, weight_decay=5e-4,
        schedule="cosine", warmup_epochs=1, label_smoothing=0.05, targets="both", ema=0.998, grow_from=32,
    ),
    options={"width": 32, "blocks": "1-2-2", "votes_head": True},
    augmentation=AUGMENTATION,
)  # fmt: skip
# The small one's teachers: 2.2 times its arithmetic a face, moved and covered more, for it learns by heart sooner.
MEDIUM = replace(
    ALONE,
    training=replace(ALONE.training, epochs=55),
    augmentation=replace(AUGMENTATION, rotation=15, zoom=0.15, shift=0.08, erasing=0.4, erasing_area=(0.02, 0.2)),
    options={"width": 48, "blocks": "1-2-2", "dropout": 0.3, "votes_head": True},
)
# The small one again, which learns from teachers: their shares are smooth enough, and hold it off learning by heart.
SMALL = replace(
    ALONE,
    training=replace(ALONE.training, epochs=72, grow_for=0.4, taught=0.8),
    augmentation=MEDIUM.augmentation,
    options={"width": 32, "blocks": "1-2-2", "dropout": 0.1, "votes_head": True},
)
# For two CPU cores and an hour and a half: deeper where a face is 12 pixels wide, and used to the grain of a camera.
LARGE = replace(
    ALONE,
    training=replace(
        ALONE.training, epochs=130, batch_size=128, learning_rate=0.1, warmup_epochs=2, ema=0.997, grow_for=0.55
    ),
    augmentation=replace(MEDIUM.augmentation, noise=0.06),
    options={"width": 48, "blocks": "2-4-2", "dropout": 0.3, "votes_head": True},
)
# A block less, taught by it, with fewer epochs of small faces. Not shipped: it came out a little less accurate.
PUPIL = replace(
    LARGE,
    training=replace(LARGE.training, epochs=72, grow_for=0.25),
    options={"width": 48, "blocks": "2-3-2", "dropout": 0.2, "votes_head": True},
)
# The large one once more from its own weights (a warm restart, Loshchilov and Hutter, 2017), whole faces from the
# start, taught what it and the pupil hold together.
AGAIN = replace(
    LARGE,
    training=replace(LARGE.training, epochs=40, learning_rate=0.04, warmup_epochs=1, grow_from=0, taught=0.7),
)
# The small one once more, which noise had cost half of its answers: now it sees grain, and what the large one holds.
HARDENED = replace(
    SMALL,
    training=replace(SMALL.training, epochs=30, learning_rate=0.03, grow_from=0),
    augmentation=LARGE.augmentation,
)
# For a GPU: some 12 times the small one's arithmetic a face, larger batches; not trained yet.
HUGE = replace(
    ALONE,
    training=replace(ALONE.training, epochs=120, batch_size=256, learning_rate=0.2, warmup_epochs=5, ema=0.999),
    augmentation=MEDIUM.augmentation,
    options={"width": 64, "blocks": "2-4-4", "dropout": 0.3, "votes_head": True},
)
RECIPES = {
    "alone": ALONE,
    "medium": MEDIUM,
    "small": SMALL,
    "large": LARGE,
    "pupil": PUPIL,
    "again": AGAIN,
    "hardened": HARDENED,
    "huge": HUGE,
}
TAUGHT = ("small", "pupil", "again", "hardened")
RESTARTED = ("again", "hardened")


def faces_of(csv: Path, votes: Path, folder: Path) -> FaceSet:
    """Training's rows to train on, PublicTest's to choose by, no picture of which stands in both."""
    dataset = DatasetParams("ferplus", labels="own")
    return real_faces.faces_of("ferplus", csv, dataset, PREPROCESSING, folder, votes, as_found=True)


def trained(name: str, recipe: ArchitectureParams, faces: FaceSet, target: Path) -> TrainedModel:
    """The best epoch of this recipe, with the commit and the time that it took on its card."""
    policy = AugmentationPolicy.write(recipe.augmentation, faces, recipe.input, recipe.training.seed)
    card = {
        **faces.origin,
        "faces_digest": faces.digest,
        "augmentation_digest": policy.digest,
        "commit": real_faces.commit(),
    }
    started = time.monotonic()

    def show(record: dict[str, Any]) -> None:
        told = "  ".join(f"{key} {value:.4g}" for key, value in record.items() if key != "epoch")
        print(f"{name}  {time.monotonic() - started:6.0f} s  epoch {record['epoch']}  {told}", flush=True)

    model = train(
        name, recipe, faces, policy, card=card, compute=ComputeParams(checkpoint_seconds=300),
        checkpoints=real_faces.checkpoints_of(name, recipe, faces), on_epoch=show, target=target,
    )  # fmt: skip
    assert model is not None  # one process writes
    return model


def calibrated(model: TrainedModel, faces: FaceSet, target: Path, name: str) -> TrainedModel:
    """The same network with what a training of today writes at its end: the votes' temperature, fitted, the looks of
    what was seen and the digest of its split; and the commit that did."""
    _require_learnt_from(faces, model)
    rows = faces.rows("validation")
    fitted = temperature.fit_shares(model.voted().logits(faces.images[rows]), faces.second_opinions(rows))
    seen = np.concatenate([faces.rows("train"), rows])
    with staging(target) as folder:
        for file in model.manifest:
            shutil.copyfile(model.folder / file, folder / file)
        np.save(folder / LOOKS, np.unique(look.looks(faces.images[row] for row in seen), axis=0), allow_pickle=False)
        own = {"architecture": name, "votes_temperature": fitted, "split_digest": faces.split_digest}
        own |= {"calibrated": real_faces.commit()}
        write_json(folder / CARD, model.card | own)
    return TrainedModel(target)


def mean_of(models: Sequence[TrainedModel], faces: FaceSet, target: Path, name: str) -> TrainedModel:
    """The mean of the weights of networks, of which one began with another's (model soups, Wortsman et al., 2022).

    As fast as one of them. Its card and its epochs are those of the last one, with what was fitted and scored anew.
    """
    _require_learnt_from(faces, *models)
    *others, last = models
    network = last.network()
    for other in others:
        require_alike(network, other)
    states = [model.network().state_dict() for model in models]
    network.load_state_dict(
        {key: torch.stack([state[key].double() for state in states]).mean(0).to(own) for key, own in states[0].items()}
    )
    network.weights = last.card["weights"]
    rows = faces.rows("validation")
    labelled = logits(network, faces.images[rows])
    voted = logits(network, faces.images[rows], answer=network.as_voted)
    anew = {
        "architecture": name,
        "mean_of": [{"architecture": model.card["architecture"], "digest": model.digest} for model in models],
        "averaged": real_faces.commit(),
        "validation": scores(torch.from_numpy(labelled).float(), torch.from_numpy(faces.labels[rows]).long()),
        "temperature": temperature.fit(labelled, faces.labels[rows]),
        "votes_temperature": temperature.fit_shares(voted, faces.second_opinions(rows)),
    }
    card = {key: value for key, value in last.card.items() if key not in card_of(network)}
    seen, looked = (np.concatenate(each) for each in zip(*((model.seen, model.looks) for model in models), strict=True))
    return TrainedModel.write(network, card | anew, last.history, target, seen, looked)


def _require_learnt_from(faces: FaceSet, *models: TrainedModel) -> None:
    for model in models:
        if model.card["faces_digest"] != faces.digest:
            raise FerlineError(
                f"{model.folder}: was trained on other faces than these. Give the files that it learnt from"
            )


def changed(recipe: ArchitectureParams, **values: Any) -> ArchitectureParams:
    """The recipe with values of its training, augmentation or options in place of its own."""
    parts = {"training": recipe.training, "augmentation": recipe.augmentation}
    for part, own in parts.items():
        parts[part] = replace(own, **{key: value for key, value in values.items() if hasattr(own, key)})
    known = {key for own in parts.values() for key in asdict(own)}
    options = {key: value for key, value in values.items() if key not in known}
    return replace(recipe, **parts, options=recipe.options | options)


# One thing at a time, from the recipe; of what helps, the next recipe is made.
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "labels only": {"targets": "label", "votes_head": False},
    "whole side from the start": {"grow_from": 0},
    "no label smoothing": {"label_smoothing": 0.0},
    "more label smoothing": {"label_smoothing": 0.15},
    "no average of weights": {"ema": 0.0},
    "no erasing": {"erasing": 0.0},
    "more erasing": {"erasing": 0.5, "erasing_area": (0.02, 0.25)},
    "less movement": {"rotation": 8, "shear": 0.0, "zoom": 0.08, "shift": 0.04},
    "more movement": {"rotation": 20, "shear": 10, "zoom": 0.2, "shift": 0.1},
    "noise": {"noise": 0.1},
    "no light": {"brightness": 0.0, "contrast": 0.0},
    "classes balanced": {"class_weights": "balanced"},
    "adamw": {"optimiser": "adamw", "learning_rate": 0.002, "weight_decay": 0.05},
    "twice the rate": {"learning_rate": 0.1},
    "more decay": {"weight_decay": 1e-3},
    "more dropout": {"dropout": 0.4},
    "wider": {"width": 48},
    "deeper": {"blocks": "2-3-3"},
}


def search(name: str, recipe: ArchitectureParams, faces: FaceSet, given: argparse.Namespace) -> None:
    """A row a change and seed into a JSON file, after each: what is cut short loses one row."""
    rows: list[dict[str, Any]] = json.loads(given.out.read_text())["rows"] if given.out.exists() else []
    done = {(row["change"], row["seed"], row["epochs"]) for row in rows}
    for change in given.changes or CHANGES:
        for seed in range(given.seeds):
            if (change, seed, given.epochs) in done:
                continue
            if recipe.training.teachers and "class_weights" in CHANGES[change]:
                continue  # teachers weigh no classes
            own = changed(recipe, epochs=given.epochs, seed=seed, **CHANGES[change])
            if CHANGES[change] and own == changed(recipe, epochs=given.epochs, seed=seed):
                continue  # this recipe is so already
            started = time.monotonic()
            model = trained(f"{name}, {change}", own, faces, scratch_folder() / "model")
            seconds = time.monotonic() - started
            exam = examine(model, SOURCES["fer2013"], given.csv, "PublicTest", given.votes)
            found = {key: each["scores"]["accuracy"] for key, each in exam.content["questions"].items()}
            row = {
                "change": change,
                "values": CHANGES[change],
                "seed": seed,
                "epochs": given.epochs,
                "seconds": seconds,
            }
            row |= {"accuracy": found, "validation": model.card["validation"], "computed": model.card["computed"]}
            rows.append(row | {"commit": real_faces.commit(), "data_digest": faces.origin["data_digest"]})
            write_json(given.out, {"recipe": name, "rows": rows})
            print(f"| {change} | {seed} | {found} | {seconds:.0f} s |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "mean", "calibrate", "search"])
    parser.add_argument("csv", type=Path)
    parser.add_argument("votes", type=Path)
    parser.add_argument("--recipe", choices=list(RECIPES), default="alone")
    parser.add_argument("--models", type=Path, nargs="+", default=[], help="one to calibrate, several for their mean")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", help="on the card; default: ferline_RECIPE, or what it is called")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--teachers", nargs="+", default=(), help="models' folders, whose mean is taught too")
    parser.add_argument("--weights", default="none", help="a model's folder to start from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1, help="of each change of a search")
    parser.add_argument("--changes", nargs="+", choices=list(CHANGES), help="of a search; all of them unless told")
    given = parser.parse_args()
    if given.what == "calibrate" and len(given.models) != 1:
        parser.error("calibrate needs one model: name it with --models")
    if given.what == "mean" and len(given.models) < 2:
        parser.error("mean needs two models or more: name them with --models, the one that began with another's last")
    trains = given.what in ("train", "search")
    if trains and given.recipe in TAUGHT and not given.teachers:
        parser.error(f"--recipe {given.recipe} learns from others: name them with --teachers")
    if trains and given.recipe in RESTARTED and given.weights == "none":
        parser.error(f"--recipe {given.recipe} starts from a model's weights: name it with --weights")
    recipe = replace(changed(RECIPES[given.recipe], teachers=tuple(given.teachers)), weights=given.weights)
    given.epochs = given.epochs or recipe.training.epochs
    faces = faces_of(given.csv, given.votes, state_folder("champion") / "faces")
    print({split: len(faces.rows(split)) for split in ("train", "validation")}, file=sys.stderr)
    if given.what in ("mean", "calibrate"):
        models = [TrainedModel(folder).verify() for folder in given.models]
        name = given.name or models[-1].card["architecture"]
        if given.what == "mean":
            model = mean_of(models, faces, given.out, name)
        else:
            model = calibrated(models[0], faces, given.out, name)
        print(f"{model.folder}: {model.digest}, {model.card['validation']}, "
              f"{model.temperature:.4f}, {model.voted().temperature:.4f}")  # fmt: skip
        return
    if given.what == "search":
        search(given.recipe, recipe, faces, given)
        return
    name = given.name or f"ferline_{given.recipe}"
    own = changed(recipe, epochs=given.epochs, seed=given.seed)
    model = trained(name, own, faces, given.out)
    print(f"{model.folder}: {model.digest}, {model.card['validation']}, {torch.__version__}")


if __name__ == "__main__":
    main()

"""Everything that is measured of a model that comes with Ferline, into one JSON from which docs/results.md is made.

    python benchmarks/shipped.py MODEL_FOLDER fer2013.csv fer2013new.csv --out benchmarks/results/ferline_small.json
    python benchmarks/shipped.py ... --beside A B      # and of its teachers or parts, each alone and their mean

Three exams on PublicTest (one view, two, ten), the same without pictures that stand in Training too, what its ONNX file
in 8 bits tells of them, and the time of one face on one thread, its resize from 96 pixels included, beside the other
models that come with Ferline and two networks that the field ships, in the same run.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch
from real_faces import processor
from torch import nn
from torchvision import models

from ferline.artifact import write_json
from ferline.datasets.sources import SOURCES
from ferline.emotions import EMOTIONS
from ferline.evaluation.metrics import score
from ferline.evaluation.predictions import probability_columns
from ferline.evaluation.scores import scores_of
from ferline.images.decode import decode
from ferline.models.named import shipped, shipped_model
from ferline.models.trained import TrainedModel
from ferline.params import EvaluationParams, RobustnessParams
from ferline.serving.exam import Exam, examine
from ferline.serving.onnx import export
from ferline.serving.onnx_int8 import MOST
from ferline.serving.predictor import Predictor
from ferline.serving.views import COUNT

CROP = 96  # pixels of a face as it is cut out of a photo
CORRUPTED = 1000  # faces, each under six corruptions at three strengths
ROUNDS, SECONDS = 5, 1.0
NUMBERS = ("accuracy", "macro_f1", "balanced_accuracy", "log_loss", "ece")


def exams_of(model: TrainedModel, csv: Path, votes: Path) -> dict[str, Exam]:
    reader, found = SOURCES["fer2013"], {}
    for views in COUNT:
        params = EvaluationParams(robustness=RobustnessParams(faces=CORRUPTED if views == "none" else 0))
        found[views] = examine(model, reader, csv, "PublicTest", votes, how=views, params=params)
    return found


def told(exam: Exam) -> dict[str, Any]:
    """What the page needs of an exam: every question's numbers, intervals, classes and calibration."""
    found = {}
    for key, question in exam.content["questions"].items():
        scores, calibration = question["scores"], question["calibration"]
        found[key] = {
            "title": question["title"],
            "faces": scores["faces"],
            "head": question["head"],
            **{name: scores[name] for name in NUMBERS},
            "intervals": {name: scores["intervals"].get(name) for name in NUMBERS},
            "per_class": scores["per_class"],
            "confusion": scores["confusion"],
            "robustness": question["robustness"],
            "before": {name: calibration["before"][name] for name in ("ece", "log_loss")},
            "after": {name: calibration["after"][name] for name in ("ece", "log_loss")},
        }
    return found


def beside(models: list[TrainedModel], minutes: list[float | None], csv: Path, votes: Path) -> dict[str, Any]:
    """Each of these models alone, and the mean of their shares."""
    exams = [exams_of(model, csv, votes) for model in models]
    return {
        "models": [
            {"digest": model.digest, "card": model.card, "minutes": took}
            | {"exams": {views: brief(exam) for views, exam in own.items()}}
            for model, took, own in zip(models, minutes, exams, strict=True)
        ],
        "mean": {views: mean_of([own[views] for own in exams]) for views in COUNT},
    }


def brief(exam: Exam) -> dict[str, Any]:
    questions = exam.content["questions"].items()
    return {key: _brief(question["scores"]) | {"robustness": question["robustness"]} for key, question in questions}


def mean_of(exams: list[Exam]) -> dict[str, Any]:
    """The scores of the mean of several models' shares of the same faces."""
    found = {}
    for key, question in exams[0].content["questions"].items():
        answered = [exam.predictions for exam in exams]
        tables = [table[table["question"] == key].set_index("id") for table in answered]
        columns = probability_columns(question["emotions"])
        mean = np.mean([table.loc[tables[0].index, columns].to_numpy() for table in tables], axis=0)
        own = tables[0].reset_index().assign(predicted=mean.argmax(axis=1), confidence=mean.max(axis=1))
        own[columns] = mean
        found[key] = _brief(scores_of(own, question["emotions"], EvaluationParams()))
    return found


def _brief(scores: dict[str, Any]) -> dict[str, Any]:
    kept = {name: scores[name] for name in ("faces", "accuracy", "macro_f1")}
    return kept | {"intervals": {"accuracy": scores["intervals"]["accuracy"]}}


def copies(exam: Exam, csv: Path) -> dict[str, Any]:
    """Accuracy on the pictures of PublicTest that stand in Training too, pixel for pixel, and on the others.

    None of them was trained on: the recipe leaves Training's copies out.
    """
    rows = list(SOURCES["fer2013"].read(csv).rows)
    training = {row["image"] for row in rows if row["split"] == "train"}
    copied = {row["id"] for row in rows if row["split"] != "train" and row["image"] in training}
    answers = exam.predictions.query("question == '7_own'")
    emotions = exam.content["questions"]["7_own"]["emotions"]
    found = {}
    for name, part in (("copied", answers["id"].isin(copied)), ("others", ~answers["id"].isin(copied))):
        own = answers[part]
        scores = score(own["label"].to_numpy(), own[probability_columns(emotions)].to_numpy(), emotions)
        found[name] = {"faces": len(own), "accuracy": scores["accuracy"], "macro_f1": scores["macro_f1"]}
    return found


def in_eight_bits(model: TrainedModel, exam: Exam, csv: Path, file: Path) -> dict[str, Any]:
    """The file in 8 bits, measured on faces of Training, and how much of the exam it gets right."""
    faces = _faces(model, csv, "train")
    picked = np.random.default_rng(0).choice(sorted(faces), MOST, replace=False)
    done = export(model, file, np.stack([faces[each] for each in picked]))
    session = onnxruntime.InferenceSession(done.path, providers=["CPUExecutionProvider"])
    faces = _faces(model, csv, "validation")
    found = {}
    for key, question in exam.content["questions"].items():
        told = exam.predictions[exam.predictions["question"] == key]
        output, emotions = ("votes", model.voted().emotions) if question["head"] == "votes" else ("shares", EMOTIONS)
        shares = session.run([output], {"faces": np.stack([faces[each] for each in told["id"]])})[0]
        columns = [emotions.index(each) for each in question["emotions"]]
        found[key] = score(told["label"].to_numpy(), shares[:, columns].astype(float), question["emotions"])["accuracy"]
    return {"size_bytes": done.size_bytes, "faces": MOST, "alike": done.alike, "accuracy": found}


def _faces(model: TrainedModel, csv: Path, split: str) -> dict[str, np.ndarray]:
    """As the exam cuts them, by id."""
    predictor = Predictor(model, cropped=True)
    rows = (row for row in SOURCES["fer2013"].read(csv).rows if row["split"] == split)
    return {row["id"]: predictor.sized(predictor.cropper.crop(decode(row["image"]))) for row in rows}


def latencies(model: TrainedModel, eight_bits: Path) -> list[dict[str, Any]]:
    """Milliseconds a face, each contender in turn, of whose rounds the median counts."""
    with tempfile.TemporaryDirectory() as folder:
        others = [shipped_model(name) for name in shipped() if name != model.card["architecture"]]
        contenders = {str(own.card["architecture"]): _ours(own, folder) for own in (model, *others)}
        side = model.card["input"]["side"]
        contenders[f"{model.card['architecture']} in 8 bits"] = _timed(eight_bits, side, np.uint8, "NHWC")
        contenders |= {
            "ResNet18 at 44 pixels, stride-1 stem": _timed(_exported(_resnet18(), folder), 44, np.float32, "NCHW"),
            "VGG19 at 44 pixels": _timed(_exported(_vgg19(), folder), 44, np.float32, "NCHW"),
        }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, call in contenders.items():
            times[name].append(_median_ms(call))
    own = statistics.median(next(iter(times.values())))
    return [
        {"network": name, "ms": statistics.median(each), "times_ours": statistics.median(each) / own}
        for name, each in times.items()
    ]


def _ours(model: TrainedModel, folder: str) -> Callable[[], Any]:
    path = export(model, Path(folder) / f"{model.digest}.onnx").path
    return _timed(path, model.card["input"]["side"], np.uint8, "NHWC")


def _resnet18() -> nn.Module:
    """As FER2013's repositories have it: CIFAR's stem, no early downsampling."""
    network = models.resnet18(num_classes=7)
    network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    return network


def _vgg19() -> nn.Module:
    features = models.vgg19_bn().features
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 7))


def _exported(network: nn.Module, folder: str) -> Path:
    path = Path(folder) / f"{id(network)}.onnx"
    torch.onnx.export(
        network.eval(), (torch.zeros(1, 3, 44, 44),), path, dynamo=True, verbose=False, external_data=False
    )
    return path


def _timed(path: Path, side: int, kind: type, layout: str) -> Callable[[], Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    crop = np.random.default_rng(0).integers(0, 256, (CROP, CROP), dtype=np.uint8)

    def call() -> Any:
        face = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        if layout == "NHWC":
            return session.run(None, {name: face[None, :, :, None]})
        planes = np.repeat(face[None, None].astype(kind) / 255, 3, axis=1).astype(kind)
        return session.run(None, {name: planes})

    return call


def _median_ms(call: Callable[[], Any]) -> float:
    times: list[float] = []
    while len(times) < 20 or sum(times) < 1000 * SECONDS:
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("csv", type=Path)
    parser.add_argument("votes", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--int8", type=Path, help="where to keep the ONNX file in 8 bits")
    parser.add_argument(
        "--beside", type=Path, nargs="+", default=[], help="models' folders: its teachers, or what it is the mean of"
    )
    parser.add_argument("--minutes", type=float, nargs="+", default=[], help="that its training took, and theirs")
    given = parser.parse_args()
    took = given.minutes[0] if given.minutes else None
    minutes: list[float | None] = [*given.minutes[1:], *[None] * len(given.beside)][: len(given.beside)]
    cv2.setNumThreads(1)
    model = TrainedModel(given.model).verify()
    exams = exams_of(model, given.csv, given.votes)
    with tempfile.TemporaryDirectory() as folder:
        file = given.int8 or Path(folder) / "int8.onnx"
        eight_bits, times = in_eight_bits(model, exams["none"], given.csv, file), latencies(model, file)
    card = {key: value for key, value in model.card.items() if key not in ("normalisation",)}
    content = {
        "model": {
            "digest": model.digest,
            "card": card,
            "epochs": model.history,
            "minutes": took,
        },
        "exams": {views: told(exam) for views, exam in exams.items()},
        "people": exams["none"].content["people"],
        "copies": copies(exams["none"], given.csv),
        "eight_bits": eight_bits,
        "latency": times,
        "data": exams["none"].content["data"],
        "beside": beside([TrainedModel(folder) for folder in given.beside], minutes, given.csv, given.votes)
        if given.beside
        else None,
        "machine": {"processor": processor(), "torch": torch.__version__, "onnxruntime": onnxruntime.__version__},
    }
    write_json(given.out, content)
    for views, questions in content["exams"].items():
        print(views, {key: f"{question['accuracy']:.4f}" for key, question in questions.items()})
    print(content["copies"], content["eight_bits"], content["latency"], sep="\n")


if __name__ == "__main__":
    main()

"""A model on a downloaded dataset, read by its reader, cropped as the model's card says, scored with intervals.

Every image of the split counts: an image that cannot be read stops the exam, and one without a face that the detector
finds is told from its central square. Whoever is left out is left out for the label, and counted.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from ferline.artifact import scratch_folder, sha256_of
from ferline.datasets.labels import labelled
from ferline.datasets.protocols import SIDE_WORDS, side_named
from ferline.datasets.sources import fer2013
from ferline.datasets.sources.ferplus_votes import VotesFile, read_votes
from ferline.datasets.sources.source import Found, Row, Source
from ferline.emotions import EMOTIONS, KNOWN
from ferline.errors import FerlineError
from ferline.evaluation import robustness
from ferline.evaluation.calibration import against_people
from ferline.evaluation.predictions import TOGETHER, probability_columns, together
from ferline.evaluation.scores import calibration_of, resampling_of, scores_of
from ferline.faces import look
from ferline.faces.cropper import Crop
from ferline.faces.faceset import ImageWriter
from ferline.images.decode import UnreadableImage, decode
from ferline.images.parallel import in_order
from ferline.models.svm import ABSENT
from ferline.models.temperature import probabilities
from ferline.models.trained import LABEL, VOTES, TrainedModel
from ferline.params import DatasetParams, EvaluationParams, RobustnessParams
from ferline.serving import views
from ferline.serving.predictor import Predictor

TASK = 32  # faces cropped, and told, at a time; a whole split at 224 pixels would be 540 MB
ALL, NO_SPLIT = "all", "of no split"
KEPT = ("id", "label", "votes", *TOGETHER)


@dataclass(frozen=True)
class Question:
    """What is asked of the model: which classes, and who says what is right."""

    key: str
    title: str
    emotions: tuple[str, ...]
    labels: Literal["majority", "own"]


SEVEN = Question("7_own", "7 classes, the set's own labels", EMOTIONS, "own")
EIGHT = Question("8_own", "8 classes, the set's own labels", KNOWN, "own")
VOTED = Question("8_majority", "8 classes, the majority of FER+'s votes", KNOWN, "majority")


@dataclass(frozen=True)
class Exam:
    """The numbers, and what was answered to every face: one row each, under every question that it belongs to."""

    content: dict[str, Any]
    predictions: pd.DataFrame


class _Answers(NamedTuple):
    table: pd.DataFrame  # KEPT and sha256, a row an image
    logits: dict[str, np.ndarray]  # by each head
    looks: np.ndarray  # of the faces as they went in
    faces: np.ndarray | None  # themselves; kept where they are to be corrupted
    tell: Callable[[TrainedModel, np.ndarray], np.ndarray]  # how a model was asked: its logits of faces
    no_face: int
    seconds: float


def examine(
    model: TrainedModel,
    source: Source,
    path: Path,
    split: str = "test",
    votes: Path | None = None,
    options: Mapping[str, Any] | None = None,
    how: views.Views = "none",
    device: str = "auto",
    params: EvaluationParams | None = None,
) -> Exam:
    """Ask the model about one split of what `source` reads at `path`; `split`: a side's name as any set has it."""
    side = split if split == ALL else side_named(split)
    if side is None:
        raise FerlineError(f"--split: {split!r} is no split; write {ALL}, or one of {SIDE_WORDS}")
    params = params or EvaluationParams(robustness=RobustnessParams(faces=0))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        own = {"votes": votes} if votes and source.key == "ferplus" else {}  # it reads them itself
        found = source.read(path, **own, **(options or {}))
        rows = _voted(_of_side(found.rows, side, path), found, source, path, None if own else votes)
        answers = _answers(model, rows, _cropped(source, found), how, device, params.robustness.faces > 0)
    except FerlineError as error:  # the readers' own words are those of adding a set
        raise FerlineError(str(error).replace(" Nothing was added", "").replace("; nothing was added", "")) from None
    told = {question.key: _marked(model, answers, question, params) for question in _questions(model, answers.table)}
    content = {
        "model": _model(model, how, device),
        "data": _data(source, found, path, side, answers, votes) | {"options": source.told(options or {})},
        "bootstrap": resampling_of(answers.table, params),
        "questions": {key: content for key, (content, _) in told.items()},
        "people": _people(model, answers),
    }
    return Exam(content, pd.concat([table.assign(question=key) for key, (_, table) in told.items()]))


def _voted(rows: Iterable[Row], found: Found, source: Source, path: Path, votes: Path | None) -> Iterator[Row]:
    """The rows of `found` that are asked about, with FER+'s votes where they are given; those that FER+ says show no
    face stay FER2013's."""
    if votes is None:
        yield from rows
        return
    file = fer2013.csv_file(path) if source.key == "fer2013" else None
    if file is None:
        raise FerlineError(
            f"--votes: FER+'s votes are tied to the order of FER2013's CSV, and {path} ({found.form}) is not read as "
            "that. Write --data fer2013 and the CSV as --source"
        )
    if not votes.is_file():
        raise FerlineError(f"{votes}: not there; FER+'s fer2013new.csv is at https://github.com/microsoft/FERPlus")
    given: VotesFile = read_votes(votes)
    for row in rows:
        yield {**row, "votes": given.next_of(row).counts}
    given.require_lined_up(file)


def _of_side(rows: Iterable[Row], side: str, path: Path) -> Iterator[Row]:
    met: Counter[str] = Counter()
    for row in rows:
        met[row.get("split") or NO_SPLIT] += 1
        if side in (ALL, row.get("split")):
            yield row
    if side != ALL and not met[side]:
        there = ", ".join(f"{count:,} {name}" for name, count in sorted(met.items())) or "nothing"
        which = f"--split {ALL}" if set(met) <= {NO_SPLIT} else f"--split with one of these, or --split {ALL}"
        raise FerlineError(f"{path}: no image of the split {side!r}; it has {there}. Write {which}")


def _cropped(source: Source, found: Found) -> bool:
    return source.about.cropped if found.cropped is None else found.cropped


def _answers(
    model: TrainedModel, rows: Iterator[Row], cropped: bool, how: views.Views, device: str, keep: bool
) -> _Answers:
    predictor = Predictor(model, cropped)
    kept: list[dict[str, Any]] = []
    heads, tell = _heads(model), partial(views.logits, views=how, device=device)
    parts: dict[str, list[np.ndarray]] = {head: [] for head in heads}
    looked, no_face, seconds = [look.none()], 0, 0.0

    def work(task: list[Row]) -> list[Crop]:
        return [predictor.cropper.crop(_pixels(row)) for row in task]

    folder, size = scratch_folder() / "exam", predictor.input
    with ExitStack() as stack:
        stream = stack.enter_context(closing(in_order(work, _tasks(rows))))
        bar = stack.enter_context(tqdm(desc="faces", unit="image", disable=None))
        if keep:  # on disk, as a FaceSet's: a whole set at 224 pixels would be 43 GB
            folder.mkdir(parents=True, exist_ok=True)
            writer = stack.enter_context(ImageWriter(folder, None, size.side, size.channels))
        for task, crops in stream:
            kept += [_known(row) for row in task]
            no_face += sum(crop.found is False for crop in crops)
            faces = np.stack([predictor.sized(crop) for crop in crops])
            looked.append(look.looks(faces))
            if keep:
                writer.append(faces)
            start = perf_counter()
            for head, answering in heads.items():
                parts[head].append(tell(answering, faces))
            seconds += perf_counter() - start
            bar.update(len(task))
    if not kept:
        raise FerlineError("there is not one image to ask about")
    found = {head: np.concatenate(each) for head, each in parts.items()}
    for each in found.values():
        if broken := int((~np.isfinite(each).all(axis=1)).sum()):
            raise FerlineError(f"{model.folder}: {broken} of {len(each)} answers are no numbers. Train it again")
    sized = np.load(folder / "images.npy", mmap_mode="r") if keep else None
    return _Answers(pd.DataFrame(kept), found, np.concatenate(looked), sized, tell, no_face, seconds)


def _heads(model: TrainedModel) -> dict[str, TrainedModel]:
    """The model by what it can be asked for: the label of a set, and the votes of people where it has learnt those."""
    return {LABEL: model} | ({VOTES: model.voted()} if model.tells_votes else {})


def _tasks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    task: list[Row] = []
    for row in rows:
        task.append(row)
        if len(task) == TASK:
            yield task
            task = []
    if task:
        yield task


def _pixels(row: Row) -> np.ndarray:
    try:
        return decode(row["image"])
    except UnreadableImage as error:
        raise FerlineError(f"{row.get('source', row['id'])}: {error}. Mend it: every image of a split counts") from None


def _known(row: Row) -> dict[str, Any]:
    return {key: row.get(key) for key in KEPT} | {"sha256": hashlib.sha256(row["image"]).hexdigest()}


def _questions(model: TrainedModel, table: pd.DataFrame) -> list[Question]:
    """Those to which this set has answers: seven classes always, an eighth where somebody shows it."""
    asked = [SEVEN] if table["label"].isin(EMOTIONS).any() else []
    if "contempt" in model.emotions and (table["label"] == "contempt").any():
        asked.append(EIGHT)
    if table["votes"].notna().any():
        asked.append(VOTED)
    if not asked:
        raise FerlineError("none of the images has a label, so there is nothing to score")
    return asked


def _marked(
    model: TrainedModel,
    answers: _Answers,
    question: Question,
    params: EvaluationParams,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """One question's scores and predictions."""
    numbered = answers.table.assign(place=np.arange(len(answers.table)))
    kept, left_out = labelled(numbered, DatasetParams("exam", emotions=question.emotions, labels=question.labels))
    known = kept["label"].isin(question.emotions)
    if not known.all():
        left_out["no emotion's label"] = int((~known).sum())
        kept = kept[known].reset_index(drop=True)
    if kept.empty:
        raise FerlineError(f"{question.title}: no image has such a label ({left_out})")
    heads = _heads(model)
    head = VOTES if question.labels == "majority" and VOTES in heads else LABEL
    answering = heads[head]
    logits = _for(answering.emotions, answers.logits[head][kept["place"]], question.emotions)
    table = _table(kept, logits, answering.temperature, question.emotions)
    same = model.has_seen(kept["sha256"])
    seen = same | model.has_seen_alike(answers.looks[kept["place"]])
    content = {
        "title": question.title,
        "emotions": list(question.emotions),
        "labels": question.labels,
        "left_out": dict(sorted(left_out.items())),
        "head": head,
        "temperature": answering.temperature,
        "never_told": [emotion for emotion in question.emotions if emotion not in answering.emotions],
        "set_aside": [emotion for emotion in answering.emotions if emotion not in question.emotions],
        "seen": int(seen.sum()),
        "seen_alike": int((seen & ~same).sum()),
        "scores": scores_of(table, question.emotions, params),
        "calibration": calibration_of(logits, answering.temperature, table["label"].to_numpy()),
        "unseen": scores_of(table[~seen], question.emotions, params) if 0 < seen.sum() < len(seen) else None,
        "robustness": _robustness(answering, answers, kept, table, question, params),
    }
    return content, table


def _people(model: TrainedModel, answers: _Answers) -> dict[str, Any] | None:
    """How the confidence of what the votes' head tells compares with the share of people who say so, of all faces that
    were voted on: also of those without a majority, which no question asks about."""
    if not model.tells_votes:
        return None
    voted, _ = labelled(answers.table.assign(label=None), DatasetParams("exam", emotions=KNOWN, labels="own"))
    known = voted["votes"].notna().to_numpy()
    if not known.any():
        return None
    shares = np.array(voted["votes"][known].tolist())
    head = model.voted()
    told = _for(head.emotions, answers.logits[VOTES][known], KNOWN)
    return {
        "without_majority": int((shares.max(axis=1) <= 0.5).sum()),
        **against_people(shares, probabilities(told, head.temperature)),
    }


def _robustness(
    model: TrainedModel,
    answers: _Answers,
    kept: pd.DataFrame,
    table: pd.DataFrame,
    question: Question,
    params: EvaluationParams,
) -> dict[str, Any] | None:
    """What is left of the accuracy on some of the faces when they are corrupted; None where that is not asked."""
    if answers.faces is None:
        return None

    def told(faces: np.ndarray) -> np.ndarray:
        return _for(model.emotions, answers.tell(model, faces), question.emotions)

    known = table["label"].to_numpy(), table["id"], together(table)
    rows = kept["place"].to_numpy()
    found = robustness.probe(told, answers.faces, rows, *known, params.robustness, params.seed)
    return robustness.summary(found, params.resamples, params.seed)


def _for(own: Sequence[str], logits: np.ndarray, asked: Sequence[str]) -> np.ndarray:
    """Of these emotions alone: one that the model does not know gets none, one not asked for shares its part out."""
    columns = [logits[:, own.index(each)] if each in own else np.full(len(logits), ABSENT) for each in asked]
    return np.stack(columns, axis=1)


def _table(kept: pd.DataFrame, logits: np.ndarray, temperature: float, emotions: Sequence[str]) -> pd.DataFrame:
    shares = probabilities(logits, temperature)
    known = {
        "id": kept["id"],
        **{column: kept[column] for column in TOGETHER},
        "label": [emotions.index(label) for label in kept["label"]],
        "predicted": shares.argmax(axis=1),
        "confidence": shares.max(axis=1),
    }
    return pd.DataFrame(known).join(pd.DataFrame(shares, columns=probability_columns(emotions)))


def _model(model: TrainedModel, how: views.Views, device: str) -> dict[str, Any]:
    card = model.card
    return {
        "architecture": card["architecture"],
        "digest": model.digest,
        "emotions": list(model.emotions),
        "temperature": model.temperature,
        "parameters": card["parameters"],
        "preprocessing": card["preprocessing"],
        "views": views.COUNT[how],
        "device": device,
    }


def _data(source: Source, found: Found, path: Path, side: str, answers: _Answers, votes: Path | None) -> dict[str, Any]:
    return {
        "reader": source.key,
        "form": found.form,
        "notes": found.notes,
        "file": path.resolve().name,
        "sha256": sha256_of(path) if path.is_file() else None,
        "votes": {"file": votes.name, "sha256": sha256_of(votes)} if votes else None,
        "split": side,
        "called": fer2013.USAGE_OF.get(side, side) if source.key in ("fer2013", "ferplus") else side,
        "images": len(answers.table),
        "no_face": answers.no_face,
        "cropped": _cropped(source, found),
        "ms_a_face": 1000 * answers.seconds / len(answers.table),
    }

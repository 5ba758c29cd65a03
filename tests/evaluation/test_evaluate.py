import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.evaluation import latency
from ferline.evaluation.evaluate import Evaluation, evaluate
from ferline.evaluation.metrics import score
from ferline.evaluation.pictures import SHOWN, most_confident
from ferline.evaluation.predictions import TOGETHER, probability_columns
from ferline.evaluation.scores import scores_of
from ferline.faces.faceset import FaceSet
from ferline.models.trained import TrainedModel
from ferline.params import EvaluationParams, OcclusionParams, RobustnessParams

PICTURES = [
    "confusion_test.png",
    "confusion_validation.png",
    "curves.png",
    "occlusion.png",
    "reliability.png",
    "right.png",
    "robustness.png",
    "wrong.png",
]
PROBED = EvaluationParams(resamples=200, robustness=RobustnessParams(14, 1), occlusion=OcclusionParams(7, 0.5, 0.25))

COLUMNS = probability_columns(EMOTIONS)


@pytest.fixture(scope="module")
def model(make_model) -> TrainedModel:
    return make_model()


@pytest.fixture(scope="module")
def faces(make_faces) -> FaceSet:
    return make_faces()


@pytest.fixture(scope="module")
def evaluation(model: TrainedModel, faces: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluate(model, faces, tmp_path_factory.mktemp("evaluations") / "one", "cpu", PROBED)


def test_an_evaluation_holds_everything_and_its_manifest_is_right(evaluation, model, faces):
    assert Evaluation(evaluation.folder).verify().digest == evaluation.digest
    tables = [
        "evaluation.json",
        "history.json",
        "latency.json",
        "model.json",
        "predictions.parquet",
        "robustness.parquet",
    ]
    assert sorted(evaluation.manifest) == sorted([*PICTURES, *tables])
    assert evaluation.pictures() == PICTURES
    content = evaluation.content
    assert content["architecture"] == evaluation.architecture == "cnn_lstm"
    assert content["model_digest"] == evaluation.model_digest == model.digest
    assert content["data_digest"] == "d" * 64
    assert content["faces_digest"] == faces.digest
    assert content["protocol"] == "official"
    assert content["parameters"] == sum(p.numel() for p in model.network().parameters())
    assert content["size_bytes"] == evaluation.size_bytes == (model.folder / "model.safetensors").stat().st_size
    assert content["best_epoch"] == 2
    assert (evaluation.card, evaluation.history) == (model.card, model.history)


def test_scores_are_those_of_the_models_own_predictions(evaluation, model, faces):
    for split in ("validation", "test"):
        rows = faces.rows(split)
        expected = score(faces.labels[rows], model.predict(faces.images[rows]))
        found = evaluation.scores(split)
        assert found["confusion"] == expected["confusion"]
        assert found["log_loss"] == pytest.approx(expected["log_loss"], rel=1e-6)
        np.testing.assert_array_equal(evaluation.confusion(split), expected["confusion"])
        assert evaluation.confusion(split).sum() == len(rows) == found["faces"]


def test_the_numbers_can_be_made_again_from_the_predictions(evaluation):
    table = evaluation.predictions
    assert list(table.columns) == ["id", "split", *TOGETHER, "label", "predicted", "confidence", *COLUMNS]
    assert not (table["split"] == "train").any()
    assert (table["confidence"] == table[COLUMNS].max(axis=1)).all()
    for split, part in table.groupby("split"):
        again = scores_of(part, EMOTIONS, PROBED)
        assert again == {name: value for name, value in evaluation.scores(str(split)).items() if name in again}
        assert set(evaluation.scores(str(split))) - set(again) == {"calibration"}


def test_files_are_strict_json(evaluation):
    for name in ("evaluation.json", "latency.json"):
        json.dumps(evaluation.read_json(name), allow_nan=False)
    summary = evaluation.summary()
    assert summary["test_macro_f1"] == evaluation.scores("test")["macro_f1"]
    assert summary["latency_ms"] == evaluation.latency_ms > 0


def test_all_but_the_latency_is_the_same_again(evaluation, model, faces, tmp_path):
    first, second = evaluation.manifest, evaluate(model, faces, tmp_path / "again", "cpu", PROBED).manifest
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] != second[name]} <= {"latency.json"}


def test_labels_set_to_the_predictions_leave_nothing_wrong_to_show(model, faces, make_faces, tmp_path):
    told = model.predict(faces.images[:]).argmax(axis=1)
    assert len(set(told[faces.rows("test")])) >= 2, "one answer for all would show only one row of the grid"

    right = evaluate(model, make_faces(labels=told), tmp_path / "right", "cpu", PROBED)
    wrong = evaluate(model, make_faces(labels=(told + 1) % 7), tmp_path / "wrong", "cpu", PROBED)

    assert right.scores("test")["accuracy"] == 1
    assert wrong.scores("test")["accuracy"] == 0
    # A grid of faces is tall, the notice that there are none is not.
    assert _height(right, "wrong.png") == _height(wrong, "right.png") < 250
    assert _height(right, "right.png") == _height(wrong, "wrong.png") > 800


def test_a_grid_takes_the_surest_of_every_emotion_before_the_next_surest():
    random = np.random.default_rng(1)
    disgust, happy, sad = (EMOTIONS.index(emotion) for emotion in ("disgust", "happy", "sad"))
    labels = [happy] * 200 + [sad] * 30 + [disgust] * 2
    table = pd.DataFrame({"id": [f"{n:03}" for n in range(232)], "label": labels, "confidence": random.random(232)})

    shown = most_confident(table)

    assert len(shown) == SHOWN
    assert shown["label"].head(3).tolist() == [disgust, happy, sad]
    assert (shown["label"] == disgust).sum() == 2
    surest = table[table["label"] == sad]["confidence"].nlargest((shown["label"] == sad).sum())
    assert shown[shown["label"] == sad]["confidence"].tolist() == surest.tolist()


@pytest.mark.parametrize(
    ("side", "channels", "given"), [(96, 1, "96 x 96 grey"), (48, 3, "48 x 48 RGB"), (96, 3, "96 x 96 RGB")]
)
def test_faces_of_another_form_are_refused(model, make_faces, tmp_path, side, channels, given):
    faces = make_faces(side=side, channels=channels, count=21)
    with pytest.raises(FerlineError, match=f"cnn_lstm takes faces of 48 x 48 grey; .*{given}.* Resize"):
        evaluate(model, faces, tmp_path / "evaluation")
    assert not (tmp_path / "evaluation").exists()


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_a_split_without_faces_is_refused(model, make_faces, tmp_path, missing):
    splits = tuple(split for split in ("train", "validation", "test") if split != missing)
    with pytest.raises(FerlineError, match=f"no faces in the {missing} split"):
        evaluate(model, make_faces(splits=splits, count=20), tmp_path / "evaluation")


def test_a_model_whose_weights_are_no_numbers_is_refused(make_model, faces, tmp_path):
    with pytest.raises(FerlineError, match="cnn_lstm: 42 of 42 faces get probabilities that are no numbers"):
        evaluate(make_model(broken=True), faces, tmp_path / "evaluation")


def test_another_split_has_no_scores(evaluation):
    with pytest.raises(ValueError, match="'train': one of validation, test"):
        evaluation.scores("train")


def test_latency_is_measured_on_one_thread_and_leaves_the_threads_as_they_were(model, faces):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        measured = latency.measure(model, faces.images[0])
        assert torch.get_num_threads() == 2
        with pytest.raises(FerlineError, match="takes faces"):
            latency.measure(model, faces.images[0][:, :40])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert (measured["batch"], measured["threads"], measured["device"]) == (1, 1, "cpu")
    assert measured["repeats"] >= 20
    assert 0 < measured["median_ms"] <= measured["p90_ms"]
    assert measured["machine"]["cpus"] >= 1


def _height(evaluation: Evaluation, name: str) -> int:
    with Image.open(evaluation.folder / name) as picture:
        picture.load()
        return picture.height

import json
import warnings

import numpy as np
import pytest
from sklearn import metrics as reference

from ferline.emotions import EMOTIONS
from ferline.evaluation.metrics import score, weakest_class

ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL = range(7)


def sure_of(predicted: list[int], probability: float = 0.94) -> np.ndarray:
    """Probabilities that put one class far above six equal ones."""
    rows = np.full((len(predicted), 7), (1 - probability) / 6)
    rows[np.arange(len(predicted)), predicted] = probability
    return rows


def random_case(classes: list[int], faces: int = 400) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    labels = random.choice(classes, faces)
    logits = random.normal(size=(faces, 7)) + 1.2 * np.eye(7)[labels]
    exponentials = np.exp(logits)
    return labels, exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_a_small_example_worked_by_hand():
    #                  angry  angry  angry    happy  happy  sad
    labels = np.array([ANGRY, ANGRY, ANGRY, HAPPY, HAPPY, SAD])
    found = score(labels, sure_of([ANGRY, ANGRY, HAPPY, HAPPY, ANGRY, ANGRY]))

    assert found["faces"] == 6
    assert found["accuracy"] == pytest.approx(3 / 6)
    angry, happy, sad = (found["per_class"][emotion] for emotion in ("angry", "happy", "sad"))
    assert angry["precision"] == pytest.approx(2 / 4)
    assert angry["recall"] == pytest.approx(2 / 3)
    assert angry["f1"] == pytest.approx(4 / 7)
    assert angry["specificity"] == pytest.approx(1 / 3)  # of happy, happy, sad one is not called angry
    assert (happy["precision"], happy["recall"], happy["f1"]) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert happy["specificity"] == pytest.approx(3 / 4)
    assert (sad["precision"], sad["recall"], sad["f1"], sad["specificity"]) == (0, 0, 0, 1)  # never predicted
    assert found["macro_recall"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found["macro_specificity"] == pytest.approx((1 / 3 + 3 / 4 + 1) / 3)
    assert found["weighted_f1"] == pytest.approx((3 * 4 / 7 + 2 * 1 / 2 + 0) / 6)
    assert found["log_loss"] == pytest.approx(-(3 * np.log(0.94) + 3 * np.log(0.01)) / 6)
    assert found["confusion"][ANGRY] == [2, 0, 0, 1, 0, 0, 0]
    assert found["confusion_normalised"][ANGRY] == pytest.approx([2 / 3, 0, 0, 1 / 3, 0, 0, 0])
    assert found["confusion_normalised"][FEAR] == [None] * 7
    assert found["absent"] == ["disgust", "fear", "surprise", "neutral"]


@pytest.mark.parametrize("average", ["macro", "weighted"])
@pytest.mark.parametrize("classes", [list(range(7)), [0, 2, 3, 6]], ids=["all classes", "three classes absent"])
def test_averages_are_those_of_scikit_learn(classes, average):
    labels, probabilities = random_case(classes)
    predicted = probabilities.argmax(axis=1)

    found = score(labels, probabilities)

    expected = reference.precision_recall_fscore_support(
        labels, predicted, labels=classes, average=average, zero_division=0
    )
    names = [f"{average}_{name}" for name in ("precision", "recall", "f1")]
    assert [found[name] for name in names] == pytest.approx(expected[:3], abs=1e-12)


def test_every_other_number_is_that_of_scikit_learn():
    labels, probabilities = random_case(list(range(7)))
    predicted = probabilities.argmax(axis=1)

    found = score(labels, probabilities)

    assert found["accuracy"] == pytest.approx(reference.accuracy_score(labels, predicted), abs=1e-12)
    balanced = reference.balanced_accuracy_score(labels, predicted)
    for name in ("balanced_accuracy", "macro_sensitivity", "macro_recall"):
        assert found[name] == pytest.approx(balanced, abs=1e-12)
    area = reference.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert found["macro_roc_auc"] == pytest.approx(area, abs=1e-12)
    assert found["log_loss"] == pytest.approx(reference.log_loss(labels, probabilities), abs=1e-12)
    assert found["confusion"] == reference.confusion_matrix(labels, predicted).tolist()
    normalised = reference.confusion_matrix(labels, predicted, normalize="true")
    np.testing.assert_allclose(found["confusion_normalised"], normalised, atol=1e-12)
    for index, emotion in enumerate(EMOTIONS):
        of_others = reference.recall_score(labels == index, predicted == index, pos_label=False)
        assert found["per_class"][emotion]["specificity"] == pytest.approx(of_others, abs=1e-12)
        area = reference.roc_auc_score(labels == index, probabilities[:, index])
        assert found["per_class"][emotion]["roc_auc"] == pytest.approx(area, abs=1e-12)


def test_float32_probabilities_score_as_their_float64_selves():
    labels, probabilities = random_case(list(range(7)))
    single = score(labels, probabilities.astype(np.float32))
    assert single["log_loss"] == pytest.approx(score(labels, probabilities)["log_loss"], abs=1e-6)


def test_an_absent_class_is_left_out_but_faces_taken_for_it_still_count():
    labels = np.array([ANGRY, ANGRY, HAPPY, HAPPY])

    found = score(labels, sure_of([ANGRY, DISGUST, HAPPY, HAPPY]))

    assert "disgust" in found["absent"]
    disgust = found["per_class"]["disgust"]
    assert (disgust["precision"], disgust["recall"], disgust["f1"], disgust["roc_auc"]) == (None,) * 4
    assert disgust["specificity"] == pytest.approx(3 / 4)
    assert disgust["support"] == 0
    assert found["macro_recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["macro_specificity"] == 1  # of angry and happy alone
    assert weakest_class(found) == ("angry", 0.5)


def test_a_split_of_one_class_has_no_specificity_and_no_roc_auc():
    found = score(np.array([SAD, SAD, SAD, SAD]), sure_of([SAD, SAD, SAD, FEAR]))

    assert found["macro_recall"] == found["accuracy"] == pytest.approx(3 / 4)
    assert found["macro_specificity"] is None
    assert found["macro_roc_auc"] is None
    assert found["per_class"]["sad"]["specificity"] is None
    assert weakest_class(found) == ("sad", 0.75)


def test_one_face_is_enough():
    found = score(np.array([HAPPY]), sure_of([HAPPY]))
    assert (found["faces"], found["accuracy"], found["macro_f1"]) == (1, 1.0, 1.0)


def test_a_perfect_model():
    labels = np.arange(70) % 7

    found = score(labels, np.eye(7)[labels])

    perfect = {name for name, value in found.items() if value == 1.0}
    assert perfect >= {"accuracy", "macro_f1", "weighted_f1", "macro_specificity", "macro_roc_auc", "balanced_accuracy"}
    assert found["log_loss"] == pytest.approx(0, abs=1e-12)
    assert found["confusion"] == (10 * np.eye(7, dtype=int)).tolist()


def test_a_model_that_is_always_sure_and_always_wrong():
    labels = np.arange(70) % 7

    found = score(labels, np.eye(7)[(labels + 1) % 7])

    assert found["accuracy"] == found["macro_f1"] == found["macro_recall"] == 0
    assert found["macro_roc_auc"] < 0.5
    assert 30 < found["log_loss"] < 40  # the probability 0 of the truth is held at float64's epsilon: not infinite
    assert weakest_class(found) == ("angry", 0.0)


@pytest.mark.parametrize("classes", [[SAD], [ANGRY, NEUTRAL], list(range(7))])
def test_all_of_it_is_strict_json(classes):
    labels, probabilities = random_case(classes, faces=30)
    found = score(labels, probabilities)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        (np.array([], dtype=int), np.zeros((0, 7)), "N above 0"),
        (np.array([0.0, 1.0]), sure_of([0, 1]), "class indices"),
        (np.array([0, 7]), sure_of([0, 1]), "run from 0 to 6, got 0 to 7"),
        (np.array([0, -1]), sure_of([0, 1]), "got -1 to 0"),
        (np.array([0, 1, 2]), sure_of([0, 1]), r"expected \[3, 7\], got \[2, 7\]"),
        (np.array([0, 1]), sure_of([0, 1])[:, :6], r"expected \[2, 7\], got \[2, 6\]"),
        (np.array([0, 1]), sure_of([0, 1]) * np.array([[1], [np.nan]]), "finite"),
        (np.array([0, 1]), 2 * sure_of([0, 1]), "sum to 1"),
        (np.array([0, 1]), np.array([[2.0, -1, 0, 0, 0, 0, 0]] * 2), "at least 0"),
    ],
)
def test_what_cannot_be_scored_is_refused(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        score(labels, probabilities)

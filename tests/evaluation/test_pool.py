"""Folds or seeds as one row: means and spreads as NumPy has them, and what stands for all of them."""

import numpy as np
import pandas as pd
import pytest

from ferline.errors import FerlineError
from ferline.evaluation.bootstrap import resampled
from ferline.evaluation.leaderboard import compare
from ferline.evaluation.metrics import score
from ferline.evaluation.pool import pool
from ferline.evaluation.predictions import arrays_of
from ferline.evaluation.significance import accuracy_interval
from ferline.evaluation.tables import as_text
from ferline.faces.faceset import FaceSet
from ferline.params import EvaluationParams, PromotionParams

QUICK = EvaluationParams(resamples=200)


@pytest.fixture(scope="module")
def folds(make_evaluation):
    """Three folds of one architecture that get 20, 40 and 60 of 70 test faces right."""
    return [make_evaluation("net", 30 + n, 20 + 20 * n, prefix=f"fold{n}", fold=n) for n in range(3)]


@pytest.fixture(scope="module")
def seeds(make_evaluation):
    """Three seeds that tell the same faces; the second is best on validation, the third on test."""
    right = {4: (30, 40), 5: (50, 45), 6: (40, 60)}
    return [make_evaluation("net", *counts, seed=seed) for seed, counts in right.items()]


def test_single_numbers_are_the_mean_of_the_folds_with_their_deviation(folds, tmp_path):
    pooled = pool(folds, "macro_f1", QUICK, tmp_path / "pooled").verify().scores("test")
    accuracy = [20 / 70, 40 / 70, 60 / 70]
    assert pooled["accuracy"] == pytest.approx(np.mean(accuracy), abs=1e-12)
    assert pooled["sd"]["accuracy"] == pytest.approx(np.std(accuracy, ddof=1), abs=1e-12)
    f1 = [fold.scores("test")["macro_f1"] for fold in folds]
    assert (pooled["macro_f1"], pooled["sd"]["macro_f1"]) == pytest.approx((np.mean(f1), np.std(f1, ddof=1)))


def test_the_matrix_and_the_emotions_are_of_all_faces_together(folds, tmp_path):
    pooled = pool(folds, "macro_f1", QUICK, tmp_path / "pooled")
    assert pooled.scores("test")["faces"] == 210
    assert (pooled.confusion("test") == sum(fold.confusion("test") for fold in folds)).all()
    test = pooled.predictions.query("split == 'test'")
    columns = [f"p_{emotion}" for emotion in pooled.emotions]
    together = score(test["label"].to_numpy(), test[columns].to_numpy())
    assert pooled.scores("test")["per_class"] == together["per_class"]
    assert pooled.scores("test")["pooled"]["macro_f1"] == together["macro_f1"]
    assert sorted(test["fold"].unique()) == [0, 1, 2]


def test_the_folds_own_numbers_are_kept_and_the_first_ones_model_is_named(folds, tmp_path):
    pooled = pool(folds, "macro_f1", QUICK, tmp_path / "pooled")
    assert [fold["test"]["accuracy"] for fold in pooled.content["folds"]] == pytest.approx([20 / 70, 40 / 70, 60 / 70])
    assert pooled.model_digest == folds[0].model_digest
    assert {"confusion_test.png", "confusion_validation.png", "curves.png"} <= set(pooled.pictures())


def test_curves_are_the_mean_over_the_folds_that_were_still_training(folds, tmp_path):
    own = [
        [{"epoch": 1, "validation_loss": 2.0}, {"epoch": 2, "validation_loss": 1.0}],
        [{"epoch": 1, "validation_loss": 4.0}],
    ]
    before = [fold.history for fold in folds[:2]]
    try:
        for fold, history in zip(folds, own, strict=False):
            fold.history = history
        pooled = pool(folds[:2], "macro_f1", QUICK, tmp_path / "pooled")
    finally:
        for fold, history in zip(folds, before, strict=False):
            fold.history = history
    assert pooled.history == [{"epoch": 1, "validation_loss": 3.0}, {"epoch": 2, "validation_loss": 1.0}]


def test_an_emotion_that_one_fold_lacks_is_averaged_over_the_others(folds, tmp_path, monkeypatch):
    scores = folds[1].scores("test") | {"macro_roc_auc": None}
    monkeypatch.setattr(
        folds[1], "content", folds[1].content | {"splits": folds[1].content["splits"] | {"test": scores}}
    )
    others = [folds[n].scores("test")["macro_roc_auc"] for n in (0, 2)]
    assert pool(folds, "macro_f1", QUICK, tmp_path / "pooled").scores("test")["macro_roc_auc"] == pytest.approx(
        np.mean(others)
    )


def test_a_face_that_two_folds_tested_is_refused(folds, make_evaluation):
    again = make_evaluation("net", prefix="fold0", fold=7)
    with pytest.raises(FerlineError, match=r"net: fold0-validation-000 is in the validation part of two folds"):
        pool([folds[0], again], "macro_f1")


def test_one_fold_or_two_architectures_are_no_folds(folds, make_evaluation):
    with pytest.raises(FerlineError, match="two or more; got 1"):
        pool(folds[:1], "macro_f1")
    with pytest.raises(FerlineError, match=r"one architecture.*\['net', 'other'\]"):
        pool([folds[0], make_evaluation("other", prefix="o")], "macro_f1")


def test_the_same_fold_twice_is_refused(folds):
    with pytest.raises(FerlineError, match=r"net: the same of its folds was given twice: \[0, 0\]"):
        pool([folds[0], folds[0]], "macro_f1")


def test_the_interval_is_of_the_mean_over_the_folds(folds, tmp_path):
    """As narrow as the mean of independent folds is: by hand from each fold's own draws."""
    low, high = pool(folds, "macro_f1", QUICK, tmp_path / "pooled").scores("test")["intervals"]["accuracy"]
    drawn = []
    for number, fold in enumerate(folds):
        labels, shares, subjects = arrays_of(fold.predictions.query("split == 'test'"), fold.emotions)
        drawn.append(resampled(labels, shares, fold.emotions, subjects, 200, number)["accuracy"])
    assert (low, high) == pytest.approx(np.percentile(np.mean(drawn, axis=0), [2.5, 97.5]), abs=1e-12)
    assert low < 40 / 70 < high
    assert high - low < np.mean([np.ptp(fold.scores("test")["intervals"]["accuracy"]) for fold in folds])


def test_folds_that_are_all_right_have_the_interval_of_all_their_faces(make_evaluation, tmp_path):
    right = [make_evaluation("net", 70, 70, fold=fold, prefix=f"fold {fold}") for fold in range(2)]
    found = pool(right, "macro_f1", QUICK, tmp_path / "pooled").scores("test")["intervals"]
    assert found["accuracy"] == found["macro_f1"] == pytest.approx(accuracy_interval(140, 140))


def test_of_seeds_the_numbers_are_means_and_the_best_on_validation_stands_for_them(seeds, tmp_path):
    pooled = pool(seeds, "macro_f1", QUICK, tmp_path / "pooled").verify()
    test = pooled.scores("test")
    assert (test["accuracy"], test["sd"]["accuracy"]) == pytest.approx(
        (np.mean([40, 45, 60]) / 70, np.std([40, 45, 60], ddof=1) / 70), abs=1e-12
    )
    assert (pooled.members, pooled.seed, pooled.content["seed"]) == (3, None, 5)
    assert pooled.model_digest == seeds[1].model_digest
    assert pooled.content["promotable"]["macro_f1"] == seeds[1].scores("test")["macro_f1"] != test["macro_f1"]
    assert (pooled.confusion("test") == seeds[1].confusion("test")).all(), "each face is told once, by that model"
    assert test["faces"] == 70
    low, high = test["intervals"]["accuracy"]
    assert low < test["accuracy"] < high


def test_seeds_are_shown_as_one_row_with_its_spread(seeds, tmp_path):
    board = compare([pool(seeds, "macro_f1", QUICK, tmp_path / "pooled")], PromotionParams(), tmp_path / "board")
    assert (board.rows[0]["seeds"], board.rows[0]["folds"]) == (3, 0)
    assert "Means and standard deviations of 3 seeds" in " ".join(board.text().split())


def test_seeds_that_told_different_faces_are_refused(seeds, make_evaluation):
    with pytest.raises(FerlineError, match="net: its seeds 4 and 9 told different faces"):
        pool([seeds[0], make_evaluation("net", seed=9, prefix="elsewhere")], "macro_f1")


def test_a_fold_and_a_seed_are_not_pooled(folds, seeds):
    with pytest.raises(FerlineError, match="neither all folds nor all seeds"):
        pool([folds[0], seeds[0]], "macro_f1")


def test_pooled_rows_are_compared_and_shown_with_their_spread(folds, make_evaluation, tmp_path):
    pooled = pool(folds, "macro_f1", QUICK, tmp_path / "pooled")
    board = compare([pooled], PromotionParams(), tmp_path / "board")
    assert (board.rows[0]["folds"], board.rows[0]["protocol"]) == (3, "subject")
    accuracy = pooled.scores("test")
    assert f"{accuracy['accuracy']:.3f} ± {accuracy['sd']['accuracy']:.3f}" in as_text(board.content, 200)
    assert "3 folds, in which every face was tested once" in " ".join(board.text().split())


def test_a_fold_is_a_view_of_the_same_faces(make_faces_in_folds):
    faces: FaceSet = make_faces_in_folds(30, folds=3)
    tested = [set(faces.fold(fold).rows("test")) for fold in range(3)]
    validated = [set(faces.fold(fold).rows("validation")) for fold in range(3)]
    assert sorted(row for rows in tested for row in rows) == list(range(30))
    assert validated == [tested[1], tested[2], tested[0]]
    assert faces.fold(1).digest == faces.digest
    assert faces.fold(None) is faces
    assert isinstance(faces.table, pd.DataFrame)

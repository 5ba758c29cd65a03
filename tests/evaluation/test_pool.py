"""Folds pooled: means and spreads as NumPy has them, one matrix in which every face is told once."""

import numpy as np
import pandas as pd
import pytest

from ferline.errors import FerlineError
from ferline.evaluation.leaderboard import compare
from ferline.evaluation.metrics import score
from ferline.evaluation.pool import pool
from ferline.evaluation.tables import as_text
from ferline.faces.faceset import FaceSet
from ferline.params import PromotionParams
from ferline.tracking.promotion import decide


@pytest.fixture(scope="module")
def folds(make_evaluation, make_model):
    """Three folds of one architecture that get 20, 40 and 60 of 70 test faces right."""
    history = make_model("net").history
    made = [make_evaluation("net", validation=30 + n, test=20 + 20 * n, prefix=f"fold{n}") for n in range(3)]
    for each in made:
        each.history = history
    return made


def test_single_numbers_are_the_mean_of_the_folds_with_their_deviation(folds, tmp_path):
    pooled = pool(folds, tmp_path / "pooled").verify().scores("test")
    accuracy = [20 / 70, 40 / 70, 60 / 70]
    assert pooled["accuracy"] == pytest.approx(np.mean(accuracy), abs=1e-12)
    assert pooled["sd"]["accuracy"] == pytest.approx(np.std(accuracy, ddof=1), abs=1e-12)
    f1 = [fold.scores("test")["macro_f1"] for fold in folds]
    assert (pooled["macro_f1"], pooled["sd"]["macro_f1"]) == pytest.approx((np.mean(f1), np.std(f1, ddof=1)))


def test_the_matrix_and_the_emotions_are_of_all_faces_together(folds, tmp_path):
    pooled = pool(folds, tmp_path / "pooled")
    assert pooled.scores("test")["faces"] == 210
    assert (pooled.confusion("test") == sum(fold.confusion("test") for fold in folds)).all()
    test = pooled.predictions.query("split == 'test'")
    columns = [f"p_{emotion}" for emotion in pooled.emotions]
    together = score(test["label"].to_numpy(), test[columns].to_numpy())
    assert pooled.scores("test")["per_class"] == together["per_class"]
    assert pooled.scores("test")["pooled"]["macro_f1"] == together["macro_f1"]
    assert sorted(test["fold"].unique()) == [0, 1, 2]


def test_the_folds_own_numbers_are_kept_and_the_first_ones_model_is_named(folds, tmp_path):
    pooled = pool(folds, tmp_path / "pooled")
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
        pooled = pool(folds[:2], tmp_path / "pooled")
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
    assert pool(folds, tmp_path / "pooled").scores("test")["macro_roc_auc"] == pytest.approx(np.mean(others))


def test_a_face_that_two_folds_tested_is_refused(folds):
    with pytest.raises(FerlineError, match=r"net: fold0-validation-000 is in the validation part of two folds"):
        pool([folds[0], folds[0]])


def test_one_fold_or_two_architectures_are_no_folds(folds, make_evaluation):
    with pytest.raises(FerlineError, match="two or more; got 1"):
        pool(folds[:1])
    with pytest.raises(FerlineError, match=r"one architecture.*\['net', 'other'\]"):
        pool([folds[0], make_evaluation("other", prefix="o")])


def test_pooled_rows_are_compared_and_shown_with_their_spread(folds, make_evaluation, tmp_path):
    pooled = pool(folds, tmp_path / "pooled")
    board = compare([pooled], PromotionParams(), tmp_path / "board")
    assert (board.rows[0]["folds"], board.rows[0]["protocol"]) == (3, "subject")
    accuracy = pooled.scores("test")
    assert f"{accuracy['accuracy']:.3f} ± {accuracy['sd']['accuracy']:.3f}" in as_text(board.content, 200)
    assert "3 folds, in which every face was tested once" in " ".join(board.text().split())


def test_a_model_of_a_papers_protocol_is_never_promoted(folds, tmp_path):
    row = compare([pool(folds, tmp_path / "pooled")], PromotionParams(), tmp_path / "board").rows[0]
    decision = decide(row | {"protocol": "paper:cnn_lstm"}, "new bytes", None, PromotionParams())
    assert not decision.promoted
    assert "paper:cnn_lstm, whose split leaks by design" in decision.reason


def test_a_fold_is_a_view_of_the_same_faces(make_faces_in_folds):
    faces: FaceSet = make_faces_in_folds(30, folds=3)
    tested = [set(faces.fold(fold).rows("test")) for fold in range(3)]
    validated = [set(faces.fold(fold).rows("validation")) for fold in range(3)]
    assert sorted(row for rows in tested for row in rows) == list(range(30))
    assert validated == [tested[1], tested[2], tested[0]]
    assert faces.fold(1).digest == faces.digest
    assert faces.fold(None) is faces
    assert isinstance(faces.table, pd.DataFrame)

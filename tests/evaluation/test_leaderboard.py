import json

import numpy as np
import pytest
from PIL import Image

from ferline.errors import FerlineError
from ferline.evaluation.evaluate import evaluate
from ferline.evaluation.leaderboard import Leaderboard, as_text, compare
from ferline.evaluation.significance import mcnemar
from ferline.params import PromotionParams

BY_F1 = PromotionParams(select_by="macro_f1")


def names(board: Leaderboard) -> list[str]:
    return [row["architecture"] for row in board.rows]


def test_the_best_on_validation_is_first_whatever_test_says(make_evaluation):
    evaluations = [
        make_evaluation("middle", validation=40, test=70),
        make_evaluation("last", validation=30, test=60),
        make_evaluation("best", validation=50, test=10),
    ]
    board = compare(evaluations, BY_F1)
    assert names(board) == ["best", "middle", "last"]
    assert board.best["architecture"] == "best"
    assert board.summary()["best"] == "best"


@pytest.mark.parametrize("select_by", ["accuracy", "macro_f1", "balanced_accuracy"])
def test_every_selection_metric_ranks(make_evaluation, select_by):
    evaluations = [make_evaluation(f"m{right}", validation=right) for right in (20, 60, 41)]
    board = compare(evaluations, PromotionParams(select_by=select_by))
    assert names(board) == ["m60", "m41", "m20"]
    ranked = [row["validation"][select_by] for row in board.rows]
    assert ranked == sorted(ranked, reverse=True)
    assert board.content["select_by"] == select_by


def test_a_tie_goes_to_the_smaller_model_then_to_the_smaller_file_then_to_the_name(make_evaluation):
    evaluations = [
        make_evaluation("zebra", parameters=500, size_bytes=900),
        make_evaluation("large", parameters=900, test=70),
        make_evaluation("apple", parameters=500, size_bytes=900),
        make_evaluation("light", parameters=500, size_bytes=100),
    ]
    for order in (evaluations, evaluations[::-1]):
        board = compare(order, BY_F1)
        assert names(board) == ["light", "apple", "zebra", "large"]
    assert "fewer parameters" in board.content["ties"]


def test_a_row_says_what_its_evaluation_says(make_evaluation):
    evaluation = make_evaluation("model", validation=40, test=33, parameters=1234, size_bytes=5_000_000)
    row = compare([evaluation], BY_F1).best
    assert (row["parameters"], row["size_mb"], row["latency_ms"], row["best_epoch"]) == (1234, 5.0, 1.5, 3)
    assert row["model_digest"] == "digest of model"
    for split, right in (("validation", 40), ("test", 33)):
        scores = evaluation.scores(split)
        shared = row[split].keys() & scores.keys() - {"intervals"}
        assert len(shared) == 9
        assert {name: row[split][name] for name in shared} == {name: scores[name] for name in shared}
        assert scores["accuracy"] == pytest.approx(right / 70)
        for metric, (low, high) in row[split]["intervals"].items():
            assert [low, high] == scores["intervals"][metric]
            assert low < scores[metric] < high
        recalls = {emotion: numbers["recall"] for emotion, numbers in scores["per_class"].items()}
        assert row[split]["min_class_recall"] == min(recalls.values()) == recalls[row[split]["min_class"]]
    assert row["p_versus_best"] is None


def test_models_are_tested_against_the_best_with_the_faces_of_a_person_together(make_evaluation):
    """Of 10 people with seven faces each, three have faces that only the best gets right: two, seven and one."""
    board = compare([make_evaluation("best", 60, 50), make_evaluation("other", 45, 40)], BY_F1)
    first, second, people = np.arange(70) < 50, np.arange(70) < 40, np.arange(70) // 7
    assert board.rows[1]["p_versus_best"] == pytest.approx(mcnemar(first, second, people))
    assert board.rows[1]["p_versus_best"] == pytest.approx(2 / 2**3)


def test_where_nobody_is_named_models_are_tested_face_by_face(make_evaluation):
    models = [make_evaluation("best", 60, 50, people=False), make_evaluation("other", 45, 40, people=False)]
    assert compare(models, BY_F1).rows[1]["p_versus_best"] == pytest.approx(2 / 2**10)


def test_of_more_than_two_models_every_pair_is_tested_and_p_adjusted_for_their_number(make_evaluation):
    right = {"best": (60, 50), "middle": (45, 46), "last": (30, 40)}
    board = compare([make_evaluation(name, *counts, people=False) for name, counts in right.items()], BY_F1)
    found = {(pair["first"], pair["second"]): pair for pair in board.content["pairs"]}
    assert set(found) == {("best", "middle"), ("best", "last"), ("middle", "last")}
    for (first, second), pair in found.items():
        difference = right[first][1] - right[second][1]
        assert (pair["only_first"], pair["only_second"]) == (difference, 0)
        assert pair["p"] == pytest.approx(2 / 2**difference)
    # Holm by hand: the smallest p times three, the next times two or the one before, the largest likewise.
    assert found["best", "last"]["p_adjusted"] == pytest.approx(3 * 2 / 2**10)
    assert found["middle", "last"]["p_adjusted"] == pytest.approx(2 * 2 / 2**6)
    assert found["best", "middle"]["p_adjusted"] == pytest.approx(2 / 2**4)
    by_name = {row["architecture"]: row["p_versus_best"] for row in board.rows}
    assert by_name == {"best": None, "middle": pytest.approx(2 / 2**4), "last": pytest.approx(3 * 2 / 2**10)}


def test_a_leaderboard_can_be_opened_again_and_is_the_same_in_any_order(make_evaluation, tmp_path):
    evaluations = [make_evaluation("one", 30), make_evaluation("two", 50)]
    board = compare(evaluations, BY_F1, tmp_path / "board")
    again = Leaderboard(tmp_path / "board").verify()
    assert sorted(again.manifest) == ["comparison.png", "confusions.png", "leaderboard.json", "leaderboard.md"]
    assert again.digest == board.digest == compare(evaluations[::-1], BY_F1, tmp_path / "other").digest
    json.dumps(again.content, allow_nan=False)
    for name in again.pictures():
        with Image.open(again.folder / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def test_the_page_says_how_it_is_sorted_and_that_test_did_not_choose(make_evaluation):
    board = compare([make_evaluation("one", 30), make_evaluation("a|b", 50)], BY_F1)
    page = (board.folder / "leaderboard.md").read_text()
    assert "Sorted by macro-F1 on validation (70 faces)" in page
    assert "test columns (70 faces) were not used to choose" in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert table[2].startswith("| 1 | a\\|b |")
    for picture in board.pictures():
        assert f"({picture})" in page


def test_the_text_is_aligned_and_keeps_to_the_width(make_evaluation):
    board = compare([make_evaluation("short", 30), make_evaluation("a_longer_name", 50)], BY_F1)
    for width in (60, 80, 100, 200):
        table, note = (part.splitlines() for part in board.text(width).split("\n\n"))
        assert max(len(line) for line in note) <= width
        assert len({len(line) for line in table}) == 1
        assert len(table[0]) <= width
        assert "validation macro-F1" in table[0]
        assert note[0].startswith("Sorted by macro-F1 on validation")
    assert len(board.text(200).splitlines()[0]) > len(board.text(80).splitlines()[0])
    assert board.text(200) == as_text(json.loads((board.folder / "leaderboard.json").read_text()), 200)
    assert "a_longer_name" in board.text(10)  # what identifies and ranks a model stays


def test_a_sorting_metric_of_its_own_is_shown(make_evaluation):
    board = compare([make_evaluation("one")], PromotionParams(select_by="balanced_accuracy"))
    assert "validation balanced accuracy" in board.text(250)
    assert "validation macro-F1" in board.text(250)


def test_nothing_to_compare():
    with pytest.raises(FerlineError, match="nothing to compare"):
        compare([], BY_F1)


def test_two_rows_of_one_name_are_refused(make_evaluation, tmp_path):
    evaluations = [make_evaluation("twin", 30), make_evaluation("other"), make_evaluation("twin", 31)]
    with pytest.raises(FerlineError, match="more than one evaluation is named twin"):
        compare(evaluations, BY_F1, tmp_path / "board")
    assert not (tmp_path / "board").exists()


def test_models_of_different_data_are_refused_by_name(make_evaluation):
    evaluations = [make_evaluation("old", data_digest="a" * 64), make_evaluation("new", data_digest="b" * 64)]
    with pytest.raises(FerlineError, match=f"old on {'a' * 12}, new on {'b' * 12}"):
        compare(evaluations, BY_F1)


def test_models_scored_on_different_faces_are_refused_by_name(make_evaluation):
    evaluations = [make_evaluation("first"), make_evaluation("second", prefix="other-face")]
    with pytest.raises(FerlineError, match="first and second were scored on different faces"):
        compare(evaluations, BY_F1)


def test_two_real_models(make_model, make_faces, tmp_path):
    faces = make_faces()
    evaluations = [evaluate(make_model(name, seed), faces, device="cpu") for seed, name in enumerate(("one", "two"))]
    board = compare(evaluations, BY_F1, tmp_path / "board")
    assert sorted(names(board)) == ["one", "two"]
    assert board.content["faces"] == {"validation": 42, "test": 42}

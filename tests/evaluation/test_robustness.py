from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ferline.emotions import EMOTIONS
from ferline.evaluation import corruptions, figures_probing, probed, robustness
from ferline.evaluation.metrics import score
from ferline.params import RobustnessParams

ALL = RobustnessParams(faces=10_000, strengths=5)


def shades(count: int, side: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Faces of one shade, which is their class: 40, 70 ... 220."""
    labels = np.arange(count) % len(EMOTIONS)
    return np.full((count, side, side, 1), (40 + 30 * labels)[:, None, None, None], np.uint8), labels


def nearest(images: np.ndarray) -> np.ndarray:
    """The class of the shade in the middle of the face, told with certainty."""
    shade = images[:, 24, 24, 0].astype(int)
    return np.eye(len(EMOTIONS))[np.clip((shade - 40 + 15) // 30, 0, 6)]


def names(count: int) -> list[str]:
    return [f"face-{number}" for number in range(count)]


def answers_of(predict, images, labels, subjects=None, params=ALL, ids=None, seed=0) -> pd.DataFrame | None:
    ids, subjects = ids or names(len(labels)), [None] * len(labels) if subjects is None else subjects
    return robustness.probe(predict, images, np.arange(len(labels)), labels, ids, subjects, params, seed)


def summary_of(predict, images, labels, subjects=None, params=ALL) -> dict:
    return robustness.summary(answers_of(predict, images, labels, subjects, params), 400, 0)


def test_each_corruption_breaks_what_the_model_looks_at():
    images, labels = shades(140)
    found = summary_of(nearest, images, labels)
    assert (found["faces"], found["accuracy"], found["macro_f1"]) == (140, 1, 1)
    accuracy = {name: [each["accuracy"] for each in graded] for name, graded in found["corruptions"].items()}
    assert accuracy["blur"] == accuracy["contrast"] == [1] * 5  # a single shade has nothing to blur
    assert accuracy["jpeg"][0] == 1
    assert accuracy["brightness"][0] < 0.3  # of 26 grey levels, where the classes lie 30 apart
    assert accuracy["brightness"][-1] < 0.3
    assert accuracy["noise"][0] > accuracy["noise"][-1]
    covered = 1 - np.array(accuracy["occlusion"])  # only where the square lies on the middle, and grey is another class
    assert 0 < covered[0] < covered[-1] < 1


def test_the_drop_is_the_mean_over_corruptions_and_strengths():
    images, labels = shades(140)
    found = summary_of(nearest, images, labels)
    cells = [each["accuracy"] for graded in found["corruptions"].values() for each in graded]
    assert len(cells) == 30
    assert found["drop"] == pytest.approx(found["accuracy"] - np.mean(cells), abs=1e-12)
    low, high = found["interval"]
    assert low < found["drop"] < high
    assert list(found["corruptions"]) == list(corruptions.LEVELS)


def test_scores_are_those_of_metrics_score_though_an_emotion_is_missing():
    images, labels = shades(140)
    images, labels = images[labels != 2], labels[labels != 2]
    answers = answers_of(nearest, images, labels)
    found = robustness.summary(answers, 200, 0)
    for name, graded in found["corruptions"].items():
        for each in graded:
            expected = score(answers["label"].to_numpy(), np.eye(7)[answers[f"{name}/{each['strength']}"]])
            assert each["accuracy"] == pytest.approx(expected["accuracy"], abs=1e-12)
            assert each["macro_f1"] == pytest.approx(expected["macro_f1"], abs=1e-12)


def test_faces_are_held_against_themselves_not_against_others():
    """Half of the answers are wrong with and without corruption: accuracy is uncertain, what is lost is not."""
    images, labels = shades(140)
    at_the_class = np.array([True] * 70 + [False] * 70)

    def by_size(faces: np.ndarray) -> np.ndarray:
        right = np.where(at_the_class[: len(faces)], labels[: len(faces)], (labels[: len(faces)] + 1) % 7)
        return np.eye(7)[right]

    found = summary_of(by_size, images, labels, params=RobustnessParams(faces=140, strengths=1))
    assert found["accuracy"] == 0.5
    assert found["drop"] == 0
    assert found["interval"] == [0, 0]


def test_the_interval_is_that_of_resamples_written_out_by_subject():
    images, labels = shades(140)
    subjects = np.array([f"person {number // 10}" for number in range(140)], dtype=object)
    answers = answers_of(nearest, images, labels, subjects)
    lost = (answers["clean"] == answers["label"]) - np.mean(
        [answers[column] == answers["label"] for column in answers if "/" in column], axis=0
    )
    by_person = [part.to_numpy() for _, part in lost.groupby(answers["subject"])]
    random = np.random.default_rng(1)
    drops = [np.concatenate([by_person[i] for i in random.integers(0, 14, 14)]).mean() for _ in range(4000)]
    low, high = robustness.summary(answers, 4000, 0)["interval"]
    assert [low, high] == pytest.approx(np.quantile(drops, [0.025, 0.975]), abs=0.006)


def test_people_who_differ_make_the_interval_wider():
    images, labels = shades(140)
    subjects = labels.astype(str).astype(object)  # each person has one shade, and is hit alike in all faces
    alone = summary_of(nearest, images, labels)["interval"]
    together = summary_of(nearest, images, labels, subjects)["interval"]
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_every_model_meets_the_same_faces_whatever_their_order():
    images, labels = shades(140)
    images[:, 0, 0, 0] = np.arange(140)
    order = np.random.default_rng(0).permutation(140)
    params = RobustnessParams(faces=35, strengths=2)
    met = []
    for rows in (np.arange(140), order):
        seen = []

        def watching(faces: np.ndarray, seen: list = seen) -> np.ndarray:
            seen.append(faces.copy())
            return nearest(faces)

        ids = [names(140)[row] for row in rows]
        answers = answers_of(watching, images[rows], labels[rows], None, params, ids, 3)
        met.append((answers.set_index("id").sort_index(), sorted(each.tobytes() for each in np.concatenate(seen))))
    pd.testing.assert_frame_equal(met[0][0], met[1][0])
    assert met[0][1] == met[1][1]
    assert len(met[0][1]) == 35 * (1 + 6 * 2)


def test_large_choices_are_predicted_in_parts_with_the_same_answers(monkeypatch):
    images, labels = shades(70)
    params = RobustnessParams(faces=70, strengths=1)
    whole = answers_of(nearest, images, labels, None, params)
    monkeypatch.setattr(robustness, "CHUNK", 16)
    sizes = []

    def watching(faces: np.ndarray) -> np.ndarray:
        sizes.append(len(faces))
        return nearest(faces)

    parts = answers_of(watching, images, labels, None, params)
    pd.testing.assert_frame_equal(whole, parts)
    assert max(sizes[1:]) == 16


def test_rows_are_those_of_the_faces_to_choose_from():
    images, labels = shades(140)
    rows = np.arange(140)[labels == 3]
    ids = np.array(names(140))[rows]
    params = RobustnessParams(faces=9, strengths=1)
    found = robustness.probe(nearest, images, rows, labels[rows], ids, [None] * len(rows), params, 0)
    assert len(found) == 9
    assert set(found["id"]) <= set(ids)
    assert (found[["label", "clean"]] == 3).all(axis=None)


def test_no_faces_asked_for_is_nothing_measured():
    images, labels = shades(14)
    answers = answers_of(nearest, images, labels, None, RobustnessParams(faces=0))
    assert answers is None
    assert robustness.summary(answers, 200, 0) is None


def test_folds_are_put_together_and_one_that_was_not_probed_makes_them_none():
    images, labels = shades(140)
    first, second = (
        answers_of(nearest, images[rows], labels[rows], None, ALL, [names(140)[row] for row in rows])
        for rows in (np.arange(70), np.arange(70, 140))
    )
    both = robustness.summary(robustness.together([first, second]), 400, 0)
    assert both == summary_of(nearest, images, labels)
    assert robustness.together([first, None]) is None
    assert robustness.together([None, None]) is None


def test_answers_can_be_written_and_read(tmp_path):
    images, labels = shades(14)
    subjects = np.array(["a", None] * 7, dtype=object)
    answers = answers_of(nearest, images, labels, subjects)
    answers.to_parquet(tmp_path / robustness.FILE)
    read = pd.read_parquet(tmp_path / robustness.FILE)
    assert robustness.summary(read, 200, 0) == robustness.summary(answers, 200, 0)


def test_classes_keep_their_shares_and_a_larger_choice_holds_the_smaller():
    labels = np.repeat(np.arange(4), [1000, 600, 300, 100])
    keys = probed.keys(names(2000), 0)
    chosen = [set(probed.in_proportion(labels, keys, count)) for count in (50, 200, 333, 5000)]
    for small, large in pairwise(chosen):
        assert small < large
    for rows, share in zip(chosen, (50, 200, 333, 2000), strict=True):
        assert len(rows) == share
        expected = np.array([1000, 600, 300, 100]) * share / 2000
        assert (abs(np.bincount(labels[list(rows)]) - expected) <= 1).all()


def test_classes_in_turn_are_as_equal_as_the_faces_allow():
    labels = np.repeat(np.arange(4), [1000, 600, 3, 0])
    rows = probed.in_turn(labels, probed.keys(names(1603), 0), 35)
    assert np.bincount(labels[rows]).tolist() == [16, 16, 3]
    assert probed.in_turn(labels[:2], probed.keys(names(2), 0), 35).tolist() == [0, 1]


def test_another_seed_chooses_other_faces():
    labels = np.zeros(500, int)
    first, second = (set(probed.in_turn(labels, probed.keys(names(500), seed), 100)) for seed in (0, 1))
    assert 5 < len(first & second) < 40


def test_the_picture_has_a_panel_a_corruption_with_the_very_numbers():
    images, labels = shades(140)
    found = summary_of(nearest, images, labels, params=RobustnessParams(faces=140, strengths=3))
    drawn = figures_probing.robustness(found, "m: 140 test faces")
    assert len(drawn.axes) == 6
    for axes, (name, graded) in zip(drawn.axes, found["corruptions"].items(), strict=True):
        assert axes.get_title().startswith(name)
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert list(lines["accuracy"].get_xdata()) == [0, 1, 3, 5]
        assert list(lines["accuracy"].get_ydata()) == [found["accuracy"], *(each["accuracy"] for each in graded)]
        assert list(lines["macro-F1"].get_ydata()) == [found["macro_f1"], *(each["macro_f1"] for each in graded)]
    assert f"{found['drop']:.3f} of 1.000 accuracy" in drawn.get_suptitle()

"""Groups of faces and the scores by group, against numbers worked by hand and worlds whose gap is known."""

import json

import numpy as np
import pandas as pd
import pytest

from ferline.artifact import staging, write_json
from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.evaluation.bootstrap import intervals
from ferline.evaluation.metrics import score
from ferline.evaluation.significance import accuracy_interval
from ferline.evaluation.slices import columns, require_known, scores, slices_of
from ferline.faces.faceset import TABLE_COLUMNS, FaceSet, ImageWriter
from ferline.params import EvaluationParams

SPLITS = ("train", "validation", "test")
P = [f"p_{emotion}" for emotion in EMOTIONS]


@pytest.fixture
def make_faces(tmp_path):
    """Grey squares; in turn train, validation and test, or in turn of the folds."""

    def make(count: int = 180, widths=None, attributes=None, found=None, folds: int = 0) -> FaceSet:
        table = pd.DataFrame({column: [None] * count for column in TABLE_COLUMNS})
        table["id"] = [f"face-{number}" for number in range(count)]
        table["label"] = np.arange(count) // 3 % len(EMOTIONS)
        table["split"] = [SPLITS[number % 3] for number in range(count)]
        if folds:
            table["fold"] = np.arange(count) % folds
        if widths is not None:
            table["box"] = [None if np.isnan(width) else [0, 0, int(width), 40] for width in widths]
        if attributes is not None:
            table["attributes"] = [None if each is None else json.dumps(each) for each in attributes]
        if found is not None:
            table["found"] = found
        with staging(tmp_path / "faces") as folder:
            with ImageWriter(folder, count, 48, 1) as writer:
                writer.append(np.zeros((count, 48, 48, 1), np.uint8))
            table.to_parquet(folder / "faces.parquet", index=False)
            write_json(folder / "origin.json", {"dataset": {"folds": folds}})
        return FaceSet(tmp_path / "faces")

    return make


def answers(labels: np.ndarray, right: np.ndarray, subjects: np.ndarray | None = None) -> pd.DataFrame:
    """Test rows of a model that is right where it is said to be, and one emotion off elsewhere."""
    predicted = np.where(right, labels, (labels + 1) % 7)
    table = pd.DataFrame(0.05 + 0.65 * np.eye(7)[predicted], columns=P)
    table["label"], table["split"] = labels, "test"
    table["subject"] = np.full(len(labels), None) if subjects is None else subjects
    return table


# Which groups there are


def test_faces_are_cut_in_thirds_by_their_width_in_the_picture(make_faces):
    widths = np.random.default_rng(0).integers(30, 200, 180).astype(float)
    faces = make_faces(widths=widths)
    names = columns(faces, ["face_size"])["face_size"]
    scored = faces.table["split"] != "train"
    low, high = np.quantile(widths[scored], [1 / 3, 2 / 3], method="higher")
    assert set(names) == {
        f"small (under {low:g} px)",
        f"medium ({low:g} to under {high:g} px)",
        f"large ({high:g} px or more)",
    }
    assert pd.Series(names[scored]).value_counts().between(35, 45).all()
    assert all(name.startswith("small") == (width < low) for name, width in zip(names, widths, strict=True))
    assert all(name.startswith("large") == (width >= high) for name, width in zip(names, widths, strict=True))


def test_training_faces_do_not_move_the_ends(make_faces):
    widths = np.where(np.arange(180) % 3 == 0, 1000.0, 30 + np.arange(180))
    names = columns(make_faces(widths=widths), ["face_size"])["face_size"]
    assert all("1000" not in name for name in names)


def test_of_folds_every_one_is_cut_alike(make_faces):
    faces = make_faces(widths=np.random.default_rng(0).integers(30, 200, 180).astype(float), folds=3)
    names = [columns(faces.fold(number), ["auto"])["face_size"].tolist() for number in range(3)]
    assert names[0] == names[1] == names[2]
    assert len(set(names[0])) == 3


def test_a_face_without_a_box_is_in_no_group_of_size(make_faces):
    widths = np.append(np.arange(30.0, 209), np.nan)
    assert columns(make_faces(widths=widths), ["face_size"])["face_size"][-1] is None


@pytest.mark.parametrize("widths", [np.full(180, 48.0), np.full(180, np.nan)], ids=["one width", "no boxes"])
def test_faces_of_one_size_are_in_no_groups_of_size(make_faces, widths):
    faces = make_faces(widths=widths)
    assert columns(faces, ["auto"]) == {}
    assert columns(faces, ["face_size"]) == {}, "what every set may be asked for is no mistake, hours into a run"


def test_words_are_taken_as_they_are_and_a_missing_one_is_none(make_faces):
    said = [{"gender": ["female", "male"][number % 2]} if number % 5 else None for number in range(178)]
    names = columns(make_faces(attributes=[*said, {"gender": ""}, {"other": 1}]), ["gender"])["gender"]
    assert names[1:5].tolist() == ["male", "female", "male", "female"]
    assert names[[0, 5, 178, 179]].tolist() == [None] * 4


@pytest.mark.parametrize("as_text", [False, True], ids=["numbers", "numbers as text"])
def test_many_numbers_are_cut_in_thirds_and_few_are_names(make_faces, as_text):
    wrap = str if as_text else (lambda value: value)
    said = [{"age": wrap(20 + number % 60), "level": wrap(number % 3)} for number in range(180)]
    found = columns(make_faces(attributes=said), ["age", "level"])
    assert sorted(set(found["age"])) == ["high (60 or more)", "low (under 40)", "middle (40 to under 60)"]
    assert set(found["level"]) == {"0", "1", "2"}


def test_true_and_false_are_two_groups_and_lists_are_none(make_faces):
    said = [{"smiles": number % 2 == 0, "corners": [1, 2]} for number in range(180)]
    faces = make_faces(attributes=said)
    assert set(columns(faces, ["smiles"])["smiles"]) == {"true", "false"}
    with pytest.raises(FerlineError, match="no groups by 'corners'"):
        columns(faces, ["corners"])


def test_found_says_whether_there_was_a_face(make_faces):
    names = columns(make_faces(found=[True, False, None] * 60), ["found"])["found"]
    assert names[:3].tolist() == ["face found", "no face found", None]


def test_auto_takes_what_has_a_few_large_groups(make_faces):
    said = [
        {
            "gender": ["female", "male"][number // 3 % 2],
            "rare": "yes" if number < 40 else "no",  # 13 test faces
            "file": f"{number}.png",
            "one": "studio",
            "age": number // 3,
        }
        for number in range(180)
    ]
    faces = make_faces(widths=np.arange(180.0), attributes=said, found=[True, False] * 90)
    assert set(columns(faces, ["auto"])) == {"face_size", "gender", "age"}
    assert set(columns(faces, ["auto", "rare", "file"])) == {"face_size", "gender", "age", "rare", "file"}
    assert columns(faces, []) == {}


def test_a_column_that_is_nowhere_is_refused_with_those_that_are_there(make_faces):
    faces = make_faces(widths=np.arange(180.0), attributes=[{"gender": "female"}] * 180)
    message = "evaluation.slices: .*faces has no groups by 'ethnicity'. There are: face_size, gender, auto"
    with pytest.raises(FerlineError, match=message):
        columns(faces, ["gender", "ethnicity"])


# What is said of them


def test_each_group_has_the_scores_of_its_own_faces():
    random = np.random.default_rng(0)
    labels, names = random.integers(0, 7, 400), random.choice(["a", "b", None], 400)
    names[names == "None"] = None
    table = answers(labels, random.random(400) < 0.7)
    found = scores("light", table, names, EMOTIONS, 200, 0)
    assert (found["column"], found["emotions"]) == ("light", list(EMOTIONS))
    for group in found["groups"]:
        rows = names == group["name"]
        expected = score(labels[rows], table.loc[rows, P].to_numpy())
        assert group["faces"] == group["people"] == rows.sum()
        assert group["accuracy"] == pytest.approx(expected["accuracy"])
        assert group["macro_recall"] == pytest.approx(expected["macro_recall"])
        assert group["recall"] == pytest.approx({name: each["recall"] for name, each in expected["per_class"].items()})
        assert group["interval"][0] < group["accuracy"] < group["interval"][1]
        assert group["macro_recall_interval"][0] < group["macro_recall"] < group["macro_recall_interval"][1]
    first, second = found["groups"]
    assert found["gap"]["macro_recall"] == pytest.approx(abs(first["macro_recall"] - second["macro_recall"]))
    apart = {emotion: abs(first["recall"][emotion] - second["recall"][emotion]) for emotion in EMOTIONS}
    assert found["gap"]["by_emotion"] == pytest.approx(apart)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_one_group_of_all_faces_has_the_intervals_of_the_whole_split():
    random = np.random.default_rng(0)
    labels, persons = random.integers(0, 7, 300), random.integers(0, 30, 300).astype(str).astype(object)
    table = answers(labels, random.random(300) < 0.7, persons)
    found = scores("all", table, np.full(300, "all", object), EMOTIONS, 300, 4)
    whole = intervals(labels, table[P].to_numpy(), EMOTIONS, persons, 300, 4)
    (group,) = found["groups"]
    assert group["people"] == 30
    assert group["interval"] == pytest.approx(whole["accuracy"], abs=1e-12)
    assert group["macro_recall_interval"] == pytest.approx(whole["macro_recall"], abs=1e-12)
    assert found["gap"] is None, "one group is not compared"


def test_like_is_compared_with_like():
    """Group b shows no sad face; that a fails on all of those is no gap between a and b."""
    labels = np.array(([3] * 20 + [4] * 20) + [3] * 20)
    names = np.array(["a"] * 40 + ["b"] * 20, object)
    right = np.array([True] * 16 + [False] * 4 + [False] * 20 + [True] * 14 + [False] * 6)
    found = scores("x", answers(labels, right), names, EMOTIONS, 200, 0)
    assert found["emotions"] == ["happy"]
    assert [group["macro_recall"] for group in found["groups"]] == pytest.approx([0.8, 0.7])
    assert found["gap"]["macro_recall"] == pytest.approx(0.1)
    assert found["groups"][0]["recall"]["sad"] == 0
    assert found["groups"][1]["recall"]["sad"] is None
    assert found["gap"]["by_emotion"]["sad"] is None
    assert found["groups"][0]["accuracy"] == pytest.approx(0.4)


def test_a_group_of_under_ten_faces_is_listed_but_not_compared():
    labels = np.tile(np.arange(7), 30)[:205]
    names = np.array((["a", "b"] * 98)[:196] + ["tiny"] * 9, object)
    right = np.random.default_rng(0).random(205) < 0.8
    right[196:] = False
    found = scores("x", answers(labels, right), names, EMOTIONS, 200, 0)
    tiny = found["groups"][2]
    assert (tiny["name"], tiny["faces"], tiny["macro_recall"]) == ("tiny", 9, 0)
    measured = [group["macro_recall"] for group in found["groups"][:2]]
    assert found["gap"]["macro_recall"] == pytest.approx(max(measured) - min(measured))
    assert tiny["interval"] == pytest.approx(accuracy_interval(0, 9)), "nine of nine wrong: not certain for all that"


def test_of_one_or_two_people_nothing_is_known_but_what_they_did():
    labels, names = np.tile(np.arange(7), 30), np.repeat(["a", "b", "c"], 70).astype(object)
    persons = np.concatenate([np.arange(70) % 20, 100 + np.arange(70) % 20, 200 + np.arange(70) % 2]).astype(object)
    found = scores("x", answers(labels, np.arange(210) % 4 > 0, persons), names, EMOTIONS, 200, 0)
    pair = found["groups"][2]
    assert (pair["people"], pair["interval"], pair["macro_recall_interval"]) == (2, None, None)
    assert pair["accuracy"] > 0.5
    both = [group["macro_recall"] for group in found["groups"][:2]]
    assert found["gap"]["macro_recall"] == pytest.approx(max(both) - min(both))


def test_groups_that_share_no_emotion_are_not_compared():
    labels, names = np.repeat([3, 4], 30), np.repeat(["a", "b"], 30).astype(object)
    found = scores("x", answers(labels, np.arange(60) % 3 > 0), names, EMOTIONS, 200, 0)
    assert found["gap"] is None
    assert [group["macro_recall"] for group in found["groups"]] == pytest.approx([2 / 3, 2 / 3])


def test_groups_are_in_their_own_order():
    named = ["large (9 px or more)", "small (under 5 px)", "medium (5 to under 9 px)", "10", "9", "zebra", "ape"]
    names = np.repeat(named, 20).astype(object)
    found = scores("x", answers(np.tile(np.arange(7), 20), np.ones(140, bool)), names, EMOTIONS, 200, 0)
    assert [group["name"] for group in found["groups"]] == [*[named[at] for at in (1, 2, 0)], "9", "10", "ape", "zebra"]


def gaps_of(apart: float, worlds: int = 60) -> list[dict]:
    """Of three groups of 40 people's faces, the first told worse."""
    found = []
    for world in range(worlds):
        random = np.random.default_rng(world)
        labels, persons, names = random.integers(0, 7, 800), np.repeat(np.arange(40), 20), np.arange(800) % 3
        chances = random.beta(7, 3, 40)[persons] - apart * (names == 0)
        table = answers(labels, random.random(800) < chances, persons.astype(object))
        found.append(scores("x", table, names.astype(str).astype(object), EMOTIONS, 200, world)["gap"])
    return found


def test_a_gap_that_chance_makes_is_not_taken_for_one():
    found = gaps_of(0.0)
    assert min(gap["macro_recall"] for gap in found) > 0, "a maximum less a minimum always is"
    assert sum(gap["interval"][0] == 0 for gap in found) >= 54
    assert sum(gap["p"] < 0.05 for gap in found) <= 6


def test_a_gap_that_is_there_is_seen():
    found = gaps_of(0.25)
    assert all(gap["p"] < 0.05 and gap["interval"][0] > 0 for gap in found)
    assert sum(gap["interval"][0] <= 0.25 <= gap["interval"][1] for gap in found) >= 50


def test_every_slice_column_of_the_test_faces_is_scored():
    labels = np.tile(np.arange(7), 20)
    test = answers(labels, np.arange(140) % 4 > 0).assign(
        slice_light=np.where(np.arange(140) % 2, "day", "night"), slice_nothing=None
    )
    other = test.assign(split="validation", slice_light="dusk")
    found = slices_of(pd.concat([other, test]), EMOTIONS, EvaluationParams(resamples=200))
    assert [(each["column"], [group["name"] for group in each["groups"]]) for each in found] == [
        ("light", ["day", "night"])
    ]
    assert [group["faces"] for group in found[0]["groups"]] == [70, 70]


def test_a_column_that_the_set_has_not_is_refused_before_anything_runs():
    require_known(("auto", "found", "age"), {"age", "glasses"}, "mine")
    with pytest.raises(FerlineError, match=r"mine has no column 'agee'. Write some of: auto, .*found, age, glas"):
        require_known(("agee",), {"age", "glasses"}, "mine")

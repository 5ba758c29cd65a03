"""What each protocol promises, how folds are cut, and what a set without the means for one is told."""

import json

import numpy as np
import pandas as pd
import pytest
from tables import people, shares_of

from ferline.datasets import protocols
from ferline.datasets.protocols import READINGS, assign, side_named, split_of
from ferline.datasets.samples import SPLITS
from ferline.datasets.splits import leaks
from ferline.errors import FerlineError
from ferline.params import PAPERS, PROTOCOLS, DatasetParams


def params(protocol: str = "official", **others: object) -> DatasetParams:
    return DatasetParams("x", protocol=protocol, **others)


def own(table: pd.DataFrame, *sides: str) -> pd.DataFrame:
    """The table with a split of its own: these sides in turn, row by row."""
    return table.assign(split=np.resize(sides, len(table)))


def test_official_is_the_sets_own_split() -> None:
    table = own(people(6), "test", "train", "validation")
    split, fold, note = assign(table, params())
    assert split.tolist() == table["split"].tolist()
    assert (fold, note) == (None, None)


@pytest.mark.parametrize("held", ["validation", "test"])
def test_official_with_one_part_held_out_tests_on_it_and_draws_validation_from_training(held: str) -> None:
    """As FER2013 is without PrivateTest, and as RAF-DB is."""
    table = people(40).assign(subject=None)
    table["split"] = np.where(np.arange(len(table)) % 4 == 0, held, "train")
    split, _, note = assign(table, params())
    assert ((split == "test") == (table["split"] == held)).all()
    train = table[table["split"] == "train"]
    assert np.abs(shares_of(train, split[train.index]).to_numpy() - (8 / 9, 1 / 9)).max() < 0.03
    assert note == (
        f"The set holds out one part only, its {held} images: they are the test here; validation is drawn from training"
    )


def test_official_draws_validation_by_subject_where_every_subject_is_known() -> None:
    table = people(40)
    table["split"] = np.where(table["subject"].isin([f"p{n}" for n in range(10)]), "test", "train")
    split = assign(table, params()).split
    assert (split[table["split"] == "train"] == "validation").mean() == pytest.approx(1 / 9, abs=0.02)
    assert leaks(table, split) == []


def test_official_refuses_images_without_a_split_saying_how_many_and_what_to_write() -> None:
    table = own(people(6), "train")
    table.loc[[3, 5], "split"] = None
    with pytest.raises(FerlineError, match=r"2 of \d+ images have no split \(first: i3, i5\). Write protocol: random"):
        assign(table, params())


def test_official_refuses_splits_it_does_not_know() -> None:
    with pytest.raises(FerlineError, match=r"one of train, validation, test; (\d+) of \1 images have 'Training'"):
        assign(own(people(6), "Training"), params())


@pytest.mark.parametrize("side", ["train", "test"])
def test_official_refuses_a_set_that_trains_or_holds_out_nothing(side: str) -> None:
    with pytest.raises(
        FerlineError, match=rf"training images and others held out; all of its \d+ images are {side}\. "
    ):
        assign(own(people(6), side), params())


def test_random_keeps_copies_together_and_gives_each_label_its_shares() -> None:
    table = people(60)
    table["sha256"] = np.resize(table["sha256"][: len(table) // 2], len(table))
    split = assign(table, params("random")).split
    assert split.groupby(table["sha256"]).nunique().max() == 1
    assert np.abs(split.value_counts(normalize=True)[list(SPLITS)] - (0.8, 0.1, 0.1)).max() < 0.02


@pytest.mark.parametrize("column", ["subject", "sequence"])
def test_subject_and_sequence_are_on_one_side(column: str) -> None:
    table = people(30)
    split = assign(table, params(column)).split
    assert set(split) == set(SPLITS)
    assert leaks(table, split, column) == []
    other = "sequence" if column == "subject" else "subject"
    assert leaks(table, split, other), f"{other}s are apart too, so that this shows nothing"


@pytest.mark.parametrize(("column", "what"), [("subject", "who is in each image"), ("sequence", "which video each")])
def test_subject_and_sequence_refuse_images_of_which_it_is_not_known(column: str, what: str) -> None:
    table = people(10)
    table.loc[[4, 6], column] = [None, ""]
    said = (
        rf"{what}.*; 2 of \d+ images have no {column} \(first: i4, i6\). Write protocol: official or protocol: random"
    )
    with pytest.raises(FerlineError, match=said):
        assign(table, params(column))


@pytest.mark.parametrize("protocol", ["random", "subject", "sequence"])
@pytest.mark.parametrize("folds", [3, 10])
def test_in_folds_every_image_tests_once_and_nobody_is_on_two_sides(protocol: str, folds: int) -> None:
    table = people(80)
    table.loc[1::40, "sha256"] = table["sha256"][::40].tolist()  # some copies
    split, fold, _ = assign(table, params(protocol, folds=folds))
    assert fold is not None
    assert split.equals(split_of(fold, 0, folds))
    tests = pd.concat([split_of(fold, tested, folds) == "test" for tested in range(folds)], axis=1)
    assert (tests.sum(axis=1) == 1).all()
    assert (fold.value_counts(normalize=True).sort_index() - 1 / folds).abs().max() < 0.02
    assert shares_of(table, fold.astype(str)).sub(1 / folds).abs().drop(index="disgust").to_numpy().max() < 0.06
    if protocol == "random":
        assert fold.groupby(table["sha256"]).nunique().max() == 1
    else:
        assert leaks(table, fold, protocol) == []


@pytest.mark.parametrize("protocol", ["random", "subject", "sequence"])
def test_folds_are_a_matter_of_the_seed_and_not_of_the_order_of_the_rows(protocol: str) -> None:
    table = people(30)
    fold = assign(table, params(protocol, folds=5)).fold
    shuffled = assign(table.sample(frac=1, random_state=3), params(protocol, folds=5)).fold
    assert fold is not None
    assert shuffled is not None
    assert shuffled.sort_index().equals(fold)
    assert not fold.equals(assign(table, params(protocol, folds=5, seed=1)).fold)


def test_more_folds_than_subjects_are_refused() -> None:
    assert assign(people(10), params("subject", folds=10)).fold.nunique() == 10
    with pytest.raises(FerlineError, match=r"'subject' needs 10 subjects or more, .*found 9\. .* or fewer folds"):
        assign(people(9), params("subject", folds=10))


def test_split_of_tests_one_fold_validates_the_next_and_trains_on_the_rest() -> None:
    fold = pd.Series([0, 1, 2, 3], index=[7, 5, 3, 1])
    assert split_of(fold, 0, 4).to_dict() == {7: "test", 5: "validation", 3: "train", 1: "train"}
    assert split_of(fold, 3, 4).to_dict() == {7: "validation", 5: "train", 3: "train", 1: "test"}


def with_usage(*words: object) -> pd.DataFrame:
    table = people(4)
    rows = np.resize(np.array(words, object), len(table))
    return table.assign(attributes=[json.dumps({"usage": word, "box": [1, 2]}) for word in rows])


def test_a_column_of_the_set_can_be_the_split() -> None:
    table = with_usage("Training", "PublicTest", "PrivateTest", "val ", "TEST")
    split = assign(table, params("column:usage")).split
    assert split.tolist() == np.resize(["train", "validation", "test", "validation", "test"], len(table)).tolist()


def test_a_column_that_does_not_say_the_split_of_every_image_is_refused_with_the_columns_that_are_there() -> None:
    table = with_usage("train", "test")
    with pytest.raises(
        FerlineError, match=r"'column:use' needs train, .*; (\d+) of \1 .*\(first: i0: nothing\).*: box, usage"
    ):
        assign(table, params("column:use"))
    table.loc[[3, 4], "attributes"] = [None, json.dumps({"usage": "Tset"})]
    with pytest.raises(FerlineError, match=r"2 of \d+ have something else \(first: i3: nothing\)"):
        assign(table, params("column:usage"))
    with pytest.raises(FerlineError, match=r"1 of \d+ have something else \(first: i4: 'Tset'\)"):
        assign(table.drop(index=3), params("column:usage"))
    with pytest.raises(FerlineError, match=r"The set's columns: none$"):
        assign(people(4), params("column:usage"))


OWN = [key for key, reading in READINGS.items() if reading == "own"]


def test_every_paper_has_its_reading() -> None:
    assert tuple(READINGS) == PAPERS
    assert set(READINGS.values()) == {"own", "image"}
    assert OWN == ["resnet50_gru", "resnet50_resnet34"]


@pytest.mark.parametrize("key", PAPERS)
def test_a_paper_takes_the_sets_own_split_only_where_it_did(key: str) -> None:
    table = own(people(30), *["train"] * 8, "validation", "test")
    same = (assign(table, params(f"paper:{key}")).split == table["split"]).all()
    assert same == (key in OWN)


@pytest.mark.parametrize("key", PAPERS)
def test_a_paper_draws_image_by_image_where_the_set_has_no_split_and_copies_come_to_stand_on_both_sides(
    key: str,
) -> None:
    table = people(30)
    table["sha256"] = np.resize(table["sha256"][: len(table) // 2], len(table))  # every image twice
    split = assign(table, params(f"paper:{key}")).split
    assert np.abs(shares_of(table, split).drop(index="disgust").to_numpy() - (0.8, 0.1, 0.1)).max() < 0.03
    trained = set(table["sha256"][split == "train"])
    assert table["sha256"][split == "test"].isin(trained).mean() == pytest.approx(0.8, abs=0.15)
    assert leaks(table, split), "no person on two sides, so this is another protocol"


@pytest.mark.parametrize("key", OWN)
def test_a_paper_that_takes_a_split_with_one_part_held_out_tests_on_that(key: str) -> None:
    split, _, note = assign(own(people(30), "train", "train", "test"), params(f"paper:{key}"))
    assert set(split) == set(SPLITS)
    assert note is not None
    assert note.startswith("The set holds out one part only, its test images")


@pytest.mark.parametrize(
    ("word", "side"),
    [
        ("Training", "train"),
        (" TRAIN", "train"),
        ("PublicTest", "validation"),
        ("dev", "validation"),
        ("PrivateTest", "test"),
        ("testing", "test"),
        ("extra", None),
        ("", None),
    ],
)
def test_the_words_for_a_side(word: str, side: str | None) -> None:
    assert side_named(word) == side


def test_every_protocol_that_params_allow_is_described() -> None:
    described = {line.split()[0] for line in (protocols.__doc__ or "").splitlines() if line.startswith("    ")}
    assert {*PROTOCOLS, "column:NAME", "paper:KEY"} <= described

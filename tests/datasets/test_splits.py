"""The draws: who is where is a matter of the rows and the seed, never of their order, and the shares are met."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from tables import people, shares_of

from ferline.datasets.samples import SPLITS
from ferline.datasets.splits import a_part, by_group, by_image, by_label, leaks
from ferline.errors import FerlineError

Draw = Callable[..., pd.Series]
SHARES = dict(zip(SPLITS, (0.8, 0.1, 0.1), strict=True))
TEN = {str(fold): 0.1 for fold in range(10)}


def by_person(table: pd.DataFrame, shares: dict[str, float], seed: int) -> pd.Series:
    return by_group(table, "subject", shares, seed)


every_draw = pytest.mark.parametrize("draw", [by_label, by_image, by_person])


@pytest.mark.parametrize("draw", [by_label, by_image])
@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.5, 0.2, 0.3)])
def test_every_label_has_its_shares(draw: Draw, shares: tuple[float, float, float]) -> None:
    table = people(60)
    sides = draw(table, dict(zip(SPLITS, shares, strict=True)), 0)
    assert np.abs(shares_of(table, sides).to_numpy() - shares).max() < 0.02


@every_draw
def test_a_seed_is_a_split_whatever_the_order_of_the_rows(draw: Draw) -> None:
    table = people(30)
    sides = draw(table, SHARES, 1)
    assert draw(table.sample(frac=1, random_state=0), SHARES, 1).sort_index().equals(sides)
    assert (draw(table, SHARES, 2) != sides).mean() > 0.1


def test_copies_with_two_labels_are_drawn_alike_whatever_the_order_of_the_rows() -> None:
    table = people(30)
    table["sha256"] = np.resize(table["sha256"][: len(table) // 3], len(table))
    sides = by_label(table, SHARES, 0)
    for seed in range(5):
        assert by_label(table.sample(frac=1, random_state=seed), SHARES, 0).sort_index().equals(sides)


def test_even_a_label_of_three_images_has_one_on_every_side() -> None:
    table = people(10)
    table.loc[:2, "label"] = "contempt"
    assert sorted(by_label(table, SHARES, 0)[:3]) == ["test", "train", "validation"]


def test_what_ten_sides_leave_over_is_spread_and_does_not_all_go_to_the_first() -> None:
    table = pd.DataFrame({"id": [f"i{n}" for n in range(77)], "label": ["contempt"] * 54 + ["fear"] * 18 + ["sad"] * 5})
    counts = pd.crosstab(table["label"], by_image(table, TEN, 0)).reindex(columns=list(TEN), fill_value=0)
    assert counts.sum(axis=1).tolist() == [54, 18, 5]
    assert (counts - counts.sum(axis=1).to_numpy()[:, None] / 10).abs().to_numpy().max() < 1


def test_nearly_every_image_stays_where_it_was_when_a_set_grows() -> None:
    """A champion that is scored again on the grown set must not meet its own training images there."""
    table = people(120)
    small, large = table[: len(table) // 2], table
    before, after = (by_label(part, SHARES, 0) for part in (small, large))
    assert (before == after[: len(small)]).mean() > 0.95


def test_by_label_never_parts_exact_copies_and_by_image_does() -> None:
    table = people(30)
    table["sha256"] = np.resize(table["sha256"][: len(table) // 3], len(table))
    assert by_label(table, SHARES, 0).groupby(table["sha256"]).nunique().max() == 1
    assert by_image(table, SHARES, 0).groupby(table["sha256"]).nunique().max() > 1


@pytest.mark.parametrize(("count", "tolerance"), [(10, 0.06), (120, 0.02)])
def test_every_person_is_on_one_side(count: int, tolerance: float) -> None:
    table = people(count)
    sides = by_person(table, SHARES, 0)
    assert leaks(table, sides) == []
    share = sides.value_counts(normalize=True)
    assert [share[split] for split in SPLITS] == pytest.approx((0.8, 0.1, 0.1), abs=tolerance)


def test_labels_that_only_some_persons_show_are_balanced() -> None:
    """Half of the persons are only ever happy, the others never are."""
    table = people(60)
    happy = table["subject"].str[1:].astype(int) % 2 == 0
    table["label"] = np.where(happy, "happy", "sad")
    sides = by_person(table, SHARES, 0)
    assert np.abs(shares_of(table, sides).to_numpy() - (0.8, 0.1, 0.1)).max() < 0.04


def test_somebody_is_on_every_side_even_of_three_persons_and_two_are_too_few() -> None:
    assert set(by_person(people(3), SHARES, 0)) == set(SPLITS)
    with pytest.raises(FerlineError, match=r"'subject' needs 3 subjects or more.*found 2\. Write another protocol"):
        by_person(people(2), SHARES, 0)


def test_a_part_has_every_label_of_every_split_and_a_larger_part_contains_it() -> None:
    table = people(40).assign(split=lambda t: np.resize(["train"] * 8 + ["validation", "test"], len(t)))
    table.loc[0, ["label", "split"]] = ["contempt", "test"]  # one image of its kind
    tenth, third = a_part(table, 0.1, 0), a_part(table, 1 / 3, 0)
    groups = ["label", "split"]
    sizes, taken = table.groupby(groups).size(), table[tenth].groupby(groups).size()
    assert taken.equals(np.maximum(1, np.ceil(sizes * 0.1)).astype(int))
    assert not (tenth & ~third).any()
    assert a_part(table, 1.0, 0).all()
    assert a_part(table.sample(frac=1, random_state=0), 0.1, 0).sort_index().equals(tenth)
    assert (a_part(table, 0.1, 1) != tenth).any()


def test_leaks_names_who_is_on_both_sides() -> None:
    table = pd.DataFrame(
        {"subject": ["b", "b", "a", "a", None, None, "c"], "sequence": [None, "", "", "v", "v", "w", "w"]}
    )
    sides = pd.Series(["train", "test", "test", "train", "train", "test", "train"])
    assert leaks(table, sides) == ["a", "b"]
    assert leaks(table, sides, "sequence") == ["w"]

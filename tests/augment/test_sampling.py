"""Epoch orders, plain and class-balanced."""

import numpy as np
import pytest

from ferline.augment.sampling import order

LABELS = np.repeat([0, 1, 2, 3], [7, 100, 33, 1])


def test_none_shows_every_image_once_in_another_order_each_epoch() -> None:
    first, second = order(LABELS, 0, 0, "none"), order(LABELS, 0, 1, "none")
    assert sorted(first) == sorted(second) == list(range(len(LABELS)))
    assert list(first) != list(second) != list(range(len(LABELS)))


@pytest.mark.parametrize("balance", ["none", "oversample"])
def test_the_order_is_a_function_of_seed_and_epoch(balance: str) -> None:
    first = order(LABELS, 5, 3, balance)
    assert np.array_equal(order(LABELS, 5, 3, balance), first)
    assert not np.array_equal(order(LABELS, 5, 4, balance), first)
    assert not np.array_equal(order(LABELS, 6, 3, balance), first)


def test_oversample_shows_every_class_as_often_as_the_largest() -> None:
    shown = order(LABELS, 0, 0, "oversample")
    assert np.bincount(LABELS[shown]).tolist() == [100, 100, 100, 100]


def test_oversample_spreads_repeats_evenly_and_leaves_no_image_out() -> None:
    times = np.bincount(order(LABELS, 0, 0, "oversample"), minlength=len(LABELS))
    for label in range(4):
        own = times[label == LABELS]
        assert own.min() >= 1
        assert own.max() - own.min() <= 1


def test_which_images_come_oftener_changes_with_the_epoch() -> None:
    times = [
        np.bincount(order(LABELS, 0, epoch, "oversample"), minlength=len(LABELS))[LABELS == 2] for epoch in range(50)
    ]
    assert not np.array_equal(times[0], times[1])
    share = np.mean([t == 4 for t in times], axis=0)  # 100 = 3 x 33 + 1: one of 33 comes a fourth time
    assert share.max() < 0.2


def test_oversample_mixes_the_classes() -> None:
    shown = LABELS[order(LABELS, 0, 0, "oversample")]
    assert all(len(np.unique(part)) == 4 for part in np.split(shown, 8))


def test_no_images_make_an_empty_order() -> None:
    for balance in ("none", "oversample"):
        assert order(np.empty(0, np.int64), 0, 0, balance).tolist() == []


def test_an_unknown_balance_is_refused() -> None:
    with pytest.raises(ValueError, match="'undersample' is not allowed; write none or oversample"):
        order(LABELS, 0, 0, "undersample")

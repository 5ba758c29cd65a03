"""Near-duplicates: what is found of altered copies, by way of cells and by holding all against all."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ferline.datasets.audit import neighbours
from ferline.datasets.audit.descriptor import MIRROR, PLACES, describe, describe_moved
from ferline.datasets.audit.groups import components
from ferline.datasets.audit.neighbours import candidates
from ferline.datasets.audit.verify import likeness, near

Make = Callable[..., Any]


def links(pairs: neighbours.Pairs) -> set[tuple[int, int]]:
    return set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


def found(thumbs: np.ndarray, **given: Any) -> set[tuple[int, int]]:
    pairs, _ = near(thumbs, candidates(thumbs, **given))
    return links(pairs)


def test_the_descriptor_of_a_mirror_image_is_the_descriptor_with_signs_turned(make_photographs: Make) -> None:
    thumbs = make_photographs(20)
    assert np.allclose(describe(thumbs[:, :, ::-1]), describe(thumbs) * MIRROR, atol=1e-4)


def test_the_descriptor_does_not_see_brightness_or_contrast(make_photographs: Make) -> None:
    thumbs = make_photographs(20) // 2
    assert np.allclose(describe(thumbs + 60), describe(thumbs), atol=1e-4)
    assert np.allclose(describe(thumbs * 2), describe(thumbs), atol=1e-4)


def test_one_of_nine_places_is_the_picture_moved_by_two(make_photographs: Make) -> None:
    thumbs = make_photographs(5)
    shifted = np.roll(thumbs, (2, -2), axis=(1, 2))
    alike = (describe_moved(thumbs) * describe(shifted)[:, None]).sum(axis=2)
    assert alike.shape == (5, PLACES)
    assert (alike.max(axis=1) > 0.9999).all()
    assert ((describe(thumbs) * describe(shifted)).sum(axis=1) < 0.95).all()


def test_altered_copies_are_found_and_strangers_are_not(make_photographs: Make, alter: Any) -> None:
    originals = make_photographs(120)
    copies = np.stack([alter(picture) for picture in originals[:40]])
    thumbs = np.concatenate([originals, copies])
    assert found(thumbs) == {(number, 120 + number) for number in range(40)}


def test_a_pair_says_whether_it_is_mirrored(make_photographs: Make) -> None:
    originals = make_photographs(30)
    thumbs = np.concatenate([originals, originals[:10, :, ::-1], originals[10:20]])
    pairs = candidates(thumbs)
    assert pairs.mirrored[pairs.first < 10].all()
    assert not pairs.mirrored[(pairs.first >= 10) & (pairs.second >= 40)].any()


def test_cells_find_nearly_what_all_against_all_finds(
    make_photographs: Make, alterations: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    originals = make_photographs(2400)
    copies = np.stack([alterations["all at once"](picture) for picture in originals[:300]])
    thumbs = np.concatenate([originals, copies])
    everything = found(thumbs, exhaustive=True)
    monkeypatch.setattr(neighbours, "_ALL_AGAINST_ALL", 100)
    cells = found(thumbs)
    assert len(everything) > 295
    assert cells <= everything
    assert len(cells) > 0.98 * len(everything)
    assert found(thumbs) == cells  # the seed decides, not the threads


def test_a_film_of_one_face_costs_each_picture_a_few_pairs_and_hangs_together(make_photographs: Make) -> None:
    (face,) = make_photographs(1)
    noise = np.random.default_rng(0).integers(-3, 4, (200, *face.shape))
    film = np.clip(face + noise, 0, 255).astype(np.uint8)
    pairs = candidates(film)
    assert len(pairs) <= 200 * neighbours.MOST
    assert len(set(components(200, pairs.first, pairs.second))) == 1


def test_pictures_without_detail_are_alike_to_nothing(make_photographs: Make) -> None:
    flat = np.stack([np.full((48, 48), level, np.uint8) for level in (0, 1, 128, 255)])
    speck = flat.copy()
    speck[:, 10, 10] ^= 1
    thumbs = np.concatenate([flat, speck, make_photographs(10)])
    assert found(thumbs) == set()
    pairs = neighbours.Pairs(np.array([0, 8]), np.array([1, 8]), np.array([False, False]))
    assert likeness(thumbs, pairs).tolist() == pytest.approx([0.0, 1.0])


@pytest.mark.parametrize("count", [0, 1])
def test_of_nothing_or_one_picture_there_are_no_pairs(make_photographs: Make, count: int) -> None:
    assert found(make_photographs(2)[:count]) == set()


def test_components_follow_pairs_over_pairs() -> None:
    groups = components(6, np.array([0, 3, 1]), np.array([1, 4, 5]))
    assert groups[0] == groups[1] == groups[5]
    assert groups[3] == groups[4]
    assert len(set(groups)) == 3

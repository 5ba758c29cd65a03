import io

import cv2
import numpy as np
import pytest
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image

from ferline.evaluation.corruptions import GREY, LEVELS, LEVELS_AT_32, STRENGTHS, corrupted, level_of, sheet, strengths

RANDOM = ("noise", "brightness", "occlusion")


def make(count: int, side: int, channels: int, seed: int = 0) -> np.ndarray:
    """Smooth pictures of middling light: no corruption but the strongest reaches black or white."""
    coarse = np.random.default_rng(seed).integers(60, 196, (count, 6, 6, channels), dtype=np.uint8)
    return np.stack(
        [cv2.resize(each, (side, side), interpolation=cv2.INTER_CUBIC).reshape(side, side, channels) for each in coarse]
    )


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square(a.astype(float) - b).mean())


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize(("side", "channels"), [(48, 1), (48, 3), (61, 3), (224, 1)])
def test_faces_of_any_size_are_changed_and_keep_their_form(name, side, channels):
    faces = make(4, side, channels)
    before = faces.copy()
    found = corrupted(faces, name, 3, 0, np.arange(4))
    assert found.dtype == np.uint8
    assert found.shape == faces.shape
    assert (faces == before).all()
    assert all((now != face).any() for now, face in zip(found, faces, strict=True))


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_face_is_corrupted_the_same_in_every_batch(name, channels):
    faces, places = make(12, 48, channels), np.arange(100, 112)
    together = corrupted(faces, name, 2, 5, places)
    other_way = corrupted(faces[::-1], name, 2, 5, places[::-1])[::-1]
    alone = np.concatenate([corrupted(faces[i : i + 1], name, 2, 5, places[i : i + 1]) for i in range(12)])
    assert (together == other_way).all()
    assert (together == alone).all()


@pytest.mark.parametrize("name", LEVELS)
def test_only_what_is_drawn_differs_with_the_seed_and_the_face(name):
    faces = make(1, 48, 1).repeat(20, axis=0)
    found = corrupted(faces, name, 3, 0, np.arange(20))
    again = corrupted(faces, name, 3, 1, np.arange(20))
    assert (len(np.unique(found, axis=0)) > 1) == (name in RANDOM)
    assert (found != again).any() == (name in RANDOM)


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("side", [48, 224])
def test_every_strength_changes_more_than_the_one_before(name, side):
    faces, places = make(10, side, 3), np.arange(10)
    changes = [distance(corrupted(faces, name, strength, 0, places), faces) for strength in STRENGTHS]
    assert changes[0] > 0
    assert (np.diff(changes) > 0).all(), changes


@pytest.mark.parametrize("name", LEVELS)
def test_every_table_holds_five_strengths_that_grow(name):
    for table in (LEVELS, LEVELS_AT_32):
        if name in table:
            steps = np.diff(table[name])
            assert len(steps) == 4
            assert (steps > 0).all() or (steps < 0).all()


@pytest.mark.parametrize("name", LEVELS_AT_32)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_level_lies_between_those_of_small_and_of_large_faces(name, strength):
    small, large = LEVELS_AT_32[name][strength - 1], LEVELS[name][strength - 1]
    between = [level_of(name, strength, side) for side in (24, 32, 48, 96, 224, 512)]
    assert between[:2] == [small, small]
    assert between[-2:] == pytest.approx([large, large])
    assert between == sorted(between, reverse=small > large)
    assert level_of(name, strength, round((32 * 224) ** 0.5)) == pytest.approx((small * large) ** 0.5, rel=0.01)


def test_noise_has_its_deviation_and_no_mean():
    grey = np.full((1, 224, 224, 3), 127, np.uint8)
    difference = corrupted(grey, "noise", 2, 0, np.zeros(1, int)).astype(float) - 127
    assert difference.std() == pytest.approx(255 * 0.12, rel=0.01)
    assert abs(difference.mean()) < 0.3
    assert abs(np.corrcoef(difference[0, :, :, 0].ravel(), difference[0, :, :, 1].ravel())[0, 1]) < 0.02


def test_blur_takes_the_same_from_a_small_and_a_large_face():
    large = make(3, 224, 1)
    small = np.stack([cv2.resize(face, (56, 56), interpolation=cv2.INTER_AREA)[..., None] for face in large])
    blurred = corrupted(large, "blur", 5, 0, np.arange(3))
    reduced = np.stack([cv2.resize(face, (56, 56), interpolation=cv2.INTER_AREA)[..., None] for face in blurred])
    change = distance(reduced, small)
    assert change > 1
    assert distance(corrupted(small, "blur", 5, 0, np.arange(3)), reduced) < 0.05 * change


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_what_a_jpeg_file_of_that_quality_holds(channels):
    face = make(1, 224, channels)
    file = io.BytesIO()
    Image.fromarray(face[0].squeeze()).save(file, "jpeg", quality=LEVELS["jpeg"][4])
    expected = np.asarray(Image.open(file)).reshape(face[0].shape)
    found = corrupted(face, "jpeg", 5, 0, np.zeros(1, int))[0]
    assert abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("strength", STRENGTHS)
def test_brightness_moves_the_value_and_neither_hue_nor_saturation(strength):
    faces, shift = make(40, 48, 3), LEVELS["brightness"][strength - 1]
    faces[:, 0, 0] = 0  # black has no hue to keep
    found = corrupted(faces, "brightness", strength, 0, np.arange(40))
    up = found.mean(axis=(1, 2, 3)) > faces.mean(axis=(1, 2, 3))
    assert 10 < up.sum() < 30
    hsv = rgb_to_hsv(faces / 255)
    hsv[..., 2] = np.clip(hsv[..., 2] + np.where(up, shift, -shift)[:, None, None], 0, 1)
    assert abs(found - 255 * hsv_to_rgb(hsv)).max() <= 0.501


def test_grey_brightness_is_a_sum():
    face = make(1, 48, 1)
    found = [corrupted(face, "brightness", 1, 0, np.array([place]))[0].astype(int) - face[0] for place in range(20)]
    assert {int(value) for each in found for value in np.unique(each)} <= {-26, -25, 25, 26}
    assert len({each.min() > 0 for each in found}) == 2


@pytest.mark.parametrize("strength", STRENGTHS)
def test_contrast_leaves_the_mean_of_every_channel_and_a_share_of_the_deviation(strength):
    faces = make(3, 96, 3)
    found = corrupted(faces, "contrast", strength, 0, np.arange(3)).astype(float)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), faces.mean(axis=(1, 2)), atol=0.3)  # rounded
    kept = found.std(axis=(1, 2)) / faces.std(axis=(1, 2))
    np.testing.assert_allclose(kept, LEVELS["contrast"][strength - 1], atol=0.01)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_occlusion_covers_its_share_with_one_square_anywhere(strength):
    faces = np.zeros((400, 48, 48, 3), np.uint8)
    covered = corrupted(faces, "occlusion", strength, 0, np.arange(400))
    assert set(np.unique(covered)) == {0, GREY}
    inside = (covered == GREY).all(axis=3)
    side = round(48 * LEVELS["occlusion"][strength - 1] ** 0.5)
    assert (inside.sum(axis=(1, 2)) == side**2).all()
    assert (inside.any(axis=1).sum(axis=1) == side).all()
    assert (inside.any(axis=2).sum(axis=1) == side).all()
    assert inside.any(axis=(0, 1)).all()  # from edge to edge
    assert inside.any(axis=(0, 2)).all()


def test_a_covered_face_keeps_its_other_pixels():
    face = make(1, 48, 1)
    covered = corrupted(face, "occlusion", 3, 0, np.zeros(1, int))
    assert ((covered == face) | (covered == GREY)).all()


def test_the_strengths_draw_the_same_so_that_only_the_strength_differs():
    faces = np.zeros((50, 48, 48, 1), np.uint8) + np.uint8(100)
    weak, strong = (corrupted(faces, "brightness", strength, 0, np.arange(50)) for strength in (1, 5))
    assert ((weak > faces) == (strong > faces)).all()


@pytest.mark.parametrize(("count", "expected"), [(1, (3,)), (2, (2, 4)), (3, (1, 3, 5)), (4, (1, 2, 4, 5))])
def test_fewer_strengths_are_spread_about_the_middle(count, expected):
    assert strengths(count) == expected
    assert strengths(5) == STRENGTHS


@pytest.mark.parametrize("strength", [0, 6])
def test_a_strength_that_does_not_exist_is_refused(strength):
    with pytest.raises(ValueError, match="tuple"):
        corrupted(make(1, 48, 1), "noise", strength, 0, np.zeros(1, int))


def test_no_faces_stay_no_faces():
    assert corrupted(make(3, 48, 1)[:0], "jpeg", 1, 0, np.zeros(0, int)).shape == (0, 48, 48, 1)


def test_the_sheet_shows_a_row_a_corruption_and_a_column_a_strength():
    shown = sheet(make(1, 48, 3)[0], side=32)
    assert shown.dtype == np.uint8
    assert shown.shape[0] > 6 * 32
    assert shown.shape[1] > 6 * 32

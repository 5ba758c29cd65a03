import numpy as np
import pytest

from ferline.emotions import EMOTIONS
from ferline.evaluation import figures_probing, occlusion
from ferline.params import OcclusionParams

TOP, LEFT, SIDE = 30, 8, 4  # the only pixels that the patch model looks at


def patch_model(images: np.ndarray) -> np.ndarray:
    """Class 1 as probable as the patch is bright, the rest class 0."""
    bright = images[:, TOP : TOP + SIDE, LEFT : LEFT + SIDE].mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - bright, bright], axis=1)


def white(count: int, side: int = 48, channels: int = 1) -> np.ndarray:
    return np.full((count, side, side, channels), 255, np.uint8)


def covered_share(side: int, window: int, stride: int) -> np.ndarray:
    """How much of the patch the square hides at each place, counted pixel by pixel."""
    starts = occlusion.places(side, window, stride)
    result = np.zeros((len(starts), len(starts)))
    for i, top in enumerate(starts):
        for j, left in enumerate(starts):
            pixels = np.zeros((side, side), bool)
            pixels[top : top + window, left : left + window] = True
            result[i, j] = pixels[TOP : TOP + SIDE, LEFT : LEFT + SIDE].mean()
    return result


@pytest.mark.parametrize(("window", "stride"), [(12, 6), (5, 3), (4, 1), (7, 7), (1, 5), (47, 47), (3, 20)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_loss_is_what_the_square_hides_of_the_patch_and_nothing_elsewhere(window, stride, channels):
    found = occlusion.maps(patch_model, white(2, 48, channels), np.array([1, 0]), window, stride)
    expected = covered_share(48, window, stride)
    np.testing.assert_allclose(found[0], expected, atol=1e-12)
    np.testing.assert_allclose(found[1], -expected, atol=1e-12)  # for the other class the square helps


def test_the_map_peaks_at_the_patch_of_each_face():
    """Rows and columns are not mixed up: the patch lies low and to the left."""
    found = occlusion.maps(patch_model, white(1), np.array([1]), 4, 1)[0]
    assert np.unravel_index(found.argmax(), found.shape) == (TOP, LEFT)
    assert found.max() == 1
    assert (found > 0).sum() == 7 * 7


@pytest.mark.parametrize("side", [47, 48, 61])
@pytest.mark.parametrize(("window", "stride"), [(12, 6), (5, 3), (7, 7), (13, 5), (46, 1), (1, 1), (2, 9)])
def test_places_go_by_the_stride_and_end_at_the_far_edge(side, window, stride):
    starts = occlusion.places(side, window, stride)
    assert starts[0] == 0
    assert starts[-1] == side - window
    steps = np.diff(starts)
    assert (steps[:-1] == stride).all()
    assert 1 <= steps[-1] <= stride


@pytest.mark.parametrize(("window", "stride"), [(0, 1), (48, 1), (50, 1), (5, 0), (5, 48), (-3, 2)])
def test_a_square_or_stride_that_does_not_fit_is_refused(window, stride):
    with pytest.raises(ValueError, match=f"window {window} and stride {stride}: each from 1 to below the side, 48"):
        occlusion.maps(patch_model, white(1), np.array([1]), window, stride)


@pytest.mark.parametrize("batch", [1, 7, 64, 10_000])
def test_the_batch_changes_nothing_but_how_many_faces_are_told_at_once(batch):
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1), dtype=np.uint8)
    labels, sizes = np.array([0, 1, 1, 0, 1]), []

    def watching(faces: np.ndarray) -> np.ndarray:
        assert faces.dtype == np.uint8
        sizes.append(len(faces))
        return patch_model(faces)

    found = occlusion.maps(watching, images, labels, 12, 9, batch)
    np.testing.assert_array_equal(found, occlusion.maps(patch_model, images, labels, 12, 9, 64))
    assert max(sizes) <= batch
    assert sum(sizes) == 5 + 5 * 5 * 5
    assert len(sizes) == -(-5 // batch) + -(-125 // batch)


def test_the_faces_given_stay_as_they_were():
    images = white(2)
    images.flags.writeable = False  # as a memory map's
    occlusion.maps(patch_model, images, np.array([1, 1]), 12, 6)
    assert (images == 255).all()


def test_the_form_on_the_device_gives_the_models_own_probabilities(make_model):
    model = make_model()
    images = np.random.default_rng(0).integers(0, 256, (6, 48, 48, 1), dtype=np.uint8)
    labels = np.arange(6)
    expected = occlusion.maps(model.predict, images, labels, 12, 9, 50)
    found = occlusion.maps_on_device(model.network(), model.temperature, images, labels, 12, 9, 50)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-6)
    other = occlusion.maps_on_device(model.network(), 5.0, images, labels, 12, 9, 50)
    assert abs(other - expected).max() > 1e-3


@pytest.mark.parametrize(("window", "stride"), [(12, 6), (5, 3), (7, 7), (13, 4)])
def test_heat_is_the_mean_of_the_squares_over_each_pixel(window, stride):
    starts = occlusion.places(48, window, stride)
    maps = np.random.default_rng(0).normal(size=(3, len(starts), len(starts)))
    sums, counts = np.zeros((3, 48, 48)), np.zeros((48, 48))
    for i, top in enumerate(starts):
        for j, left in enumerate(starts):
            sums[:, top : top + window, left : left + window] += maps[:, i, j, None, None]
            counts[top : top + window, left : left + window] += 1
    found = occlusion.heat(maps, 48, window, stride)
    np.testing.assert_allclose(found, sums / counts, atol=1e-12)
    np.testing.assert_allclose(occlusion.heat(maps[1], 48, window, stride), found[1], atol=1e-12)


def test_heat_is_no_number_where_a_long_stride_leaves_pixels_uncovered():
    starts = occlusion.places(48, 4, 11)
    found = occlusion.heat(np.ones((len(starts), len(starts))), 48, 4, 11)
    reached = np.isin(np.arange(48), (starts[:, None] + np.arange(4)).ravel())
    assert (np.isnan(found) == ~(reached[:, None] & reached)).all()
    assert np.nanmin(found) == np.nanmax(found) == 1


def test_heat_of_one_patch_is_hottest_there():
    maps = occlusion.maps(patch_model, white(1), np.array([1]), 6, 2)
    hottest = np.unravel_index(occlusion.heat(maps, 48, 6, 2)[0].argmax(), (48, 48))
    assert TOP <= hottest[0] < TOP + SIDE
    assert LEFT <= hottest[1] < LEFT + SIDE


def test_average_is_the_mean_by_emotion_and_leaves_out_those_without_a_face():
    maps = np.arange(24.0).reshape(6, 2, 2)
    labels = np.array([3, 0, 3, 6, 0, 3])
    found = occlusion.average(maps, labels, EMOTIONS)
    assert list(found) == ["angry", "happy", "neutral"]
    np.testing.assert_array_equal(found["happy"], (maps[0] + maps[2] + maps[5]) / 3)
    np.testing.assert_array_equal(found["neutral"], maps[3])


@pytest.mark.parametrize(
    ("window", "stride", "side", "expected"),
    [(0.25, 0.125, 48, (12, 6)), (0.25, 0.125, 224, (56, 28)), (0.001, 0.001, 48, (1, 1)), (0.999, 0.5, 24, (23, 12))],
)
def test_shares_of_the_side_become_pixels_that_fit(window, stride, side, expected):
    found = occlusion.in_pixels(OcclusionParams(window=window, stride=stride), side)
    assert found == expected
    occlusion.places(side, *found)


def test_the_picture_lays_heat_over_the_mean_face_only_where_faces_may_be_shown():
    labels = np.array([0, 0, 3])
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    heat = np.zeros((3, 48, 48))
    heat[2, 10:20, 30:40] = 0.4
    heat[2, 40:, :8] = -0.2
    shown, hidden = (
        figures_probing.occlusion(heat, images, labels, EMOTIONS, "m: 3 faces", show_faces=show).axes[0]
        for show in (True, False)
    )
    (angry, happy, _), (plain_angry, plain_happy, _) = shown.get_images(), hidden.get_images()
    mean = images[:2].mean(axis=0) @ [0.299, 0.587, 0.114] / 255
    np.testing.assert_allclose(angry.get_array()[..., 1], mean, atol=1e-6)  # nothing lost: the face alone
    assert (plain_angry.get_array() == 1).all()
    coloured = plain_happy.get_array() != 1
    assert (coloured.any(axis=2) == (heat[2] != 0)).all()
    red, _, blue = np.moveaxis(np.asarray(plain_happy.get_array()), 2, 0)
    assert (red > blue)[10:20, 30:40].all()
    assert (blue > red)[40:, :8].all()
    words = [text.get_text() for text in shown.texts]
    assert "angry, 2 faces\nno place matters" in words
    assert "happy, 1 face\nat most −0.40" in words
    assert "sad\nno faces" in words
    assert happy.get_array().shape == (48, 48, 3)

"""The augmenter as training uses it: exactness, reproducibility, sizes, refusals."""

import numpy as np
import pytest
import torch

from ferline.augment import geometry
from ferline.augment.batch import Augmenter, draw
from ferline.errors import FerlineError
from ferline.models.network import to_input
from ferline.params import AugmentationParams, InputParams

MEANS, STDS = [0.5, 0.45, 0.4], [0.25, 0.2, 0.3]
EVERYTHING = AugmentationParams(
    rotation=20, shear=10, zoom=0.1, shift=0.1, horizontal_flip=0.5, vertical_flip=0.1, crop=0.1,
    brightness=0.2, contrast=0.2, noise=0.1, erasing=0.5,
)  # fmt: skip


def augmenter(params: AugmentationParams, channels: int, side: int = 48, seed: int = 0) -> Augmenter:
    return Augmenter(params, InputParams(side, 3 if channels == 3 else 1), MEANS[:channels], STDS[:channels], seed)


def normalised(batch: torch.Tensor) -> torch.Tensor:
    channels = batch.shape[3]
    mean, std = (torch.tensor(values[:channels])[:, None, None] for values in (MEANS, STDS))
    return (batch.permute(0, 3, 1, 2).float() / 255 - mean) / std


def test_no_parameters_are_exactly_cast_and_normalise_without_a_sample(
    batch: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(geometry, "warp")
    out = augmenter(AugmentationParams(), batch.shape[3])(batch, 0, 0)
    assert torch.equal(out, normalised(batch))
    assert out.dtype == torch.float32
    assert out.is_contiguous()


def test_flips_alone_are_exact_without_a_sample(batch: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(geometry, "warp")
    params = AugmentationParams(horizontal_flip=0.5)
    out, expected = augmenter(params, batch.shape[3])(batch, 0, 0), normalised(batch)
    mirrored = draw(params, 12, 48, (0, 0, 0)).back[:, 0, 0] < 0
    assert 0 < mirrored.sum() < 12
    assert torch.equal(out[~mirrored], expected[~mirrored])
    assert torch.equal(out[mirrored], expected[mirrored].flip(3))


def test_the_batch_given_is_left_alone(batch: torch.Tensor) -> None:
    before = batch.clone()
    augmenter(EVERYTHING, batch.shape[3])(batch, 0, 0)
    assert torch.equal(batch, before)


def test_every_image_gets_its_own_draw() -> None:
    face = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 48, 48, 1), dtype=np.uint8)).expand(
        16, 48, 48, 1
    )
    for params in (
        AugmentationParams(rotation=20), AugmentationParams(shift=0.1), AugmentationParams(shear=10),
        AugmentationParams(zoom=0.1), AugmentationParams(crop=0.1), AugmentationParams(brightness=0.2),
        AugmentationParams(contrast=0.2), AugmentationParams(noise=0.1), AugmentationParams(erasing=1.0),
    ):  # fmt: skip
        out = augmenter(params, 1)(face, 0, 0)
        assert len(torch.unique(out, dim=0)) == 16, params


def test_seed_epoch_and_step_decide_the_draws(batch: torch.Tensor) -> None:
    channels = batch.shape[3]
    first = augmenter(EVERYTHING, channels)(batch, 3, 7)
    torch.manual_seed(1)
    np.random.seed(1)
    assert torch.equal(augmenter(EVERYTHING, channels)(batch, 3, 7), first)
    for seed, epoch, step in ((1, 3, 7), (0, 4, 7), (0, 3, 8), (0, 7, 3)):
        assert not torch.equal(augmenter(EVERYTHING, channels, seed=seed)(batch, epoch, step), first)


def test_draws_leave_the_global_generators_alone(batch: torch.Tensor) -> None:
    before = torch.get_rng_state()
    augmenter(EVERYTHING, batch.shape[3])(batch, 0, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_switching_one_parameter_on_moves_no_other() -> None:
    turned = draw(AugmentationParams(rotation=20), 8, 48, (0, 0, 0))
    both = draw(AugmentationParams(rotation=20, brightness=0.3, noise=0.1, erasing=1.0), 8, 48, (0, 0, 0))
    assert torch.equal(turned.back, both.back)


def test_48_to_224_is_one_step_with_the_draws_of_48(batch: torch.Tensor) -> None:
    """What is seen at 224, reduced again, is what is seen at 48."""
    params = AugmentationParams(rotation=20, zoom=0.1, horizontal_flip=0.5)
    channels = batch.shape[3]
    small, large = augmenter(params, channels)(batch, 0, 0), augmenter(params, channels, side=240)(batch, 0, 0)
    assert large.shape == (12, channels, 240, 240)
    reduced = torch.nn.functional.avg_pool2d(large, 5)
    assert (reduced - small).abs().mean() < 0.05
    assert np.corrcoef(reduced.flatten(), small.flatten())[0, 1] > 0.99


def test_enlarging_alone_is_the_sample_of_the_identity(batch: torch.Tensor) -> None:
    """Whether a policy bends or not, sizes change in the same way, rim included."""
    out = augmenter(AugmentationParams(), batch.shape[3], side=224)(batch, 0, 0)
    identity = torch.eye(2, 3).expand(12, 2, 3)
    sampled = geometry.warp(normalised(batch), identity, 224, "edge")
    torch.testing.assert_close(out, sampled, atol=1e-4, rtol=0)


def test_black_stays_black_outside_the_face_whatever_the_light(batch: torch.Tensor) -> None:
    params = AugmentationParams(shift=0.4, contrast=0.5, brightness=0.3, fill="zero")
    channels = batch.shape[3]
    out = augmenter(params, channels)(batch, 0, 0)
    black = -torch.tensor(MEANS[:channels]) / torch.tensor(STDS[:channels])
    shifted = draw(params, 12, 48, (0, 0, 0)).back[:, 0, 2] > 0.1  # the right edge comes from outside
    assert shifted.any()
    assert torch.allclose(out[shifted][..., -1].mean(dim=(0, 2)), black)


def test_erased_pixels_are_zero_in_the_stated_share(batch: torch.Tensor) -> None:
    out = augmenter(AugmentationParams(erasing=1.0, erasing_area=(0.1, 0.2)), batch.shape[3])(batch, 0, 0)
    shares = (out == 0).all(1).float().mean(dim=(1, 2))
    assert shares.min() > 0.09
    assert shares.max() < 0.21


def test_validation_sees_what_a_policy_of_zeros_gives(batch: torch.Tensor) -> None:
    channels = batch.shape[3]
    seen = to_input(batch, tuple(MEANS[:channels]), tuple(STDS[:channels]))
    assert torch.equal(seen, augmenter(AugmentationParams(), channels)(batch, 0, 0))


def test_grey_faces_feed_a_colour_network() -> None:
    grey = torch.randint(0, 256, (4, 48, 48, 1), dtype=torch.uint8)
    out = Augmenter(EVERYTHING, InputParams(96, 3), MEANS, STDS, 0)(grey, 0, 0)
    assert out.shape == (4, 3, 96, 96)
    kept = out * torch.tensor(STDS)[:, None, None] + torch.tensor(MEANS)[:, None, None]
    whole = (out != 0).all(1)  # not erased
    torch.testing.assert_close(kept[:, 0][whole], kept[:, 2][whole], atol=1e-5, rtol=0)


def test_an_empty_batch_stays_empty() -> None:
    assert augmenter(EVERYTHING, 1)(torch.empty(0, 48, 48, 1, dtype=torch.uint8), 0, 0).shape == (0, 1, 48, 48)


def test_colour_faces_are_refused_for_a_grey_network() -> None:
    with pytest.raises(FerlineError, match=r"input\.channels: 1 cannot be made of 3 channels"):
        augmenter(EVERYTHING, 1)(torch.zeros(1, 48, 48, 3, dtype=torch.uint8), 0, 0)


def test_faces_over_twice_the_input_are_refused() -> None:
    with pytest.raises(FerlineError, match=r"input\.side: 48 is under half the faces' 97 pixels.*at least 49"):
        augmenter(EVERYTHING, 1)(torch.zeros(1, 97, 97, 1, dtype=torch.uint8), 0, 0)


@pytest.mark.parametrize("bad", [torch.zeros(1, 48, 40, 1, dtype=torch.uint8), torch.zeros(1, 48, 48, 1)])
def test_anything_but_square_bytes_is_refused(bad: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected square faces uint8"):
        augmenter(EVERYTHING, 1)(bad, 0, 0)


@pytest.mark.parametrize(("mean", "std"), [([0.5], [0.0]), ([0.5] * 3, [0.2] * 3), ([0.5], [0.2] * 2)])
def test_statistics_that_do_not_suit_the_input_are_refused(mean: list[float], std: list[float]) -> None:
    with pytest.raises(FerlineError, match="do not suit 1 channels"):
        Augmenter(EVERYTHING, InputParams(48, 1), mean, std, 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_without_waiting_for_the_host(batch: torch.Tensor) -> None:
    ours = augmenter(EVERYTHING, batch.shape[3], side=96)
    expected, images = ours(batch, 0, 0), batch.cuda()
    ours(images, 0, 0)  # brings mean and std over
    torch.cuda.set_sync_debug_mode("error")
    try:
        out = ours(images, 0, 0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(out.cpu(), expected, atol=1e-4, rtol=0)

"""The plain loop's data: a Dataset that augments image by image with torchvision, and DataLoaders over it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler, Sampler, WeightedRandomSampler
from torchvision.transforms import v2

from ferline.errors import FerlineError
from ferline.faces.faceset import FaceSet
from ferline.models.network import Normalisation
from ferline.params import ArchitectureParams, AugmentationParams, InputParams

PREFETCH = 4  # batches a worker holds ready
ENDLESS = 1 << 40


class Faces(Dataset):
    """One split, an augmented face and its target at a time."""

    def __init__(self, faces: FaceSet, split: str, transform: v2.Transform, targets: str = "label") -> None:
        self.rows = faces.rows(split)
        if not len(self.rows):
            raise FerlineError(f"{faces.folder}: no face is in the split {split}, so there is nothing to measure")
        self.images, self.transform = faces.images, transform
        self.labels = faces.labels[self.rows]
        self.targets = faces.vote_shares(self.rows) if targets == "votes" else self.labels

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        image = torch.from_numpy(np.array(self.images[self.rows[index]]))  # a copy: the memory map is read-only
        return self.transform(image.permute(2, 0, 1)), self.targets[index]


def transforms(params: AugmentationParams, input: InputParams, normalisation: Normalisation) -> v2.Transform:
    """The policy in torchvision's words; what comes in from outside a turned face is black, for it knows no edges."""
    steps: list[v2.Transform] = [_sized(params, input), *_coloured(input)]
    steps += [v2.RandomHorizontalFlip(params.horizontal_flip)] if params.horizontal_flip else []
    steps += [v2.RandomVerticalFlip(params.vertical_flip)] if params.vertical_flip else []
    if any((params.rotation, params.shear, params.zoom, params.shift)):
        scale, shift = (1 - params.zoom, 1 + params.zoom), (params.shift, params.shift)
        shear, bilinear = (-params.shear, params.shear), v2.InterpolationMode.BILINEAR
        steps.append(v2.RandomAffine(params.rotation, shift, scale, shear, interpolation=bilinear))
    if params.brightness or params.contrast:
        steps.append(v2.ColorJitter(params.brightness, params.contrast))
    steps += _to_tensor(normalisation)
    if params.erasing:
        steps.append(v2.RandomErasing(params.erasing, params.erasing_area))
    return v2.Compose(steps)


def unchanged(input: InputParams, normalisation: Normalisation) -> v2.Transform:
    """What validation sees."""
    return v2.Compose([v2.Resize((input.side, input.side)), *_coloured(input), *_to_tensor(normalisation)])


def endless_sampler(data: Faces) -> Sampler[int]:
    """Batches that know no end of an epoch."""
    return RandomSampler(data, replacement=True, num_samples=ENDLESS)


def loader(
    data: Faces, sampler: Sampler[int] | None, architecture: ArchitectureParams, device: torch.device, workers: int
) -> DataLoader:
    """For training with a sampler; for looking at every face in order without one."""
    batch = architecture.training.batch_size
    return DataLoader(
        data,
        batch if sampler is not None else max(batch, 256),
        sampler=sampler,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
        prefetch_factor=PREFETCH if workers else None,
        drop_last=sampler is not None and len(data) > batch,  # batch normalisation takes no variance of a last one
    )


def epoch_sampler(data: Faces, architecture: ArchitectureParams) -> Sampler[int]:
    if architecture.augmentation.balance == "none":
        return RandomSampler(data)
    counts = np.bincount(data.labels)
    weights = (1 / counts[data.labels]).tolist()
    return WeightedRandomSampler(weights, int(counts.max() * np.count_nonzero(counts)))


def class_weights(data: Faces) -> Tensor:
    counts = np.bincount(data.labels)
    return torch.tensor(len(data) / (np.count_nonzero(counts) * np.maximum(counts, 1)), dtype=torch.float32)


def _sized(params: AugmentationParams, input: InputParams) -> v2.Transform:
    side = (input.side, input.side)
    if params.crop:
        return v2.RandomResizedCrop(side, scale=((1 - params.crop) ** 2, 1.0), ratio=(1.0, 1.0))
    return v2.Resize(side)


def _coloured(input: InputParams) -> list[v2.Transform]:
    return [v2.RGB()] if input.channels == 3 else []


def _to_tensor(normalisation: Normalisation) -> list[v2.Transform]:
    mean, std = (list(each) for each in normalisation)
    changes = any(mean) or any(each != 1 for each in std)
    return [v2.ToDtype(torch.float32, scale=True), *([v2.Normalize(mean, std)] if changes else [])]

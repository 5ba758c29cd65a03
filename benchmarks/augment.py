"""Milliseconds an image for one training policy on batches: ours, kornia's, and torchvision's one image at a time.

    python benchmarks/augment.py --json augment.json

All three do the same to the same bytes: cast, resize, mirror, turn, shear, zoom, shift, brightness, contrast,
normalise, erase, with parameters of its own for every image. They take turns round by round; a ratio is taken within a
round, and its median is given with its range over the rounds. On a CPU it is processor time that counts, which other
work on the machine changes little; on a GPU it is the time until the device is done.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import kornia.augmentation as kornia
import torch
from torchvision.transforms import v2

from ferline.augment.batch import Augmenter
from ferline.params import AugmentationParams, InputParams

POLICY = AugmentationParams(
    rotation=20,
    shear=10,
    zoom=0.1,
    shift=0.1,
    horizontal_flip=0.5,
    brightness=0.2,
    contrast=0.2,
    erasing=0.3,
)
MEAN, STD = 0.5, 0.25
Transform = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Case:
    source: int
    side: int
    channels: Literal[1, 3]

    def __str__(self) -> str:
        return f"{self.source}x{self.source}x{self.channels} to {self.side}"


CASES = [Case(48, 48, 1), Case(48, 48, 3), Case(48, 224, 3), Case(224, 224, 3)]


def ours(case: Case) -> Transform:
    network_input = InputParams(case.side, case.channels)
    augmenter = Augmenter(POLICY, network_input, [MEAN] * case.channels, [STD] * case.channels, seed=0)
    return lambda images: augmenter(images, epoch=0, step=0)


def with_kornia(case: Case) -> Transform:
    steps = torch.nn.Sequential(
        *([kornia.Resize((case.side, case.side))] if case.side != case.source else []),
        kornia.RandomHorizontalFlip(p=0.5),
        kornia.RandomAffine(20, (0.1, 0.1), (0.9, 1.1), 10, padding_mode="border", p=1.0),
        kornia.RandomBrightness((0.8, 1.2), p=1.0),
        kornia.RandomContrast((0.8, 1.2), p=1.0),
        kornia.Normalize([MEAN] * case.channels, [STD] * case.channels),
        kornia.RandomErasing(POLICY.erasing_area, p=0.3),
    )
    return lambda images: steps(images.permute(0, 3, 1, 2).float() / 255)


def with_torchvision_one_by_one(case: Case) -> Transform:
    steps = v2.Compose(
        [
            *([v2.Resize(case.side, antialias=False)] if case.side != case.source else []),
            v2.RandomHorizontalFlip(0.5),
            v2.RandomAffine(20, (0.1, 0.1), (0.9, 1.1), (-10, 10), v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(0.2, 0.2),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([MEAN] * case.channels, [STD] * case.channels),
            v2.RandomErasing(0.3, POLICY.erasing_area),
        ]
    )
    return lambda images: torch.stack([steps(image) for image in images.permute(0, 3, 1, 2)])


CONTENDERS = {"ferline": ours, "kornia": with_kornia, "torchvision": with_torchvision_one_by_one}


def measure(case: Case, batch: int, rounds: int, device: torch.device) -> dict[str, Any]:
    images = torch.randint(0, 256, (batch, case.source, case.source, case.channels), dtype=torch.uint8, device=device)
    transforms = {name: make(case) for name, make in CONTENDERS.items()}
    for transform in transforms.values():
        seconds(transform, images)  # the first call builds tables and threads
    times = [{name: seconds(transform, images) for name, transform in transforms.items()} for _ in range(rounds)]
    return {
        "case": str(case),
        "ms_per_image": {name: statistics.median(t[name] for t in times) * 1000 / batch for name in transforms},
        "times_faster_than": {name: spread([t[name] / t["ferline"] for t in times]) for name in list(transforms)[1:]},
    }


def seconds(transform: Transform, images: torch.Tensor) -> float:
    if not images.is_cuda:
        start = time.process_time()
        transform(images)
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    transform(images)
    torch.cuda.synchronize()
    return time.perf_counter() - start


def spread(ratios: list[float]) -> dict[str, float]:
    return {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    results = [measure(case, given.batch, given.rounds, torch.device(given.device)) for case in CASES]
    for result in results:
        own = result["ms_per_image"]["ferline"]
        ratios = (
            f"{ratio['median']:.1f} ({ratio['least']:.1f}-{ratio['most']:.1f}) x {name}"
            for name, ratio in result["times_faster_than"].items()
        )
        print(f"{result['case']:18} {own:.4f} ms an image, as fast as {', '.join(ratios)}")
    if given.json:
        setting = {"batch": given.batch, "threads": given.threads, "device": given.device, "rounds": given.rounds}
        versions = {"torch": torch.__version__, "python": platform.python_version(), "machine": platform.machine()}
        given.json.write_text(
            json.dumps({"setting": setting, "versions": versions, "results": results}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()

"""How the audit's search for near-duplicates grows with the set, and what it finds, against holding all against all.

    python benchmarks/audit.py --json audit.json

The pictures are made: smooth noise with the spectrum of photographs over one face-like ground that all share, so that
strangers are as alike as faces are: the likeness of a picture's nearest stranger is 0.68 in the median, and 0.71 among
as many images of FER2013. One in ten is an altered copy of another: moved by up to two pixels,
brighter or darker, of other contrast, mirrored every other time, and saved as JPEG of quality 50. Recall is the share
of these pairs that come out at the end. All against all is the same code with one cell, on the same pictures in the
same run, up to `--exhaustive` pictures; beyond, it would take four times as long for every doubling.
"""

import argparse
import json
import math
import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ferline.datasets.audit.neighbours import Pairs, candidates
from ferline.datasets.audit.picture import SIDE
from ferline.datasets.audit.verify import near
from ferline.images.parallel import cores

SIZES = (10_000, 30_000, 100_000, 300_000)
COPIES = 0.1
_BLOCK = 4096


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8[count,SIDE,SIDE], and for each the number of the one that it is a copy of, or -1."""
    random = np.random.default_rng(seed)
    thumbs = np.empty((count, SIDE, SIDE), np.uint8)
    originals = count - round(COPIES * count)
    for first in range(0, originals, _BLOCK):
        part = thumbs[first : min(first + _BLOCK, originals)]
        part[:] = strangers(len(part), random)
    copy_of = np.full(count, -1)
    copy_of[originals:] = random.choice(originals, count - originals, replace=False)
    for place in range(originals, count):
        thumbs[place] = altered(thumbs[copy_of[place]], random)
    return thumbs, copy_of


def strangers(count: int, random: np.random.Generator) -> np.ndarray:
    """Noise whose strength falls with its frequency, on a light oval with three dark spots."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)) * SIDE
    noise = np.fft.rfft2(random.standard_normal((count, SIDE, SIDE))) / np.maximum(frequency, 1) ** 1.2
    noise = np.fft.irfft2(noise, (SIDE, SIDE))
    noise /= noise.std(axis=(1, 2), keepdims=True)
    ground = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(ground, (24, 24), (16, 21), 0, 0, 360, 1.0, -1)
    for spot in ((16, 19), (32, 19), (24, 36)):
        cv2.circle(ground, spot, 4, 0.3, -1)
    ground = cv2.GaussianBlur(ground, (0, 0), 2)
    return np.clip(np.rint(80 + 60 * ground + 40 * noise), 0, 255).astype(np.uint8)


def altered(thumb: np.ndarray, random: np.random.Generator) -> np.ndarray:
    right, down = (int(step) for step in random.integers(-2, 3, 2))
    moved = cv2.warpAffine(
        thumb, np.array([[1, 0, right], [0, 1, down]], np.float32), (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE
    )
    lit = (moved.astype(np.float32) - 128) * random.uniform(0.7, 1.3) + 128 * random.uniform(0.8, 1.2)
    grey = np.clip(np.rint(lit), 0, 255).astype(np.uint8)
    if random.random() < 0.5:
        grey = np.ascontiguousarray(grey[:, ::-1])
    return cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_GRAYSCALE)


def measure(count: int, seed: int, exhaustive: bool) -> dict[str, Any]:
    thumbs, copy_of = pictures(count, seed)
    result: dict[str, Any] = {"pictures": count, "copies": int((copy_of >= 0).sum()), "cells": timed(thumbs, copy_of)}
    if exhaustive:
        result["all_against_all"] = timed(thumbs, copy_of, exhaustive=True)
        result["times_faster"] = result["all_against_all"]["search_s"] / result["cells"]["search_s"]
    return result | {"peak_mb": peak_mb()}


def timed(thumbs: np.ndarray, copy_of: np.ndarray, exhaustive: bool = False) -> dict[str, float]:
    start = time.perf_counter()
    found = candidates(thumbs, exhaustive=exhaustive)
    searched = time.perf_counter()
    pairs, _ = near(thumbs, found)
    done = time.perf_counter()
    planted = np.flatnonzero(copy_of >= 0)
    recalled = np.isin(keys(copy_of[planted], planted, len(thumbs)), keys(pairs.first, pairs.second, len(thumbs)))
    return {
        "search_s": searched - start,
        "verify_s": done - searched,
        "candidates": len(found),
        "pairs": len(pairs),
        "strangers": strangers_among(pairs, copy_of),
        "recall": float(recalled.mean()),
    }


def keys(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    return first.astype(np.int64) * count + second


def strangers_among(pairs: Pairs, copy_of: np.ndarray) -> int:
    """How many pairs are of pictures that have nothing to do with each other."""
    origin = np.where(copy_of >= 0, copy_of, np.arange(len(copy_of)))
    return int((origin[pairs.first] != origin[pairs.second]).sum())


def peak_mb() -> float:
    """Of the whole process so far; macOS counts in bytes, Linux in kilobytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def line(result: dict[str, Any], before: dict[str, Any] | None) -> str:
    cells, brute = result["cells"], result.get("all_against_all")
    total = cells["search_s"] + cells["verify_s"]
    text = (
        f"{result['pictures']:>9,}  {cells['search_s']:7.1f}  {cells['verify_s']:7.1f}  {cells['recall']:7.2%}  "
        f"{cells['strangers']:>9,}  {result['peak_mb']:7,.0f}"
    )
    if before:
        sizes = math.log(result["pictures"] / before["pictures"])
        text += f"  {math.log(total / (before['cells']['search_s'] + before['cells']['verify_s'])) / sizes:6.2f}"
    else:
        text += f"  {'':6}"
    return text + (f"  {brute['search_s']:8.1f}  {brute['recall']:7.2%}" if brute else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--exhaustive", type=int, default=30_000, help="hold up to so many pictures all against all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()

    print(" pictures  search s  verify s  recall  strangers  peak MB  growth   all/all s  recall")
    results: list[dict[str, Any]] = []
    for size in given.sizes:
        results.append(measure(size, given.seed, size <= given.exhaustive))
        print(line(results[-1], results[-2] if len(results) > 1 else None), flush=True)
    if given.json:
        setting = {"cores": cores(), "copies": COPIES, "seed": given.seed}
        versions = {"numpy": np.__version__, "opencv": cv2.__version__, "python": platform.python_version()}
        content = {"setting": setting, "versions": versions, "machine": platform.machine(), "results": results}
        given.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()

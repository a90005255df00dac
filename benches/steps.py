"""Every step that Albumentations 2.0.8 has too, one thread, 512 × 512 and 224 × 224 pixels of three bytes.

Both are called as people call them: a recipe of one step on an image. Ratios are Albumentations' time over Offgraph's,
above 1 where Offgraph is the faster one. The answers are looked at before anything is timed (`benches/pairs.py` says how
near they are). `chain` is a training recipe of ten steps, fused on this side. Times are those of the thread's processor
time, so that other programs on the machine do not count; both libraries work on the calling thread alone.
"""

from __future__ import annotations

import importlib
import itertools
import math
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import offgraph as og
from benches.operations import photograph
from benches.pairs import Pair, pairs

SIZES = (512, 224)


def albumentations() -> Any:
    """The module, one thread in OpenCV, or None where it is not installed."""
    try:
        importlib.import_module("cv2").setNumThreads(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks the network for a newer version
            return importlib.import_module("albumentations")
    except ImportError:
        return None


def seconds(calls: Sequence[Callable[[], object]], rounds: int, target: float) -> list[list[float]]:
    """Processor seconds per call of each, one entry per round, in turn."""
    repeats = []
    for call in calls:
        call()
        start = time.thread_time()
        call()
        repeats.append(max(1, min(400, int(target / max(time.thread_time() - start, 1e-6)))))
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for kept, call, count in zip(found, calls, repeats):
            start = time.thread_time()
            for _ in range(count):
                call()
            kept.append((time.thread_time() - start) / count)
    return found


def ours(steps: list[og.Step], image: np.ndarray, **beside: Any) -> Callable[[], np.ndarray]:
    """A call of a recipe, at another address each time."""
    recipe, index = og.Compose(steps), itertools.count()
    return lambda: recipe(image=image, key=og.Key(seed=1, index=next(index)), **beside).image


def theirs(
    module: Any,
    transforms: list[Any],
    image: np.ndarray,
    beside: Mapping[str, Any] | None = None,
    **options: Any,
) -> Callable[[], np.ndarray]:
    """A call of Albumentations' recipe."""
    recipe, given = module.Compose(transforms, seed=1, **options), beside or {}
    return lambda: recipe(image=image, **given)["image"]


_DRAWS = 24
"""Of which the mean change is compared where the two libraries draw differently."""


def check(
    pair: Pair, image: np.ndarray, mine: Callable[[], np.ndarray], yours: Callable[[], np.ndarray]
) -> str:
    """What is wrong with answers beside the other library's, or nothing."""
    own, other = mine(), yours()
    if own.shape != other.shape or own.dtype.kind != other.dtype.kind:
        return f"{pair.name}: {own.shape} {own.dtype} beside {other.shape} {other.dtype}"
    if pair.near is not None:
        apart = float(np.abs(own.astype(float) - other).mean())
        return f"{pair.name}: answers differ by {apart:.3g} on average" if apart > pair.near else ""
    if own.shape != image.shape:
        image = np.broadcast_to(image.mean((0, 1), keepdims=True), own.shape)
    if pair.name in ("Rotate90", "D4", "ChannelShuffle", "ChannelDrop"):  # drawn: it may be the identity
        return ""
    changes = [
        statistics.fmean(float(np.abs(call().astype(float) - image).mean()) for _ in range(_DRAWS))
        for call in (mine, yours)
    ]
    if not 0.5 <= changes[0] / max(changes[1], 1e-9) <= 2:
        return f"{pair.name}: the mean change is {changes[0]:.3g} beside {changes[1]:.3g}"
    return ""


def chain(module: Any, image: np.ndarray) -> tuple[Callable[[], np.ndarray], Callable[[], np.ndarray] | None]:
    """A training recipe of ten steps in both libraries, to 224 x 224 float32."""
    own = ours(
        [
            og.RandomResizedCrop((224, 224), scale=(0.3, 1.0), antialias=False),
            og.Flip("X", p=0.5),
            og.Affine(scale=(0.9, 1.1), rotate=(-15, 15), shear=(-0.1, 0.1)),
            og.Perspective((0.02, 0.05)),
            og.ColorJitter(brightness=(0.8, 1.2), contrast=(0.8, 1.2)),
            og.HueSaturation((-20, 20), saturation=(0.8, 1.2), value=(0.9, 1.1)),
            og.GaussianFilter((0.5, 1.0)),
            og.GaussianNoise((0.02, 0.05)),
            og.CoarseDropout((1, 8), size=("5%", "15%")),
            og.Normalize("imagenet"),
        ],
        image,
    )
    if module is None:
        return own, None
    a = module
    return own, theirs(
        a,
        [
            a.RandomResizedCrop((224, 224), scale=(0.3, 1.0), p=1),
            a.HorizontalFlip(p=0.5),
            a.Affine(scale=(0.9, 1.1), rotate=(-15, 15), shear=(-6, 6), p=1),
            a.Perspective(scale=(0.02, 0.05), p=1),
            a.RandomBrightnessContrast(0.2, 0.2, p=1),
            a.HueSaturationValue(10, 25, 15, p=1),
            a.GaussianBlur(sigma_limit=(0.5, 1.0), blur_limit=0, p=1),
            a.GaussNoise(std_range=(0.02, 0.05), p=1),
            a.CoarseDropout((1, 8), (0.05, 0.15), (0.05, 0.15), p=1),
            a.Normalize(p=1),
        ],
        image,
    )


def geometric_mean(ratios: list[float]) -> float:
    """Root of the product."""
    return math.exp(statistics.fmean(map(math.log, ratios)))


def run(only: str = "", rounds: int = 5, target: float = 0.02) -> list[dict]:
    """Check and time every pair whose name holds `only`, and the chain; print a line each and the geometric means.

    Raises
    ------
    ValueError
        Where an answer is not what the other library's says it should be.
    """
    module = albumentations()
    if module is None:
        print("albumentations is not installed here: times of Offgraph alone")
    rows: list[dict] = []
    og.set_num_threads(1)
    for size in SIZES:
        photo = photograph(size)
        for pair in pairs(size, photo):
            if only not in pair.name:
                continue
            calls = [ours([pair.own], photo, **pair.own_beside)]
            if module is not None:
                other = pair.other(module)
                calls.append(theirs(module, [other], photo, pair.beside, **pair.options(module)))
                if wrong := check(pair, photo, *calls):
                    raise ValueError(f"{size}: {wrong}")
            rows.append(_row(pair.name, size, seconds(calls, rounds, target)))
        if only in "chain":
            own, other = chain(module, photo)
            calls = [own] if other is None else [own, other]
            rows.append(_row("chain of ten steps", size, seconds(calls, rounds, 4 * target)))
    ratios = [row["ratio"] for row in rows if row.get("ratio") and "chain" not in row["name"]]
    if ratios:
        print(f"geometric mean of {len(ratios)}: {geometric_mean(ratios):.2f}, smallest {min(ratios):.2f}")
    return rows


def _row(name: str, size: int, measured: list[list[float]]) -> dict:
    row: dict[str, Any] = {"name": name, "size": size, "offgraph_ms": statistics.median(measured[0]) * 1e3}
    text = f"{size}  {name:28} {row['offgraph_ms']:8.3f} ms"
    if len(measured) > 1:
        row["albumentations_ms"] = statistics.median(measured[1]) * 1e3
        row["ratio"] = statistics.median(b / a for a, b in zip(*measured))
        text += f" {row['albumentations_ms']:8.3f} ms {row['ratio']:7.2f} x"
    print(text, flush=True)
    return row

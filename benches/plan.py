"""One photograph through six steps, one thread: Resize, Rotate, Affine, RandomCrop, Flip, Normalize → 224 × 224 float32.

Beside it the same steps in plain SciPy and, where it is installed, in Albumentations 2.0.8 (OpenCV); Resize alone beside
OpenCV's, which does not antialias, and Pillow's, which does. The answer is checked before it is timed: fused in the
native runner against the Python runner in bytes, Resize against Pillow's within two grey levels.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import scipy.ndimage as ndi

import offgraph as og
from benches.timing import in_turn, ratio
from offgraph.core.specs import ArraySpec
from offgraph.core.threads import num_threads
from offgraph.plan import native, run
from offgraph.plan.draw import draw
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import lower
from offgraph.plan.placed import place
from offgraph.targets.image import Image

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def photograph() -> np.ndarray:
    """375 × 500 pixels of scikit-learn's flower, or a smooth pattern where it is not installed."""
    try:
        from sklearn.datasets import load_sample_image

        return np.ascontiguousarray(load_sample_image("flower.jpg")[20:395, 60:560])
    except ImportError:
        y, x = np.mgrid[:375, :500]
        waves = [np.sin(y / (9 + 3 * c)) * np.cos(x / (7 + 2 * c)) for c in range(3)]
        return np.stack([(w * 120 + 128).astype(np.uint8) for w in waves], axis=-1)


def steps() -> list[og.Step]:
    """The six steps."""
    return [
        og.Resize((256, 256)),
        og.Rotate((-30, 30)),
        og.Affine(scale=(0.9, 1.1), shear=(-0.09, 0.09), translate=("5%", "5%")),
        og.RandomCrop((224, 224)),
        og.Flip("X"),
        og.Normalize("imagenet"),
    ]


def by_scipy(image: np.ndarray, angle: float, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The same work as people write it: channel by channel, `zoom` with a blur before it."""
    planes = []
    for channel in range(3):
        plane = ndi.gaussian_filter(image[..., channel], (0.23, 0.48))
        plane = ndi.zoom(plane, (256 / 375, 256 / 500), order=1, grid_mode=True, mode="nearest")
        plane = ndi.rotate(plane, angle, reshape=False, order=1)
        plane = ndi.affine_transform(plane, matrix, offset, order=1)
        planes.append(plane[16:240, 16:240][:, ::-1])
    values = np.stack(planes, axis=-1).astype(np.float64)
    return ((values / 255 - MEAN) / STD).astype(np.float32)


def by_albumentations() -> Callable[[np.ndarray], np.ndarray] | None:
    """Albumentations' pipeline, or None where it is not installed."""
    try:
        import albumentations as albu
        import cv2
    except ImportError:
        return None
    cv2.setNumThreads(1)
    chain = albu.Compose(
        [
            albu.Resize(256, 256),
            albu.Rotate((-30, 30), border_mode=cv2.BORDER_CONSTANT, p=1),
            albu.Affine(scale=(0.9, 1.1), shear=(-5, 5), translate_percent=(0.05, 0.05), p=1),
            albu.RandomCrop(224, 224),
            albu.HorizontalFlip(p=1),
            albu.Normalize(),
        ]
    )
    return lambda image: chain(image=image)["image"]


def resizes(image: np.ndarray) -> dict[str, Callable[[], object]]:
    """The resize of OpenCV and of Pillow, where they are installed."""
    calls: dict[str, Callable[[], object]] = {}
    try:
        import cv2

        cv2.setNumThreads(1)
        calls["OpenCV resize"] = lambda: cv2.resize(image, (224, 224), interpolation=cv2.INTER_LINEAR)
    except ImportError:
        pass
    try:
        from PIL import Image as Pillow

        theirs = Pillow.fromarray(image)
        calls["Pillow resize"] = lambda: theirs.resize((224, 224), Pillow.Resampling.BILINEAR)
        ours = og.Compose([og.Resize((224, 224))])(image=image).image
        resized = np.asarray(calls["Pillow resize"]())
        assert np.abs(ours.astype(int) - resized).max() <= 2, "Resize differs from Pillow's triangle"
    except ImportError:
        pass
    return calls


def check(image: np.ndarray) -> None:
    """Compare the answers that are timed."""
    placed = place((step, True) for step in steps())
    spec = ArraySpec(image.shape, "uint8", "YXC")
    for index in range(3):
        applied, specs = draw(placed, spec, og.Key(seed=1, index=index))
        chain = lower(placed, applied, specs)
        for ops in (chain, fuse(chain)):
            found = native.run_image(ops, Image(image, "YXC")).array
            expected = run.run_image(ops, Image(image, "YXC")).array
            assert found.tobytes() == expected.tobytes(), "the native runner differs from the Python runner"
            assert found.shape == (224, 224, 3) and found.dtype == np.float32


def _seconds(call: Callable[[], object]) -> float:
    """One call; what a step adds is a difference between neighbours, smaller than the noise between loops."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(rounds: int = 7) -> list[dict]:
    """Seconds and ratios of the whole, and what each part adds."""
    warnings.simplefilter("ignore")
    image = photograph()
    check(image)
    count = iter(range(1 << 30))
    six, five = og.Compose(steps()), og.Compose(steps()[:-1])
    chain = og.Compose(steps(), fuse=False)
    alone, empty = og.Compose([og.Resize((224, 224))]), og.Compose([])
    small = np.zeros((2, 2), np.uint8)
    matrix, offset = np.array([[1.02, 0.05], [0.0, 0.97]]), np.array([-9.0, 7.0])
    calls: dict[str, Callable[[], object]] = {
        "offgraph": lambda: six(image=image, key=og.Key(seed=1, index=next(count))),
        "without Normalize": lambda: five(image=image, key=og.Key(seed=1, index=next(count))),
        "fuse=False": lambda: chain(image=image, key=og.Key(seed=1, index=next(count))),
        "Resize alone": lambda: alone(image=image),
        "empty plan": lambda: empty(image=small),
        **resizes(image),
        "SciPy": lambda: by_scipy(image, 17.0, matrix, offset),
    }
    other = by_albumentations()
    if other is not None:
        calls["Albumentations"] = lambda: other(image)
    with num_threads(1):
        seconds = in_turn(calls, rounds=rounds, target=0.1)
    rows = []
    for name, times in seconds.items():
        own = "Resize alone" if "resize" in name else "offgraph"
        found = ratio(seconds, name, own)
        rows.append({"case": name, "median_us": statistics.median(times) * 1e6, f"times {own}": found})
        print(f"{name:20} {statistics.median(times) * 1e6:9.1f} us   {found or 1:6.2f} x {own}")
    with num_threads(1):
        added = statistics.median(
            _seconds(calls["offgraph"]) - _seconds(calls["without Normalize"]) for _ in range(500)
        )
    print(f"{'Normalize adds':20} {added * 1e6:9.1f} us")
    rows.append({"case": "Normalize adds", "median_us": added * 1e6})
    return rows

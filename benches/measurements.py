"""Labels and what is measured of them, in a plane of 512² and a volume of 96³.

A thousand labels lie in blocks, or are cells: the pixels nearest to one of a thousand points, with a background where none
is near. All labels are asked for, the background is not. Where SciPy has no such function, scikit-image's is beside ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import scipy.ndimage

import offgraph
from benches.cases import Case
from offgraph import objects

ndimage: Any = scipy.ndimage

SHAPES = {"512²": (512, 512), "96³": (96, 96, 96)}
STATISTICS = ("sum_labels", "mean", "variance", "center_of_mass", "maximum")
DTYPES = ("u1", "u2", "f4", "f8")


def blocks(shape: tuple[int, ...]) -> np.ndarray:
    """1024 or 1000 labels in blocks of equal size, but for a pixel."""
    sides = {2: (32, 32), 3: (10, 10, 10)}[len(shape)]
    places = [np.arange(length) * side // length for length, side in zip(shape, sides)]
    labels = np.ravel_multi_index(np.meshgrid(*places, indexing="ij"), sides) + 1
    return labels.astype(np.int32)


def cells(shape: tuple[int, ...]) -> np.ndarray:
    """A thousand cells of uneven outline on a background."""
    seeds = np.ones(shape, bool)
    seeds.ravel()[np.random.default_rng(1).choice(seeds.size, 1000, replace=False)] = False
    numbers = np.zeros(shape, np.int32)
    numbers[~seeds] = np.arange(1, 1001)
    near, nearest = ndimage.distance_transform_edt(seeds, return_indices=True)
    return np.where(near < 0.5 * (seeds.size / 1000) ** (1 / len(shape)), numbers[tuple(nearest)], 0).astype(
        np.int32
    )


def landscape(shape: tuple[int, ...]) -> np.ndarray:
    """Noise, smoothed: half of it is above the median, in blobs."""
    return ndimage.gaussian_filter(np.random.default_rng(0).random(shape), 6 if len(shape) == 2 else 3)


def cases() -> Iterator[Case]:
    """Every measurement whose speed is written down."""
    for size, shape in SHAPES.items():
        yield from statistics(size, shape)
        yield from components(size, shape)
        yield from floods(size, shape)


def statistics(size: str, shape: tuple[int, ...]) -> Iterator[Case]:
    """Boxes, and statistics of each label."""
    values = np.random.default_rng(2).random(shape)
    for kind, make in (("blocks", blocks), ("cells", cells)):
        labels = make(shape)
        index = np.arange(1, labels.max() + 1)
        yield Case(f"find_objects, {kind} {size}", lambda ndi, labels=labels: ndi.find_objects(labels))
        for dtype in DTYPES:
            own = (values * (1 if dtype[0] == "f" else np.iinfo(dtype).max)).astype(dtype)
            for name in STATISTICS:
                yield Case(
                    f"{name} {dtype}, {kind} {size}",
                    lambda ndi, name=name, own=own, labels=labels, index=index: getattr(ndi, name)(
                        own, labels, index
                    ),
                )


def components(size: str, shape: tuple[int, ...]) -> Iterator[Case]:
    """Connected components."""
    smooth = landscape(shape)
    noise = np.random.default_rng(3).random(shape) < 0.5
    for kind, marks in (("blobs", smooth > np.median(smooth)), ("noise", noise)):
        yield Case(f"label, {kind} {size}", lambda ndi, marks=marks: ndi.label(marks)[0])


def floods(size: str, shape: tuple[int, ...]) -> Iterator[Case]:
    """Watersheds: SciPy's, and by priority flood, which scikit-image has."""
    smooth = landscape(shape)
    blobs = smooth > np.median(smooth)
    distance = ndimage.distance_transform_edt(blobs)
    peaks = markers(distance)
    steps = (smooth / smooth.max() * 255).astype(np.uint8)
    yield Case(f"watershed_ift u1 {size}", lambda ndi: ndi.watershed_ift(steps, peaks))
    grey = (ndimage.gaussian_filter(np.random.default_rng(4).random(shape), 2) * 2000 % 256).astype(np.uint8)
    for kind, height, mask in (
        ("blobs' distances", -distance, blobs),
        ("smooth floats", smooth, None),
        ("grey levels", grey, None),
    ):
        yield Case(
            f"watershed, {kind} {size} (× scikit-image)",
            lambda ndi, height=height, mask=mask: priority_flood(ndi)(height, peaks, mask=mask),
        )


def markers(distance: np.ndarray) -> np.ndarray:
    """A label at each summit that is the highest pixel within three of it."""
    summits = (ndimage.maximum_filter(distance, 7) == distance) & (distance > 0)
    return ndimage.label(summits)[0]


@cache
def priority_flood(ndi: Any) -> Any:
    """Ours, or scikit-image's."""
    if ndi is offgraph.ndimage:
        return objects.watershed
    from skimage.segmentation import watershed

    return watershed

"""Order statistics, and grey morphology.

Left out: NaN, whose place in the order SciPy does not define; and, because SciPy reads beside the image, windows that
reach over its end by more than its length, and one sample broadcast to an array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from tests.parity.calls.call import (
    Call,
    fills,
    flags,
    images,
    modes,
    of_samples,
    origin_of,
    outputs,
    seeds,
    several_modes,
    spatial,
)
from tests.support.cases import OutputForm

RANKS = ("median_filter", "rank_filter", "percentile_filter")
EXTREMES = ("minimum_filter", "maximum_filter")
LINES = ("minimum_filter1d", "maximum_filter1d")
GREY = (
    "grey_erosion",
    "grey_dilation",
    "grey_opening",
    "grey_closing",
    "morphological_gradient",
    "morphological_laplace",
    "white_tophat",
    "black_tophat",
)


def image_of(draw: st.DrawFn) -> np.ndarray:
    return of_samples(draw(images(nan=False)))


def sides(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> list[int]:
    """Square windows, long ones, even ones; none that reaches over the image's end by its length."""
    size = st.sampled_from((3, 3, 5, 5, 7, 9, 11, 15) if image.size < 4000 else (3, 3, 5))
    square = draw(size) if draw(flags) and len(axes) < 3 else None
    lengths = [square or draw(st.sampled_from((1, 2, 3, 4, 5))) for _ in axes]
    return [max(1, min(n, 2 * image.shape[axis] - 1)) for n, axis in zip(lengths, axes)]


def footprint_of(draw: st.DrawFn, lengths: list[int], full: bool = False) -> np.ndarray:
    """A disk, random holes, or all set; at least one cell is."""
    kind = "full" if full else draw(st.sampled_from(("disk", "holes", "holes", "full")))
    if kind == "disk":
        middle = [np.arange(n) - (n - 1) / 2 for n in lengths]
        radii = np.sqrt(sum(np.square(g) for g in np.meshgrid(*middle, indexing="ij")))
        return np.asarray(radii <= max(lengths) / 2 + 0.2) | (radii == radii.min())
    rng = np.random.default_rng(draw(seeds))
    cells = np.asarray(rng.random(lengths) < (2 if kind == "full" else 0.6))
    cells.flat[rng.integers(0, cells.size)] = True
    return cells


def window(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...], holes: bool = True) -> dict[str, Any]:
    lengths = sides(draw, image, axes)
    arguments: dict[str, Any] = {"axes": axes, "origin": origin_of(draw, lengths)}
    if holes and draw(flags):
        return arguments | {"footprint": footprint_of(draw, lengths)}
    return arguments | {"size": lengths}


def of_line(draw: st.DrawFn, name: str) -> Call:
    image = draw(images(nan=False))
    size = draw(st.sampled_from((1, 2, 3, 4, 5, 7, 15, 16, 40, 90)))
    arguments = {
        "size": size,
        "axis": draw(st.integers(-image.ndim, image.ndim - 1)),
        "mode": draw(modes),
        "cval": draw(fills),
        "origin": origin_of(draw, [size])[0],
    }
    return Call(name, image, arguments, draw(outputs(image)))


def of_box(draw: st.DrawFn, name: str) -> Call:
    image = image_of(draw)
    axes = spatial(draw, image)
    arguments = window(draw, image, axes) | {"cval": draw(fills)}
    # Only boxes take a mode an axis; SciPy refuses it elsewhere.
    arguments["mode"] = several_modes(draw, len(axes))
    return Call(name, image, arguments, draw(outputs(image)))


def ranked(draw: st.DrawFn, name: str) -> Call:
    image = image_of(draw)
    axes = spatial(draw, image)
    # In one dimension SciPy takes the holes of a footprint for cells.
    arguments = window(draw, image, axes, holes=image.ndim > 1) | {"mode": draw(modes), "cval": draw(fills)}
    form = draw(outputs(image))
    if image.ndim == 1:
        size = arguments["size"][0]
        before = size // 2 + arguments["origin"][0]
        if image.size and max(before, size - 1 - before) >= image.size:
            arguments |= {"size": [1], "origin": [0]}
        typed = image.dtype.newbyteorder("=") in (np.int64, np.float32, np.float64)
        if form is not None and (typed or form.kind == "array"):
            # SciPy writes the input's type, whatever the output's is, and warns of what is not contiguous.
            form = OutputForm("type", image.dtype.newbyteorder("=").str)
        if not image.size:
            form = None
    cells = (
        int(np.sum(arguments["footprint"])) if "footprint" in arguments else int(np.prod(arguments["size"]))
    )
    if name == "rank_filter":
        arguments["rank"] = draw(st.sampled_from((0, 1, cells // 2, cells - 2, cells - 1, -1, -2, cells)))
    if name == "percentile_filter":
        arguments["percentile"] = draw(st.sampled_from((0, 10, 33.3, 50, 75, 99.9, 100, -20, 120)))
    return Call(name, image, arguments, form)


def grey(draw: st.DrawFn, name: str) -> Call:
    image = draw(images(nan=False))
    if 0 in image.strides:
        image = image.copy()
    axes = tuple(sorted(spatial(draw, image)))
    lengths = sides(draw, image, axes)
    arguments: dict[str, Any] = {"axes": axes, "mode": draw(modes), "cval": draw(fills)}
    kind = draw(st.sampled_from(("size", "size", "footprint", "structure", "both")))
    if kind == "size":
        arguments["size"] = lengths
    if kind in ("footprint", "both"):
        arguments["footprint"] = footprint_of(draw, lengths)
    if kind in ("structure", "both"):
        rng = np.random.default_rng(draw(seeds))
        arguments["structure"] = rng.integers(-30, 30, lengths) / draw(st.sampled_from((1, 7)))
    if draw(flags):
        arguments["origin"] = origin_of(draw, lengths)
    return Call(name, image, arguments, draw(outputs(image)))


WINDOWS = {
    **dict.fromkeys(LINES, of_line),
    **dict.fromkeys(EXTREMES, of_box),
    **dict.fromkeys(RANKS, ranked),
    **dict.fromkeys(GREY, grey),
}

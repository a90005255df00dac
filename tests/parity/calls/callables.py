"""Filters that call Python functions: with windows, with lines, and with many windows at once.

The functions tell the order of the elements that they get. Left out: outputs that share memory with the input, and functions
that write only a part of their line, where SciPy leaves what was there before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from tests.parity.calls.call import Call, fills, flags, images, modes, of_samples, outputs, seeds
from tests.support.cases import laid_out, values

FEW = 300
"""Windows of an image, at most about: each is a call."""


def weighted(window: np.ndarray, factor: float = 1.0, *, shift: float = 0.0) -> Any:
    with np.errstate(all="ignore"):
        return (window * np.arange(1.0, window.size + 1)).sum() * factor % 700 + shift


def along(line: np.ndarray, result: np.ndarray, factor: float = 1.0, *, shift: float = 0.0) -> None:
    with np.errstate(all="ignore"):
        result[:] = np.convolve(line, np.arange(1.0, line.size - result.size + 2), "valid") * factor + shift


def spread(windows: np.ndarray, axis: Any) -> Any:
    """Tells the windows' shape as well as their elements."""
    with np.errstate(all="ignore"):
        axes = axis if isinstance(axis, tuple) else (axis,)
        return windows.max(axis=axes) - windows.min(axis=axes) + sum(windows.shape[each] for each in axes)


@st.composite
def small(draw: st.DrawFn) -> np.ndarray:
    """An image of few pixels, of any dtype and layout."""
    image = of_samples(draw(images()))
    while image.size > FEW:
        axis = int(np.argmax(image.shape))
        image = image[(slice(None),) * axis + (slice(0, max(1, image.shape[axis] // 2)),)]
    return image


def extra(draw: st.DrawFn) -> dict[str, Any]:
    kinds: tuple[dict[str, Any], ...] = (
        {},
        {"extra_arguments": (-3.0,)},
        {"extra_arguments": (), "extra_keywords": {"shift": 300.5}},
        {"extra_arguments": (2.0,), "extra_keywords": {"shift": -1.0}},
    )
    return dict(draw(st.sampled_from(kinds)))


def over_windows(draw: st.DrawFn, name: str) -> Call:
    image = draw(small())
    arguments: dict[str, Any] = {
        "function": weighted,
        "mode": draw(modes),
        "cval": draw(fills),
        **extra(draw),
    }
    axes = tuple(range(image.ndim))
    if draw(st.integers(0, 3)) == 0:
        axes = tuple(draw(st.lists(st.sampled_from(axes), unique=True, min_size=1))) if axes else ()
        arguments["axes"] = axes
    sizes = [draw(st.integers(1, 5)) for _ in axes]
    origins = [draw(st.integers(-(size // 2), (size - 1) // 2)) for size in sizes]
    arguments["origin"] = origins if draw(flags) else 0
    if draw(flags):
        rng = np.random.default_rng(draw(seeds))
        arguments["footprint"] = rng.random(sizes) < draw(st.sampled_from((0.0, 0.5, 0.9)))
    else:
        arguments["size"] = sizes
    return Call(name, image, arguments, draw(outputs(image)))


def over_lines(draw: st.DrawFn, name: str) -> Call:
    image = draw(small())
    size = draw(st.integers(1, 9))
    arguments = {
        "function": along,
        "filter_size": size,
        "axis": draw(st.integers(-image.ndim, image.ndim - 1)) if image.ndim else 0,
        "mode": draw(modes),
        "cval": draw(fills),
        "origin": draw(st.integers(-(size // 2), (size - 1) // 2)),
    }
    return Call(name, image, {**arguments, **extra(draw)}, draw(outputs(image)))


def over_many(draw: st.DrawFn, name: str) -> Call:
    shape = tuple(draw(st.lists(st.integers(1, 8), min_size=1, max_size=3)))
    kind = draw(st.sampled_from(("u1", "i4", "f2", "f4", "f8", "c16")))
    image = np.asarray(values(shape, "f4", draw(seeds), "plain")).astype(kind)
    image = laid_out(image, draw(st.sampled_from(("C", "F", "reversed")))) if kind != "f2" else image
    mode = draw(st.sampled_from(("reflect", "constant", "nearest", "mirror", "wrap", "valid")))
    arguments: dict[str, Any] = {"function": spread, "mode": mode}
    axes = tuple(draw(st.lists(st.sampled_from(range(len(shape))), unique=True, min_size=1)))
    count = len(axes)
    if draw(flags):
        arguments["axes"] = axes[0] if count == 1 and draw(flags) else axes
    else:
        count = len(shape)
    sizes = [draw(st.integers(1, 4)) for _ in range(count)]
    if draw(flags):
        footprint = np.random.default_rng(draw(seeds)).random(sizes) < 0.7
        footprint.flat[0] = True
        arguments["footprint"] = footprint
    else:
        arguments["size"] = sizes if draw(flags) else draw(st.integers(1, 3))
    if mode == "constant" and draw(flags):
        arguments["cval"] = draw(st.sampled_from((3, -2.5)))
    if draw(st.integers(0, 3)) == 0:
        arguments["origin"] = draw(st.sampled_from((0, 1, -1)))
    arguments["batch_memory"] = draw(st.sampled_from((2**30, 4000, 300)))
    return Call(name, image, arguments)


CALLABLES = {
    "generic_filter": over_windows,
    "generic_filter1d": over_lines,
    "vectorized_filter": over_many,
}

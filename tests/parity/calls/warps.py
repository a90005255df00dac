"""Interpolation and splines.

Left out, because SciPy reads foreign memory or ends: empty images, points without an end in modes that fold them back,
and NaN in a shift, a zoom or a diagonal matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from tests.parity.calls.call import (
    SIZES,
    Call,
    any_dtypes,
    fills,
    flags,
    images,
    modes,
    orders,
    outputs,
    seeds,
    spatial,
)
from tests.support.cases import laid_out


def sampling(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "order": draw(orders),
        "mode": draw(modes),
        "cval": draw(st.one_of(fills, st.just(np.nan))),
        "prefilter": draw(st.integers(0, 4)) > 0,
    }


def warped(draw: st.DrawFn, name: str) -> Call:
    """An interpolation; never of an empty image, from which SciPy reads."""
    dtypes = any_dtypes(draw)
    image = draw(images(dtypes, empty=False))
    options = sampling(draw)
    if options["order"] > 3 and image.size > 3000:
        options["order"] = 3
    call = Call(name, image, options, draw(outputs(image, dtypes)))
    call.arguments |= WARPS[name](draw, image, options["mode"])
    return call


def zoomed(draw: st.DrawFn, image: np.ndarray, mode: str) -> dict[str, Any]:
    moving = spatial(draw, image)
    factors = [1.0] * image.ndim
    for axis in moving:
        length = draw(st.one_of(st.sampled_from(SIZES), st.integers(0, 40)))
        factors[axis] = draw(st.sampled_from((0.5, 2, 1.5, 1, length / image.shape[axis])))
    while np.prod([max(1, round(n * f)) for n, f in zip(image.shape, factors)]) > 20000:
        factors = [min(f, 1.0) if f * n > 40 else f * 0.7 for f, n in zip(factors, image.shape)]
    one = draw(st.integers(0, 5)) == 0
    return {"zoom": min(factors) if one else factors, "grid_mode": draw(flags)}


# Multiples of a half put points on samples and half way, multiples of 45 degrees on their diagonals.
steps = st.one_of(st.floats(-12, 12), st.integers(-24, 24).map(lambda n: n / 2))


def shifted(draw: st.DrawFn, image: np.ndarray, mode: str) -> dict[str, Any]:
    moving = spatial(draw, image)
    if draw(st.integers(0, 5)) == 0:
        return {"shift": draw(steps)}
    return {"shift": [draw(steps) if axis in moving else 0.0 for axis in range(image.ndim)]}


def turned(draw: st.DrawFn, image: np.ndarray, mode: str) -> dict[str, Any]:
    moving = spatial(draw, image)
    axes = moving[:2] if len(moving) > 1 else (0, min(1, image.ndim - 1))
    angle = draw(st.one_of(st.floats(-400, 400), st.integers(-8, 8).map(lambda n: n * 45)))
    return {"angle": angle, "axes": axes, "reshape": draw(flags)}


def transformed(draw: st.DrawFn, image: np.ndarray, mode: str) -> dict[str, Any]:
    """Matrices that turn about the middle, so that most points lie inside; offsets and shapes that need not fit."""
    moving = list(spatial(draw, image))
    rng = np.random.default_rng(draw(seeds))
    matrix = np.eye(image.ndim)
    kind = draw(st.sampled_from(("turn", "turn", "any", "scale", "halves", "diagonal", "flip")))
    part = np.eye(len(moving)) + rng.normal(0, 0.2, (len(moving),) * 2)
    if kind == "any":
        part = rng.normal(0, 1, part.shape)
    elif kind == "scale":
        part = np.diag(rng.choice([0.5, 1, 2, 1.3, 0, -1], len(moving)))
    elif kind == "halves":
        part = rng.integers(-4, 5, part.shape) / 2
    elif kind == "flip":
        part = np.eye(len(moving))[::-1]
    matrix[np.ix_(moving, moving)] = part
    shape = tuple(
        draw(st.integers(0, 40)) if axis in moving and draw(flags) else n
        for axis, n in enumerate(image.shape)
    )
    offset = (np.array(image.shape) - 1) / 2 - matrix @ ((np.array(shape) - 1) / 2)
    if draw(flags):
        offset[moving] += [draw(steps) for _ in moving]
    if kind == "diagonal":
        # SciPy's shortcut for one number an axis divides by it and does not survive points without an end.
        matrix = rng.choice([0.5, 1, 2, 1.3, -1], image.ndim)
        return {"matrix": matrix, "offset": offset.tolist(), "output_shape": shape}
    if draw(st.integers(0, 3)) == 0:
        matrix = np.column_stack([matrix, offset])
        rows = [0.0] * image.ndim + [1.0]
        matrix = np.vstack([matrix, rows]) if draw(flags) else matrix
        return {"matrix": matrix, "output_shape": shape}
    return {"matrix": matrix, "offset": offset, "output_shape": shape}


def points(draw: st.DrawFn, image: np.ndarray, mode: str) -> dict[str, Any]:
    """A grid with a smooth or rough displacement, or loose points; NaN and infinity where SciPy survives them."""
    rng = np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(("smooth", "smooth", "rough", "loose", "whole")))
    if kind == "loose":
        shape = (draw(st.sampled_from((0, 1, 7, 64, 131))),)
        points = rng.uniform(-1.5, 0.5, (image.ndim, *shape)) + rng.random((image.ndim, *shape)) * np.reshape(
            image.shape, (image.ndim, 1)
        )
    else:
        points = np.indices(image.shape).astype(float)
        points += 0 if kind == "whole" else rng.normal(0, 3 if kind == "rough" else 0.3, points.shape)
        points += draw(st.sampled_from((0, 0, 0.5, -0.25)))
    safe = [np.nan] if mode in ("wrap", "grid-wrap") else [np.nan, np.inf, -np.inf]
    if mode not in ("nearest", "grid-constant") and draw(st.integers(0, 4)) == 0:
        points = np.where(rng.random(points.shape) < 0.1, rng.choice(safe), points)
    elif draw(st.integers(0, 5)) == 0:
        points = points.astype(draw(st.sampled_from(("i4", "i2", "i8"))))
    elif draw(st.integers(0, 3)) == 0:
        points = points.astype("f4")
    return {
        "coordinates": laid_out(points, draw(st.sampled_from(("C", "C", "C", "F", "strided", "swapped"))))
    }


def mapped(draw: st.DrawFn, image: np.ndarray, mode: str) -> dict[str, Any]:
    shape = tuple(min(n, 5) for n in image.shape)
    far = draw(steps)

    def mapping(point: tuple[int, ...], scale: float, *, away: float = 0.0) -> tuple[float, ...]:
        return tuple(scale * x + away for x in point)

    words = {"away": far}
    return {"mapping": mapping, "output_shape": shape, "extra_arguments": (0.75,), "extra_keywords": words}


WARPS: dict[str, Callable[..., dict[str, Any]]] = {
    "zoom": zoomed,
    "shift": shifted,
    "rotate": turned,
    "affine_transform": transformed,
    "map_coordinates": points,
    "geometric_transform": mapped,
}


def splined(draw: st.DrawFn, name: str) -> Call:
    dtypes = any_dtypes(draw)
    image = draw(images(dtypes))
    arguments = {"order": draw(st.integers(2, 5)), "mode": draw(modes)}
    if name == "spline_filter1d":
        arguments |= {
            "order": draw(st.integers(0, 5)),
            "axis": draw(st.integers(-image.ndim, image.ndim - 1)),
        }
    return Call(name, image, arguments, draw(outputs(image, dtypes)))


SPLINES = ("spline_filter", "spline_filter1d")

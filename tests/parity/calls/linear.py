"""Correlations, means, Gaussians and derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.ndimage
from hypothesis import strategies as st
from tests.parity.calls.call import (
    Call,
    any_dtypes,
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


def weights(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    """Any weights; sums to one; whole ones; symmetric and antisymmetric ones; some zero, some tiny."""
    rng = np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(("any", "mean", "whole", "even", "odd", "holes", "tiny", "huge")))
    window = rng.normal(size=shape)
    if kind == "mean":
        return np.full(shape, 1 / max(1, window.size))
    if kind == "whole":
        return rng.integers(-3, 4, shape)
    mirrored = window[(slice(None, None, -1),) * len(shape)]
    if kind in ("even", "odd"):
        return window + mirrored if kind == "even" else window - mirrored
    factors = {"any": (1.0,), "holes": (0, 1.0), "tiny": (2e-16, 3e-16), "huge": (1, 1e30)}[kind]
    return window * rng.choice(factors, shape)


def linear(draw: st.DrawFn, name: str) -> Call:
    dtypes = any_dtypes(draw)
    image = draw(images(dtypes))
    if name in ("correlate", "convolve"):
        image = of_samples(image)
    call = Call(name, image, {"cval": draw(fills)}, draw(outputs(image, dtypes)))
    call.arguments |= LINEAR[name](draw, image, spatial(draw, image))
    return call


def of_line(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> dict[str, Any]:
    size = draw(st.sampled_from((1, 2, 3, 3, 5, 5, 7, 8, 13, 33)))
    return {
        "weights": weights(draw, (size,)),
        "axis": draw(st.sampled_from(axes)),
        "mode": draw(modes),
        "origin": origin_of(draw, [size])[0],
    }


def of_box(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> dict[str, Any]:
    shape = [draw(st.sampled_from((1, 2, 3, 3, 5))) for _ in axes]
    return {
        "weights": weights(draw, tuple(shape)),
        "axes": axes,
        "mode": draw(modes),
        "origin": origin_of(draw, shape),
    }


def gaussian(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> dict[str, Any]:
    sigma = st.sampled_from((0.0, 0.5, 0.8, 1, 1, 2.5, 4))
    return {
        "sigma": [draw(sigma) for _ in axes] if draw(flags) else draw(sigma),
        "order": draw(st.sampled_from((0, 0, 0, 1, 2, 3))),
        "axes": axes,
        "mode": several_modes(draw, len(axes)),
        "truncate": draw(st.sampled_from((4.0, 4.0, 2.0))),
    }


def gaussian_line(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> dict[str, Any]:
    return {
        "sigma": draw(st.sampled_from((0.3, 1, 2.5, 4))),
        "axis": draw(st.sampled_from(axes)),
        "order": draw(st.integers(0, 3)),
        "mode": draw(modes),
        "radius": draw(st.sampled_from((None, None, 0, 3, 20))),
    }


def mean(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> dict[str, Any]:
    sizes = [draw(st.sampled_from((1, 2, 3, 4, 7, 7, 8, 33, 100))) for _ in axes]
    mode = several_modes(draw, len(axes))
    return {"size": sizes, "axes": axes, "mode": mode, "origin": origin_of(draw, sizes)}


def mean_line(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> dict[str, Any]:
    size = draw(st.sampled_from((1, 2, 3, 4, 7, 8, 33, 100)))
    origin = origin_of(draw, [size])[0]
    return {"size": size, "axis": draw(st.sampled_from(axes)), "mode": draw(modes), "origin": origin}


def slope(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> dict[str, Any]:
    return {"axis": draw(st.sampled_from(axes)), "mode": several_modes(draw, image.ndim)}


def curvature(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> dict[str, Any]:
    return {"mode": several_modes(draw, len(axes)), "axes": axes}


def of_gaussian(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> dict[str, Any]:
    return curvature(draw, image, axes) | {"sigma": draw(st.sampled_from((0.5, 1, 1.7)))}


def difference(input, axis, output, mode, cval, scale=1, **_):
    """A caller's own derivative: both sides run SciPy's."""
    return scipy.ndimage.correlate1d(input, np.multiply([-1, 0.5, 1], scale), axis, output, mode, cval)


def of_caller(draw: st.DrawFn, image: np.ndarray, axes: tuple[int, ...]) -> dict[str, Any]:
    return curvature(draw, image, axes) | {"extra_keywords": {"scale": draw(st.sampled_from((1, 2, 0.3)))}}


LINEAR: dict[str, Callable[..., dict[str, Any]]] = {
    "correlate1d": of_line,
    "convolve1d": of_line,
    "correlate": of_box,
    "convolve": of_box,
    "gaussian_filter": gaussian,
    "gaussian_filter1d": gaussian_line,
    "uniform_filter": mean,
    "uniform_filter1d": mean_line,
    "sobel": slope,
    "prewitt": slope,
    "laplace": curvature,
    "gaussian_laplace": of_gaussian,
    "gaussian_gradient_magnitude": of_gaussian,
    "generic_laplace": lambda *a: of_caller(*a) | {"derivative2": difference},
    "generic_gradient_magnitude": lambda *a: of_caller(*a) | {"derivative": difference},
}

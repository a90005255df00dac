"""Filters in the Fourier domain: SciPy's own."""

from __future__ import annotations

from scipy.ndimage import (
    fourier_ellipsoid,
    fourier_gaussian,
    fourier_shift,
    fourier_uniform,
)

__all__ = [
    "fourier_ellipsoid",
    "fourier_gaussian",
    "fourier_shift",
    "fourier_uniform",
]

NATIVE: tuple[str, ...] = ()

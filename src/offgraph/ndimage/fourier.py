"""Filters in the Fourier domain: SciPy's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offgraph.ndimage.scipys_own import scipys_own

if TYPE_CHECKING:
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

__getattr__ = scipys_own(__name__, __all__)

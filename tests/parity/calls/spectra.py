"""Filters of spectra.

Left out: an output that is read-only, or overlaps the input without being it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from tests.parity.calls.call import Call, images, seeds
from tests.support.cases import ALL_DTYPES, LAYOUTS, REAL_DTYPES, OutputForm, laid_out

FILTERS = ("fourier_gaussian", "fourier_uniform", "fourier_ellipsoid", "fourier_shift")

parameters = st.one_of(
    st.sampled_from((0, 1, 2.5, 3, 0.3, 1e-9, 50.0)),
    st.floats(-4, 40),
    st.sampled_from((1e300, -1e300, np.inf, np.nan)),
)


def multiplied(draw: st.DrawFn, name: str) -> Call:
    image = draw(images(REAL_DTYPES if draw(st.booleans()) else ALL_DTYPES))
    if image.ndim == 4 and draw(st.booleans()):
        image = image[..., 0]
    if draw(st.integers(0, 2)) == 0 and image.dtype.kind == "f":
        rng = np.random.default_rng(draw(seeds))
        image = image.astype("c8" if image.dtype == np.float32 else "c16")
        image.imag = rng.normal(size=image.shape)
        image = laid_out(image, draw(st.sampled_from(LAYOUTS)))
    several: Any = [draw(parameters) for _ in range(image.ndim + (draw(st.integers(0, 19)) == 0))]
    arguments: dict[str, Any] = {
        "shift" if name == "fourier_shift" else "sigma" if name == "fourier_gaussian" else "size": draw(
            st.sampled_from((several, several, draw(parameters), "a", None))
            if draw(st.integers(0, 9)) == 0
            else st.sampled_from((several, draw(parameters)))
        ),
        "n": draw(st.sampled_from((-1, -1, -1, 0, 1, 2, 5, 16, 257, -3))),
        "axis": draw(
            st.integers(-image.ndim, image.ndim - 1) if draw(st.integers(0, 9)) else st.integers(-9, 9)
        ),
    }
    if draw(st.integers(0, 19)) == 0:
        arguments["n"] = 2.5
    form = None
    if draw(st.booleans()):
        layouts = [layout for layout in LAYOUTS if layout != "readonly"]
        kinds = ("type", "array", "array", "array", "wrong shape", "dtype")
        form = OutputForm(
            draw(st.sampled_from(kinds)),
            draw(st.sampled_from(("f4", "f8", "c8", "c16", "c16", "i4"))),
            draw(st.sampled_from(layouts)),
        )
    return Call(name, image, arguments, form)


SPECTRA = dict.fromkeys(FILTERS, multiplied)

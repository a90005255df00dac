"""Distance transforms.

Left out, because SciPy reads foreign memory: metrics with another number of axes than the image, empty spacings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from tests.parity.calls.binary import pixels
from tests.parity.calls.call import Call, flags, seeds
from tests.support.cases import laid_out

TRANSFORMS = ("distance_transform_edt", "distance_transform_cdt", "distance_transform_bf")

spacings = st.one_of(
    st.sampled_from((1, 1.0, 2, 0.5, 3, 0.25, 100)),
    st.sampled_from((0.7, 1 / 3, 1e-3, 700.0, 1e160, 1e-170)),
    st.sampled_from((0.0, -1.0, np.inf, np.nan)) | st.floats(0.01, 50),
)
NAMES = ("euclidean", "taxicab", "cityblock", "manhattan", "chessboard", "Euclidean", "TAXICAB", "octagon")


@st.composite
def masks(draw: st.DrawFn, most: int = 10**6) -> np.ndarray:
    """Noise and blobs, or few zeros or even none; at most so many elements."""
    image = draw(pixels())
    while image.size > most:
        longest = int(np.argmax(image.shape))
        image = image[(slice(None),) * longest + (slice(0, image.shape[longest] // 2),)]
    if draw(st.integers(0, 2)) == 0 and image.size:
        image = np.ones(image.shape, draw(st.sampled_from(("?", "u1", "i8", "f4"))))
        zeros = np.random.default_rng(draw(seeds)).integers(0, image.size, draw(st.integers(0, 4)))
        image.ravel()[zeros] = 0
        image = laid_out(image, draw(st.sampled_from(("C", "F", "reversed", "strided"))))
    return image


def sampling_of(draw: st.DrawFn, rank: int) -> Any:
    match draw(st.sampled_from(("none", "none", "one", "each", "each", "wrong"))):
        case "none":
            return None
        case "one":
            return draw(spacings)
        case "wrong":
            return draw(st.sampled_from(([1.0] * (rank + 1), "a", 1j, [None] * rank)))
    return [draw(spacings) for _ in range(rank)]


def metric_of(draw: st.DrawFn, rank: int) -> Any:
    if draw(flags):
        return draw(st.sampled_from((*NAMES[1:5], *NAMES)))
    elements = np.random.default_rng(draw(seeds)).random((3,) * rank) < draw(st.sampled_from((0.2, 0.6, 1.0)))
    if draw(st.integers(0, 9)) == 0:
        return elements[:2]
    elements = elements.astype(draw(st.sampled_from(("?", "?", "u1", "i4", "f8", ">i2"))))
    return laid_out(elements, draw(st.sampled_from(("C", "C", "F", "reversed", "strided"))))


def transformed(draw: st.DrawFn, name: str) -> Call:
    image = draw(masks(1500 if name == "distance_transform_bf" else 10**6))
    asked = draw(st.sampled_from(((True, False), (True, False), (True, True), (False, True), (False, False))))
    arguments: dict[str, Any] = {"return_distances": asked[0], "return_indices": asked[1]}
    if name != "distance_transform_cdt":
        arguments["sampling"] = sampling_of(draw, image.ndim)
    if name == "distance_transform_cdt":
        arguments["metric"] = metric_of(draw, image.ndim)
    if name == "distance_transform_bf":
        arguments["metric"] = draw(st.sampled_from((*NAMES[:5], *NAMES)))
    return Call(name, image, arguments)


DISTANCES = dict.fromkeys(TRANSFORMS, transformed)

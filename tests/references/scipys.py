"""Steps beside SciPy."""

from __future__ import annotations

import numpy as np
from tests.references.declared import Lazy, compare, each_channel

import offgraph as og

ndi = Lazy("scipy.ndimage")
stats = Lazy("scipy.stats")
ALL = ("photo", "noise", "words", "floats")
SCIPY = "SciPy"


def _of_floats(function):
    """A function of an image of float64, rounded to float32."""
    return each_channel(lambda channel: function(channel.astype(np.float64)).astype(np.float32))


compare(
    SCIPY,
    "median_filter(channel, 5)",
    lambda: og.MedianFilter(5),
    each_channel(lambda c: ndi.median_filter(c, 5)),
    images=ALL,
)
compare(
    SCIPY,
    "minimum_filter(channel, 5)",
    lambda: og.MinFilter(5),
    each_channel(lambda c: ndi.minimum_filter(c, 5)),
    images=ALL,
)
compare(
    SCIPY,
    "maximum_filter(channel, 5)",
    lambda: og.MaxFilter(5),
    each_channel(lambda c: ndi.maximum_filter(c, 5)),
    images=ALL,
)
compare(
    SCIPY,
    "uniform_filter(channel, 5)",
    lambda: og.UniformFilter(5),
    each_channel(lambda c: ndi.uniform_filter(c, 5)),
    images=ALL,
)
compare(
    SCIPY,
    "gaussian_filter(channel, 1.5)",
    lambda: og.GaussianFilter(1.5),
    each_channel(lambda c: ndi.gaussian_filter(c, 1.5)),
    images=ALL,
)
compare(
    SCIPY,
    "percentile_filter(channel, 80, 5)",
    lambda: og.PercentileFilter(80, 5),
    each_channel(lambda c: ndi.percentile_filter(c, 80, 5)),
    images=ALL,
)
compare(
    SCIPY,
    "white_tophat(channel, 5)",
    lambda: og.WhiteTopHat(5),
    each_channel(lambda c: ndi.white_tophat(c, 5)),
    images=ALL,
)
compare(
    SCIPY,
    "grey_closing(channel, 5)",
    lambda: og.Ndimage("grey_closing", size=5),
    each_channel(lambda c: ndi.grey_closing(c, 5)),
    images=ALL,
)
compare(
    SCIPY,
    "gaussian_gradient_magnitude(channel as float64, 1)",
    lambda: og.GradientMagnitude(1),
    _of_floats(lambda c: ndi.gaussian_gradient_magnitude(c, 1)),
    images=ALL,
)
compare(
    SCIPY,
    "gaussian_laplace(channel as float64, 2)",
    lambda: og.Laplacian(2),
    _of_floats(lambda c: ndi.gaussian_laplace(c, 2)),
    images=ALL,
)
compare(
    SCIPY,
    "correlate(channel, [[1, 2, 1], [2, 4, 2], [1, 2, 1]])",
    lambda: og.Kernel(((1, 2, 1), (2, 4, 2), (1, 2, 1))),
    each_channel(lambda c: ndi.correlate(c, np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]))),
    images=("doubles",),
)
compare(
    SCIPY,
    "rotate(channel, 33, order=1, reshape=False)",
    lambda: og.Rotate(33),
    each_channel(lambda c: ndi.rotate(c, 33, order=1, reshape=False)),
    images=ALL,
)
compare(
    SCIPY,
    "rotate(channel, -20, order=3, mode='mirror')",
    lambda: og.Rotate(-20, reshape=True, order=3, mode="mirror"),
    each_channel(lambda c: ndi.rotate(c, -20, order=3, mode="mirror")),
    images=ALL,
)
compare(
    SCIPY, "zoom(channel, 0.7)", lambda: og.Zoom(0.7), each_channel(lambda c: ndi.zoom(c, 0.7)), images=ALL
)
compare(
    SCIPY,
    "shift(channel, (2.5, -7.25), order=3, mode='nearest')",
    lambda: og.Shift((2.5, -7.25), order=3, mode="nearest"),
    each_channel(lambda c: ndi.shift(c, (2.5, -7.25), order=3, mode="nearest")),
    images=ALL,
)
compare(
    SCIPY,
    "affine_transform(channel, matrix, order=1)",
    lambda: og.Affine(matrix=((0.9, 0.2, 3.0), (-0.1, 1.1, -5.0)), anchor="origin"),
    each_channel(lambda c: ndi.affine_transform(c, np.array([[0.9, 0.2, 3.0], [-0.1, 1.1, -5.0]]), order=1)),
    images=ALL,
)
compare(
    SCIPY,
    "affine_transform(channel, [2, 2], offset=(1 - n) / 2, order=1)",
    lambda: og.Scale(0.5),
    each_channel(lambda c: ndi.affine_transform(c, [2, 2], offset=[(1 - n) / 2 for n in c.shape], order=1)),
    images=("photo", "floats"),
)
compare(
    SCIPY,
    "stats.zscore(image, axis=(0, 1))",
    lambda: og.ZScore(),
    lambda image: stats.zscore(image.astype(np.float64), axis=(0, 1)).astype(np.float32),
    images=("photo", "words"),
)
compare(SCIPY, "label(image)[0]", lambda: og.Label(), lambda image: ndi.label(image)[0], images=("objects",))
compare(
    SCIPY,
    "binary_fill_holes(image)",
    lambda: og.FillHoles(),
    lambda image: ndi.binary_fill_holes(image).astype(np.uint8),
    images=("objects",),
)

"""Look through structured glass."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from offgraph.steps.counts import CountRange
from offgraph.steps.declaration import step
from offgraph.steps.parameters import NaturalRange, WholeNumber
from offgraph.steps.values import limited, working_dtype
from offgraph.transforms.noise._random_pixels import SeededStep, words

__all__ = ["GlassBlur"]


@step
class GlassBlur(SeededStep):
    """Scatter pixels among their neighbours between two Gaussian blurs, as structured glass does; the dtype stays.

    A noise step: the image is blurred, `times` times every pixel takes the value of one at most `reach` pixels away along each
    spatial axis, drawn evenly (beyond the border the image is mirrored), and the image is blurred again. Channels move together.
    Exactness: `scipy.ndimage.gaussian_filter` with mode 'mirror', and indexing, by NumPy in float32, in float64 for images of float64
    and of more than 16 bits; integers are rounded half to even. A record holds a seed, which scatters in the same way anywhere.

    Parameters
    ----------
    sigma : float or (low, high)
        Standard deviation of both blurs in pixels, at least 0.
    reach : int or (low, high)
        In pixels, from 0 to 100.
    times : int
        How often pixels are scattered, from 1 to 20.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> steps = np.repeat([0, 90], 20).astype(np.uint8) + np.zeros((30, 1), np.uint8)
    >>> out = og.Compose([og.GlassBlur(0, reach=3, times=1)])(image=steps, key=og.Key(seed=1)).image
    >>> np.unique(out[:, :17]).tolist(), np.unique(out[:, 17:23]).tolist(), np.unique(out[:, 23:]).tolist()
    ([0], [0, 90], [90])
    """

    sigma: NaturalRange = 0.7
    reach: Annotated[int | tuple[int, int], CountRange(0, 100)] = 3
    times: Annotated[int, WholeNumber(1, 20)] = 2

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.gaussian_filter`, an index for each scattering, and `ndimage.gaussian_filter` again."""
        size, reach = image.shape[:-1], params["reach"]
        sigmas = (params["sigma"],) * len(size) + (0,)
        values = ndi.gaussian_filter(image.astype(working_dtype(image.dtype)), sigmas, mode="mirror")
        drawn = words(params["seed"], channel, (self.times, len(size), *size), 16)
        for offsets in drawn:
            places = []
            for axis, n in enumerate(size):
                offset = (offsets[axis].astype(np.intp) * (2 * reach + 1) >> 16) - reach
                place = (
                    np.arange(n).reshape([-1 if other == axis else 1 for other in range(len(size))]) + offset
                )
                place = np.abs(place) % max(2 * n - 2, 1)
                places.append(np.minimum(place, 2 * n - 2 - place))
            values = values[tuple(places)]
        return limited(ndi.gaussian_filter(values, sigmas, mode="mirror"), image.dtype)

"""Where values curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.declaration import step
from offgraph.transforms.filters._derivative import GaussianDerivative

__all__ = ["Laplacian"]


@step
class Laplacian(GaussianDerivative):
    """Take the Laplacian of the smoothed image, the sum of its second derivatives: spots and lines; gives float32.

    A filter step: channels never mix, and unsigned values do not wrap. Exactness: `scipy.ndimage.gaussian_laplace` on each
    channel in float64, rounded once to float32.

    Parameters
    ----------
    sigma : float or (low, high), or one of them for each axis by name
        Standard deviation of the Gaussian in pixels, above 0 along every axis: the size of what is seen.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> ramp = np.arange(0, 180, 20, dtype=np.uint8)[np.newaxis].repeat(9, axis=0)
    >>> round(float(og.Compose([og.Laplacian(1.0)])(image=ramp).image[4, 4]))
    0
    """

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.gaussian_laplace`."""
        values = image.astype(np.float64)
        found = ndi.gaussian_laplace(values, self.sigmas(params, image), mode=self.mode, cval=self.cval)
        return found.astype(np.float32)

"""Weigh neighbours by numbers of your own."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec, SpecT
from offgraph.steps.arrays import NumberArray
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Mode, Number
from offgraph.transforms.filters._plane_kernel import PlaneKernelStep

__all__ = ["Kernel"]


@step
class Kernel(PlaneKernelStep):
    """Replace each value by a weighted sum of its neighbourhood, with weights that you give; the dtype stays.

    A filter step, in the plane of rows and columns, slice by slice in volumes, or in space with weights of three axes; channels
    never mix. The weights lie as they are
    written (a correlation), the middle one on the pixel, and are not scaled. Exactness: `scipy.ndimage.correlate` on each channel
    in float64; integers are rounded half to even and limited to what the dtype holds.

    Parameters
    ----------
    weights : list of lists of float
        Rows of equally many numbers, for volumes slices of rows too, 10,000 numbers at most. Of an even number the middle is the first of the second half.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> emboss = og.Compose([og.Kernel([[-1, 0, 0], [0, 1, 0], [0, 0, 1]])])
    >>> emboss(image=np.array([[10, 10, 10], [10, 10, 90], [10, 90, 90]], np.uint8)).image
    array([[ 10,  90,  90],
           [ 90,  90, 170],
           [ 90, 170, 170]], dtype=uint8)
    """

    weights: NumberArray
    mode: Mode = "reflect"
    cval: Number = 0.0

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; weights of three axes need a volume."""
        if np.ndim(self.weights) > len(spec.spatial):
            raise ValueError(f"weights of 3 axes need a volume, the image has axes {spec.axes}")
        return spec

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """The weights."""
        return np.size(self.weights)

    def kernel(self, params: dict[str, Any]) -> np.ndarray:
        """As given."""
        return np.array(self.weights)

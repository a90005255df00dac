"""Say which measures of its objects a prediction has."""

from __future__ import annotations

from typing import Any, Literal, get_args

from offgraph.core.specs import SpecT
from offgraph.postprocess._describing import DescribingStep
from offgraph.steps.declaration import step
from offgraph.steps.parameters import AxisSize, along_axes

__all__ = ["INTENSITIES", "IN_PLANES", "MEASURES", "Measure", "Measurement"]

Measurement = Literal[
    "area",
    "bbox",
    "centroid",
    "extent",
    "equivalent_diameter_area",
    "perimeter",
    "axis_major_length",
    "axis_minor_length",
    "eccentricity",
    "intensity_mean",
    "intensity_min",
    "intensity_max",
    "intensity_std",
]
MEASURES: tuple[str, ...] = get_args(Measurement)
IN_PLANES = ("perimeter", "axis_major_length", "axis_minor_length", "eccentricity")
"""Measures that volumes do not have."""
INTENSITIES = ("intensity_mean", "intensity_min", "intensity_max", "intensity_std")
"""Measures of the original image's values."""


@step
class Measure(DescribingStep):
    """Say which measures of each object a prediction's table has, and ``objects.csv`` of saved predictions.

    A result step on a label image, which leaves it as it is; it stands after the steps that change labels. The table is
    ``prediction.table``: that of :func:`offgraph.measure`, on the original's grid and of its values. Without this step it has
    all measures, and ``objects.csv`` has area, centroid and box. Exactness: that of :func:`offgraph.measure`.

    Parameters
    ----------
    columns : tuple of str
        Names as in :func:`offgraph.measure`: ``"area"`` and other lengths in pixels of the original; ``"bbox"`` and ``"centroid"``
        stand for all their columns; ``"intensity_mean"`` and its like are statistics of the original's values, with a column per
        channel. Volumes have no ``"perimeter"``, no axes and no ``"eccentricity"``. By default all that the image has.
    sampling : float or mapping
        Size of a pixel of the original, as `scipy.ndimage.distance_transform_edt` takes it: one for all axes, or one for each by
        its name, such as ``{"Z": 2.5, "YX": 0.4}`` in micrometres. Lengths, areas and centroids are in these units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> steps = og.Compose([og.Label(), og.Measure(("area", "intensity_mean"))])
    >>> steps(image=np.array([[1, 0, 1, 1]], np.uint8)).image
    array([[1, 0, 2, 2]], dtype=int32)
    """

    columns: tuple[Measurement, ...] = ()
    sampling: AxisSize = 1.0

    def __post_init__(self) -> None:
        twice = next((name for place, name in enumerate(self.columns) if name in self.columns[:place]), None)
        if twice is not None:
            raise ValueError(f"columns names {twice!r} twice")

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """Return the spec unchanged; refuse measures that a volume does not have."""
        made = super().output_spec(spec, params)
        sides = along_axes("sampling", self.sampling, spec.axes, 1.0)
        if "perimeter" in self.columns and len(set(sides)) > 1:
            raise ValueError(
                f"pixels of {sides} are no squares, and the perimeter is not known: leave it out of columns"
            )
        flat = [name for name in self.columns if name in IN_PLANES]
        if flat and len(spec.axes) == 3:
            raise ValueError(f"a volume has no {', '.join(flat)}: leave it out of columns")
        return made

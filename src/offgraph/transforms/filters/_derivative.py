"""What filters share that give floats from any image: derivatives are negative too, and small."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass as pydantic_dataclass

from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec, SpecT
from offgraph.steps.base import CONFIG
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import Mode, NaturalAxisRange, Number, along_axes

__all__ = ["GaussianDerivative"]


@pydantic_dataclass(frozen=True, repr=False, config=CONFIG)
class GaussianDerivative(FilterStep):
    """A filter of an image smoothed by a Gaussian, which gives float32.

    Parameters
    ----------
    sigma : float or (low, high), or one of them for each axis by name
        Standard deviation of the Gaussian in pixels, above 0 along every axis.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.
    """

    sigma: NaturalAxisRange = 1.0
    mode: Mode = "reflect"
    cval: Number = 0.0

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """float32."""
        return spec.cast("float32")

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """Four standard deviations to each side."""
        return 8 * max(along_axes("sigma", params["sigma"], spec.spatial_names, 0.0)) + 1

    def sigmas(self, params: dict[str, Any], image: np.ndarray) -> list[float]:
        """The drawn standard deviation along each axis of a channel."""
        found = along_axes("sigma", params["sigma"], SPATIAL[-image.ndim :], 0.0)
        if min(found) <= 0:
            raise ValueError(
                f"sigma={params['sigma']}: expected one above 0 for every axis; a derivative needs it"
            )
        return found

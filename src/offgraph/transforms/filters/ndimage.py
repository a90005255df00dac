"""Any filter of scipy.ndimage by its name."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, SpecT
from offgraph.engine.filter_passes import FilterPass
from offgraph.ndimage.filters.passes import extremum_passes, gaussian_passes, median_passes
from offgraph.steps.arrays import NumberArray
from offgraph.steps.base import drawn, varies
from offgraph.steps.declaration import step
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import (
    AxisCount,
    Count,
    Mode,
    NaturalAxisRange,
    NaturalRange,
    Number,
    PositiveNumber,
    Whole,
    along_axes,
)

__all__ = ["Ndimage"]

Function = Literal[
    "binary_closing", "binary_dilation", "binary_erosion", "binary_fill_holes", "binary_opening", "black_tophat",
    "convolve", "correlate", "distance_transform_edt", "gaussian_filter", "gaussian_gradient_magnitude",
    "gaussian_laplace", "grey_closing", "grey_dilation", "grey_erosion", "grey_opening", "laplace", "maximum_filter",
    "median_filter", "minimum_filter", "morphological_gradient", "morphological_laplace", "percentile_filter",
    "prewitt", "rank_filter", "sobel", "uniform_filter", "white_tophat",
]  # fmt: skip
"""Functions that take one array, and give one of the same shape."""

_BORDER = {"mode", "cval"}
_WINDOW = {"size", "footprint", *_BORDER, "origin"}
_BINARY = {"structure", "iterations", "origin"}


def _arguments(name: str) -> set[str]:
    """The parameters that a function takes."""
    match name:
        case "uniform_filter":
            return _WINDOW - {"footprint"}
        case "percentile_filter" | "rank_filter":
            return _WINDOW | {name.removesuffix("_filter")}
        case "median_filter" | "minimum_filter" | "maximum_filter":
            return _WINDOW
        case "gaussian_filter" | "gaussian_gradient_magnitude" | "gaussian_laplace":
            return {"sigma", "truncate", *_BORDER}
        case "sobel" | "prewitt":
            return {"axis", *_BORDER}
        case "convolve" | "correlate":
            return {"weights", *_BORDER, "origin"}
        case "laplace":
            return _BORDER
        case "binary_fill_holes":
            return _BINARY - {"iterations"}
        case "distance_transform_edt":
            return {"sampling"}
    return _BINARY if name.startswith("binary_") else _WINDOW | {"structure"}


_ARGUMENTS = {name: frozenset(_arguments(name)) for name in get_args(Function)}
_SIGNED = {
    "gaussian_gradient_magnitude", "gaussian_laplace", "laplace", "morphological_laplace", "prewitt", "sobel",
}  # fmt: skip
"""Functions whose values, or those in between, lie on both sides of 0."""
_AVERAGES = {
    *_SIGNED, "convolve", "correlate", "gaussian_filter", "morphological_gradient", "uniform_filter",
}  # fmt: skip
_OPTIONAL = (
    "size", "sigma", "footprint", "structure", "weights", "percentile", "rank", "axis", "iterations", "sampling",
    "truncate", "origin",
)  # fmt: skip


@step
class Ndimage(FilterStep):
    """Apply a filter of `scipy.ndimage` by its name, with SciPy's arguments: what has no step of its own.

    A filter step: the function is called on the spatial axes of each channel, so that channels never mix; masks stay as
    they are. Functions that move pixels, that measure, or that take a function are not among them. Exactness: the bytes
    of the function of `scipy.ndimage` on each channel.

    Derivatives of unsigned images, which SciPy lets wrap around below 0, are refused: put ``Rescale(1)`` before it.

    Parameters
    ----------
    function : str
        Its name, such as ``"white_tophat"``. Results have the image's dtype, but bool of ``binary_…`` and float64 of
        ``distance_transform_edt``.
    size : int, or one for each axis by name, optional
        Edge of the window in pixels, at least 1.
    sigma : float or (low, high), or one of them for each axis by name, optional
        Standard deviation in pixels, at least 0.
    footprint : list of rows, optional
        Which pixels of a window count: true or false, or 1 or 0. For volumes slices of rows.
    structure : list of rows, optional
        Structuring element: true or false for ``binary_…``, else what is added to or taken from each pixel.
    weights : list of rows, optional
        Of ``convolve`` and ``correlate``.
    percentile : float or (low, high), optional
        From 0 to 100.
    rank : int, optional
        Which of the values in order is taken, from 0; negative ones count from the largest.
    axis : str, optional
        Along which axis ``sobel`` and ``prewitt`` differentiate, 'Z', 'Y' or 'X'; left out, the last one.
    iterations : int, optional
        How often ``binary_…`` is repeated, from 1.
    sampling : float, or one for each axis by name, optional
        Distance of neighbouring pixels, of ``distance_transform_edt``.
    truncate : float, optional
        Width of a Gaussian's window to each side, in standard deviations; SciPy's 4 where it is left out.
    origin : int, optional
        Pixels by which windows are shifted.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> spots = np.full((9, 9), 50, np.uint8)
    >>> spots[4, 4] = 90
    >>> int(og.Compose([og.Ndimage("white_tophat", size=3)])(image=spots).image.max())
    40
    """

    function: Function
    size: AxisCount | None = None
    sigma: NaturalAxisRange | None = None
    footprint: NumberArray | None = None
    structure: NumberArray | None = None
    weights: NumberArray | None = None
    percentile: NaturalRange | None = None
    rank: Whole | None = None
    axis: Literal["Z", "Y", "X"] | None = None
    iterations: Count | None = None
    sampling: NaturalAxisRange | None = None
    truncate: PositiveNumber | None = None
    origin: Whole | None = None
    mode: Mode = "reflect"
    cval: Number = 0.0

    def __post_init__(self) -> None:
        takes = _ARGUMENTS[self.function]
        given = {name for name in _OPTIONAL if getattr(self, name) is not None}
        given |= {
            name for name, plain in (("mode", "reflect"), ("cval", 0.0)) if getattr(self, name) != plain
        }
        if extra := sorted(given - takes):
            raise ValueError(
                f"{self.function} does not take {', '.join(extra)}; it takes {', '.join(sorted(takes))}"
            )
        needed = {"sigma", "weights", "percentile", "rank"} & takes - given
        windows = {"size", "footprint", "structure"} & takes
        if "size" in takes and self.function != "uniform_filter" and not windows & given:
            needed.add(" or ".join(sorted(windows, reverse=True)))
        if needed:
            raise ValueError(f"{self.function} needs {', '.join(sorted(needed))}")
        if self.percentile is not None and np.max(self.percentile) > 100:
            raise ValueError(f"percentile={self.percentile}: expected at most 100")
        if varies(self.sampling):
            raise ValueError(f"sampling={self.sampling}: expected a number, or one for each axis by name")

    @property
    def averages(self) -> bool:
        """Whether SciPy would compute with true and false as with numbers."""
        return self.function in _AVERAGES

    @property
    def varies(self) -> bool:
        """Where a range is given."""
        return varies(self.sigma) or varies(self.percentile)

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw sigma and percentile, where the function takes them."""
        given = {name: getattr(self, name) for name in ("sigma", "percentile")}
        return {name: drawn(draw, setting) for name, setting in given.items() if setting is not None}

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same, of the dtype that SciPy gives."""
        n, kind = len(spec.spatial), np.dtype(spec.dtype).kind
        for name in ("footprint", "structure", "weights"):
            held = getattr(self, name)
            if held is not None and np.ndim(held) != n:
                raise ValueError(f"{name} has {np.ndim(held)} axes, the image has {n} spatial axes")
        signed = self.function in _SIGNED or (self.weights is not None and np.min(self.weights) < 0)
        if kind == "u" and signed:
            raise ValueError(
                f"{self.function} of {spec.dtype} wraps around below 0; put Rescale(1) before it, which makes floats"
            )
        if self.axis is not None and self.axis not in spec.axes:
            raise ValueError(f"axis={self.axis!r}: the image has axes {spec.axes}")
        if self.function == "distance_transform_edt":
            return spec.cast("float64")
        return spec.cast("bool") if self.function.startswith("binary_") else spec

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """The window, or the line of the widest Gaussian."""
        axes = spec.spatial_names
        if self.sigma is not None:
            return 2 * (self.truncate or 4.0) * max(along_axes("sigma", params["sigma"], axes, 0.0)) + 1
        return math.prod(along_axes("size", self.size, axes, 1)) if self.size is not None else 1

    def _options(self, params: dict[str, Any], axes: str) -> dict[str, Any]:
        """SciPy's arguments."""
        found = {name: getattr(self, name) for name in ("rank", "iterations", "truncate", "origin")}
        found |= {"percentile": params.get("percentile")}
        for name, value in (("size", self.size), ("sigma", params.get("sigma")), ("sampling", self.sampling)):
            found[name] = (
                None if value is None else along_axes(name, value, axes, 0.0 if name == "sigma" else 1)
            )
        is_binary = self.function.startswith("binary_")
        dtypes = {"footprint": bool, "structure": bool if is_binary else np.float64, "weights": np.float64}
        for name, dtype in dtypes.items():
            held = getattr(self, name)
            found[name] = None if held is None else np.array(held).astype(dtype)
        found["axis"] = None if self.axis is None else axes.index(self.axis)
        if "mode" in _ARGUMENTS[self.function]:
            found |= {"mode": self.mode, "cval": self.cval}
        return {name: value for name, value in found.items() if value is not None}

    def passes(self, params: dict[str, Any], spec: ArraySpec) -> tuple[FilterPass, ...] | None:
        """Those of the functions that the native core has."""
        options = self._options(params, spec.spatial_names)
        border = {"mode": self.mode, "cval": self.cval}
        if self.function == "gaussian_filter":
            return gaussian_passes(options["sigma"], truncate=options.get("truncate", 4.0), **border)
        if options.keys() != {"size", *border}:
            return None
        if self.function == "median_filter":
            return median_passes(options["size"], dtype=spec.dtype, **border)
        if self.function in ("minimum_filter", "maximum_filter"):
            largest = self.function == "maximum_filter"
            return extremum_passes(options["size"], dtype=spec.dtype, largest=largest, **border)
        return None

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """The function of `ndimage` with this name."""
        return getattr(ndi, self.function)(image, **self._options(params, SPATIAL[-image.ndim :]))

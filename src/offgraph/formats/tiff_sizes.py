"""Pixel sizes of a TIFF in micrometres, where a microscope's program wrote them: ImageJ, or OME in its XML.

The resolution of any other TIFF is for printing, such as 72 to the inch, and says nothing of what is shown.
"""

from __future__ import annotations

import math
import re
from typing import Any

from offgraph.core.axes import SPATIAL
from offgraph.core.calibration import Calibration

__all__ = ["declared_sizes"]

_X_RESOLUTION, _Y_RESOLUTION = 282, 283
_MICROMETRES = {
    "": 1.0,  # of OME, whose unit is the micrometre unless it is said
    "nm": 1e-3,
    "nanometer": 1e-3,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "inch": 25400.0,
    "in": 25400.0,
    "å": 1e-4,
    "pm": 1e-6,
}
_PIXELS_TAG = re.compile(r"<(?:\w{1,20}:)?Pixels\s([^<>]{0,4096})>")


def declared_sizes(tiff: Any, series: Any, named: str) -> Calibration | None:
    """Return the pixel sizes that a TIFF declares; None where it declares none, or none that can be a size.

    Parameters
    ----------
    tiff : tifffile.TiffFile
    series : tifffile.TiffPageSeries
        The one that is read.
    named : str
        Its axes.
    """
    try:
        found = _of_ome(tiff) if tiff.is_ome else _of_imagej(tiff, series) if tiff.is_imagej else {}
    except Exception:  # of damaged metadata: the pixels are sound all the same
        return None
    spacing = {
        axis: float(f"{side:.9g}")
        for axis, side in found.items()
        if axis in named and axis in SPATIAL and math.isfinite(side) and 1e-30 < side < 1e30
    }
    return Calibration(spacing, "µm") if spacing else None


def _factor(unit: Any) -> float | None:
    text = str(unit or "").strip().strip("\0").replace("\\u00B5", "µ").replace("μ", "µ").lower()
    return _MICROMETRES.get(text.replace("µ", "u").replace("metre", "meter"))


def _of_ome(tiff: Any) -> dict[str, float]:
    """Of the first image in the XML, which is the first series."""
    found = _PIXELS_TAG.search(tiff.ome_metadata or "")
    if found is None:
        return {}
    given = dict(re.findall(r"(PhysicalSize[XYZ](?:Unit)?)\s*=\s*[\"']([^\"']{1,40})[\"']", found[1]))
    sizes = {}
    for axis in SPATIAL:
        factor = _factor(given.get(f"PhysicalSize{axis}Unit", ""))
        if f"PhysicalSize{axis}" in given and factor is not None:
            sizes[axis] = float(given[f"PhysicalSize{axis}"]) * factor
    return sizes


def _of_imagej(tiff: Any, series: Any) -> dict[str, float]:
    """The resolution is in pixels per unit, the distance of slices in units."""
    said = tiff.imagej_metadata or {}
    factor = _factor(said.get("unit")) if said.get("unit") else None
    if factor is None:  # "pixel", or none at all
        return {}
    sizes = {}
    tags = series.pages[0].keyframe.tags
    for axis, tag in (("X", _X_RESOLUTION), ("Y", _Y_RESOLUTION)):
        above, below = tags.valueof(tag) or (0, 1)
        if above:
            sizes[axis] = factor * below / above
    if "spacing" in said:
        sizes["Z"] = factor * abs(float(said["spacing"]))
    return sizes

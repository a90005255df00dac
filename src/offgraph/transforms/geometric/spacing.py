"""Resample to a pixel or voxel size."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.resize import resize_reference
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.resampling import Resampling
from offgraph.steps import ops
from offgraph.steps.declaration import step
from offgraph.steps.parameters import AxisSize, AxisSizeOrFile, PerAxis, along_axes
from offgraph.transforms.geometric._aspect import KernelStep, resize_to

__all__ = ["Spacing"]


@step
class Spacing(KernelStep):
    """Resample to a pixel or voxel size, such as 1 mm: so that a structure has as many pixels in every scan.

    A geometric step. A length of n pixels becomes ``n * given / spacing``, rounded half to even, at least 1; the edges of
    the image stay its edges, so that the pixel size is met but for this rounding. The size before the step is given, and
    the same for all images, or each file's own. Exactness: the bytes of `Resize` to that size, without aliasing;
    masks take the nearest pixel.

    Parameters
    ----------
    spacing : float, or one for each axis by name
        Distance of neighbouring pixels after the step, above 0, in any unit: ``{"Z": 2, "YX": 1}``. Axes that are not
        named keep their length.
    given : float, or one for each axis by name
        The same of the images before the step, in the same unit; needed for the axes that `spacing` names. Or ``"file"``: what the
        file of each image declares, a NIfTI in millimetres, a TIFF of ImageJ or OME in micrometres. The record says what
        it was. An image of a file that declares none is refused. Steps before this one are counted in, unless they bend
        the grid.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Spacing(1.0, given=0.5)])(image=np.zeros((64, 60), np.uint8)).image.shape
    (32, 30)
    """

    spacing: AxisSize
    given: AxisSizeOrFile

    def __post_init__(self) -> None:
        wanted, known = self.spacing, self.given
        if isinstance(known, PerAxis):
            named = "".join(wanted) if isinstance(wanted, PerAxis) else ""
            missing = sorted(set(named) - set("".join(known)), key=SPATIAL.index)
            if missing:
                raise ValueError(
                    f"given={known!r} has no {', '.join(missing)}, which spacing={wanted!r} names"
                )

    @property
    def reads_file(self) -> bool:
        """Where the pixel size is the file's."""
        return self.given == "file"

    @property
    def varies(self) -> bool:
        """Never: a file declares one size."""
        return False

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """The pixel size before the step, where it is the file's."""
        if not self.reads_file:
            return {}
        axes = SPATIAL[-len(spec.size) :]
        wanted = dict(zip(axes, along_axes("spacing", self.spacing, axes, 0.0)))
        named = [axis for axis in axes if wanted[axis]]
        found = draw.target("file")
        if found is None:
            return {"given": {axis: wanted[axis] for axis in named}}
        if missing := [axis for axis in named if axis not in found.spacing]:
            raise ValueError(
                f"given='file': the file does not declare the pixel size along {', '.join(missing)}; write given= as numbers, "
                "such as given={'Z': 2, 'YX': 0.5}"
            )
        return {"given": {axis: found.spacing[axis] for axis in named}}

    def _factors(self, n: int, params: dict[str, Any]) -> list[Fraction]:
        """By how much each length grows; exact, so that no rounding of a quotient decides on a size."""
        axes = SPATIAL[-n:]
        given = params.get("given", self.given)
        wanted, known = (
            along_axes("spacing", self.spacing, axes, 0.0),
            along_axes("given", given, axes, 0.0),
        )
        if missing := [axis for axis, want, now in zip(axes, wanted, known) if want and not now]:
            raise ValueError(f"given={given!r} has no {', '.join(missing)}, an axis of the image")
        return [Fraction(now) / Fraction(want) if want else Fraction(1) for want, now in zip(wanted, known)]

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """Each length times its factor."""
        if 0 in size:
            raise ValueError(f"an image of {size} has no pixels to resize")
        return tuple(max(1, round(n * factor)) for n, factor in zip(size, self._factors(len(size), params)))

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Each length that is known times its factor."""
        if self.reads_file:
            wanted = along_axes("spacing", self.spacing, SPATIAL[-len(size) :], 0.0)
            return tuple(None if want else n for n, want in zip(size, wanted))
        factors = self._factors(len(size), {})
        return tuple(None if n is None else max(1, round(n * factor)) for n, factor in zip(size, factors))

    def map(self, params: dict[str, Any], spec: ArraySpec) -> AffineMap:
        """A half-pixel grid, as `Resize` has it."""
        return resize_to(self.output_size(spec.size, params), self.kernel, self.antialias).map({}, spec)

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """No output pixel reads beyond the border."""
        return resize_to((1, 1), self.kernel, self.antialias).resampling({})

    def lower(self, params: dict[str, Any], spec: ArraySpec) -> tuple[ops.Op, ...]:
        """That of `Resize`."""
        return resize_to(self.output_size(spec.size, params), self.kernel, self.antialias).lower({}, spec)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Two weight matrices; no ndimage function antialiases."""
        size, axes = self.output_size(image.shape, params), tuple(range(image.ndim))
        return resize_reference(image, size, axes=axes, kernel=self.kernel, antialias=self.antialias)

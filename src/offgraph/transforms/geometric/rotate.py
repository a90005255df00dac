"""Rotate in a plane."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec
from offgraph.geometry.affine_map import AffineMap
from offgraph.steps.compiled import CompiledStep, has_known_roundings
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ResampledStep
from offgraph.steps.parameters import Range

__all__ = ["Rotate", "angle_hints", "rotation"]


@step
class Rotate(ResampledStep):
    """Rotate about the centre, as `scipy.ndimage.rotate` does.

    A geometric step. Exactness: the bytes of `scipy.ndimage.rotate` on the spatial axes of each channel.

    Parameters
    ----------
    angle : float or (low, high)
        Degrees. Positive turns counter-clockwise on the screen, SciPy's sign with rows downwards.
    reshape : bool
        Enlarge the output so that all of the image stays inside. Left out, the size stays.
    plane : str
        Two spatial axes of a volume in which to turn, 'YX', 'ZX' or 'ZY'; images have only 'YX'.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Rotate(90)])
    >>> recipe(image=np.array([[1, 2], [3, 4]], np.uint8)).image
    array([[2, 4],
           [1, 3]], dtype=uint8)
    """

    angle: Range
    reshape: bool = False
    plane: Literal["YX", "ZX", "ZY"] = "YX"

    def hints(self) -> list[str]:
        """A small angle that looks like radians."""
        return [*super().hints(), *angle_hints("angle", self.angle)]

    def moved_axes(self, spec: ArraySpec) -> tuple[int, ...]:
        """The two axes of the plane."""
        return tuple(sorted(spec.spatial.index(self._index(spec, name)) for name in self.plane))

    def _index(self, spec: ArraySpec, name: str) -> int:
        if name not in spec.axes:
            raise ValueError(
                f"plane={self.plane!r} needs an axis {name}, the image has the spatial axes {spec.spatial_names}"
            )
        return spec.axes.index(name)

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """The same, or with `reshape` the box around the turned image."""
        if not self.reshape:
            return size
        places = self._places(size)
        result = list(size)
        rows, columns = (size[i] for i in places)
        corners = rotation(params["angle"]) @ np.array([[0, 0, rows, rows], [0, columns, 0, columns]])
        for i, length in zip(places, (np.ptp(corners, axis=1) + 0.5).astype(int)):
            result[i] = int(length)
        return tuple(result)

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The same, or with `reshape` those of the plane where the angle is one number."""
        if not self.reshape:
            return size
        places = self._places(size)
        if isinstance(self.angle, tuple) or any(size[i] is None for i in places):
            return tuple(None if i in places else n for i, n in enumerate(size))
        known = tuple(n if i in places and n is not None else 1 for i, n in enumerate(size))
        turned = self.output_size(known, {"angle": self.angle})
        return tuple(turned[i] if i in places else n for i, n in enumerate(size))

    def _places(self, size: tuple[int | None, ...]) -> list[int]:
        names = SPATIAL[-len(size) :]
        for name in self.plane:
            if name not in names:
                raise ValueError(
                    f"plane={self.plane!r} needs an axis {name}, the image has the spatial axes {names}"
                )
        return [names.index(name) for name in self.plane]

    def map(self, params: dict[str, Any], spec: ArraySpec) -> AffineMap:
        """Turn about the centre of both grids."""
        size = spec.size
        output = self.output_size(size, params)
        places = [spec.spatial.index(self._index(spec, name)) for name in self.plane]
        turn = rotation(params["angle"])
        centre_out = (turn @ np.array([(output[i] - 1) / 2 for i in places])).tolist()
        rows = [(_unit(i, len(size)), 0.0) for i in range(len(size))]
        for i, factors, centre in zip(places, turn.tolist(), centre_out):
            row = [0.0] * len(size)
            row[places[0]], row[places[1]] = factors
            rows[i] = (tuple(row), (size[i] - 1) / 2 - centre)
        return AffineMap.of_rows(tuple(rows), size, output)

    def compiled(self) -> CompiledStep | None:
        """Angle and reshape."""
        return ("rotate", self.angle, self.reshape) if self.plane == "YX" and has_known_roundings() else None

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.rotate` in the plane."""
        names = "ZYX"[-image.ndim :]
        axes = tuple(names.index(name) for name in self.plane)
        return ndi.rotate(
            image, params["angle"], axes=axes, reshape=self.reshape,
            order=self.order, mode=self.mode, cval=self.cval,
        )  # fmt: skip


def rotation(angle: float) -> np.ndarray:
    """Return SciPy's 2 x 2 pull matrix of a turn by degrees; quarter turns are exact."""
    from scipy.special import cosdg, sindg  # takes a quarter of a second to import

    cosine, sine = cosdg(angle), sindg(angle)
    if cosine == sine == 0:  # SciPy's answer where the angle has no digits after the full turns
        raise ValueError(f"an angle of {angle:g} degrees is beyond what float64 can turn by")
    return np.array([[cosine, sine], [-sine, cosine]])


def _unit(axis: int, n: int) -> tuple[float, ...]:
    return tuple([float(i == axis) for i in range(n)])


def angle_hints(name: str, angle: float | tuple[float, float]) -> list[str]:
    """Notice degrees that can only have been meant as radians: below one, or a fraction of pi."""
    given = angle if isinstance(angle, tuple) else (angle,)
    largest = max(abs(value) for value in given)
    parts = largest / (np.pi / 12)
    fraction_of_pi = (
        0.5 < parts < 25
        and 1 <= round(parts) <= 24
        and abs(parts - round(parts)) < 0.012
        and round(largest, 1) != largest
    )
    if not 0 < largest < 1 and not fraction_of_pi:
        return []
    degrees = [f"{np.rad2deg(value):.4g}" for value in given]
    shown = f"({', '.join(degrees)})" if isinstance(angle, tuple) else degrees[0]
    return [
        f"{name}={angle} is in degrees, a rotation that is hardly visible; if it is in radians, write {name}={shown}"
    ]

"""Let the sun shine into the lens."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.counts import CountRange, drawn_count
from offgraph.steps.declaration import step
from offgraph.steps.kinds import NoiseStep
from offgraph.steps.parameters import PerChannel, PositiveNumber, Reach, ShareRange, in_pixels
from offgraph.steps.values import as_dtype, held_range, working_dtype
from offgraph.transforms.noise._light import ColoredStep, color_of, inside

__all__ = ["SunFlare"]


@step
class SunFlare(ColoredStep, NoiseStep):
    """Put a glaring sun into an image, and the ghosts that a lens makes of it; the dtype stays.

    A noise step for images: a sun whose light fades as ``strength * (1 - distance / radius) ** 2``, and disks of one light each
    that lie on the line from the sun through the middle of the image; both mix values with the colour of the light,
    ``value + (color * range - value) * light``, the disks first. Exactness: these expressions by NumPy in float32, in float64 for
    images of float64 and of more than 16 bits; integers are rounded half to even. A record holds the sun and the disks.

    Parameters
    ----------
    radius : float, str or (low, high)
        Of the sun with its halo, in pixels or as a share of the longer side such as ``"40%"``; at least 0.
    strength : float or (low, high)
        Of the light in the middle of the sun, from 0 to 1; 1 hides the image there.
    ghosts : int or (low, high)
        How many disks, from 0 to 100. Each draws a radius of 0.5 % to 5 % of the longer side and a light of 0.05 to 0.2.
    rows, columns : (low, high) or float
        Where the sun stands, in shares of the height and the width.
    color : float or one float per channel
        Of the light, in shares of the range.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.SunFlare("50%", strength=1, ghosts=0, rows=0.5, columns=0.5)])
    >>> recipe(image=np.zeros((1, 9), np.uint8), key=og.Key()).image[0]
    array([  3,  28,  79, 154, 255, 154,  79,  28,   3], dtype=uint8)
    """

    dimensions = (2,)

    radius: Reach = ("30%", "60%")
    strength: ShareRange = (0.7, 1.0)
    ghosts: Annotated[int | tuple[int, int], CountRange(0, 100)] = (4, 8)
    rows: ShareRange = (0.0, 0.5)
    columns: ShareRange = (0.0, 1.0)
    color: PerChannel = 1.0
    range: PositiveNumber | None = None

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the sun, its radius in pixels, then of each ghost how far along the line it lies (1 is the middle of the image), radius and light."""
        sun: dict[str, Any] = {
            "radius": draw.value(in_pixels(self.radius, max(spec.size))),
            "strength": draw.value(self.strength),
        }
        sun["sun"] = [draw.value(self.rows), draw.value(self.columns)]
        count = drawn_count(draw, self.ghosts)
        ends = ((0.2, 2.0), (0.005, 0.05), (0.05, 0.2))
        return {**sun, "ghosts": [[draw.uniform(*pair) for pair in ends] for _ in range(count)]}

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One expression for the disks and one for the sun."""
        top, number, size = (
            held_range(image.dtype.name, self.range),
            working_dtype(image.dtype),
            image.shape[:2],
        )
        values, color = np.clip(image.astype(number), 0, top), color_of(self.color, top, number)
        sun = [inside(place, n) for place, n in zip(params["sun"], size)]
        middle, longer = [(n - 1) / 2 for n in size], max(size)

        def distance(centre: list[float]) -> np.ndarray:
            down, across = (np.arange(n) - at for n, at in zip(size, centre))
            return np.sqrt(np.add.outer(down**2, across**2))

        for along, radius, light in params["ghosts"]:
            disk = distance([a + along * (b - a) for a, b in zip(sun, middle)]) <= radius * longer
            values[disk] += (color - values[disk]) * number(light)
        fading = np.maximum(1 - distance(sun) / max(params["radius"], 1e-9), 0)
        values += (color - values) * (params["strength"] * fading**2).astype(number)[..., np.newaxis]
        return as_dtype(values, image.dtype, top)

"""Split objects that touch, by a second output of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from offgraph import ndimage
from offgraph.core.specs import SpecT
from offgraph.postprocess._labels import Connectivity, neighbours
from offgraph.postprocess._outputs import OutputStep
from offgraph.postprocess._watershed import flooded, renumbered
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Natural, Parsed, Probability, whole
from offgraph.targets.image import Image

__all__ = ["SeededWatershed"]


@dataclass(frozen=True)
class _Channels(Parsed):
    """Numbers of channels, each once and in order."""

    def parse(self, value: Any) -> tuple[int, ...]:
        numbers = [whole(each) for each in (value if isinstance(value, tuple | list) else (value,))]
        found = sorted({number for number in numbers if number is not None and number >= 0})
        if not found or None in numbers or len(found) != len(numbers):
            raise ValueError(
                f"expected a channel, counted from 0, or a list of different ones, got {value!r:.80}"
            )
        return tuple(found)

    def schema(self) -> dict[str, Any]:
        one = {"type": "integer", "minimum": 0}
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}]}


Channels = Annotated[int | Sequence[int], _Channels()]
"""Channels, whose probabilities are added."""


@step
class SeededWatershed(OutputStep):
    """Number objects by one output that says where they are and another that says where each has its middle.

    A result step on a model's output, floats with several channels: those of two outputs, one after the other, or
    the classes background, inside and outline: ``SeededWatershed(mask=(1, 2), seeds=1)``. Connected
    pixels whose seed probability is above `seed_threshold`, and which lie in the foreground, are a seed; every
    foreground pixel goes to the seed that it is joined to over the highest probabilities. Foreground that no seed reaches
    becomes background. Gives int32: 1, 2, 3, …, by their first pixels. NaN is refused. Exactness: `scipy.ndimage.label` of
    the seeds, scikit-image's `watershed`, which is given seeds of one probability in the order of their places; computed
    natively.

    Parameters
    ----------
    mask : int or list of int
        The channel of the foreground's probability, counted from 0; those of several are added.
    seeds : int
        The channel of the seeds' probability; it may be one of the foreground's, with a higher `seed_threshold`.
    threshold : float
        Foreground is above this, from 0 to 1.
    seed_threshold : float
        Seeds are above this, from 0 to 1.
    connectivity : int
        Which pixels are connected: 1 those with a common side, 2 also with a common corner, 3 (volumes) also a common
        corner point.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> where = [0.1, 0.9, 0.9, 0.6, 0.8, 0.9, 0.1, 0.7]
    >>> middle = [0.0, 0.1, 0.9, 0.0, 0.0, 0.8, 0.0, 0.1]
    >>> output = np.stack([where, middle], axis=-1)[np.newaxis].astype(np.float32)
    >>> og.Compose([og.SeededWatershed()])(image=output).image
    array([[0, 1, 1, 1, 2, 2, 0, 0]], dtype=int32)
    """

    numbers_objects = True
    mask: Channels = (0,)
    seeds: Natural = 1
    threshold: Probability = 0.5
    seed_threshold: Probability = 0.5
    connectivity: Connectivity = 1

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """int32 on the axes without the channels."""
        spec, place = super().output_spec(spec, params), spec.axes.find("C")
        if place < 0:
            raise ValueError(
                "takes a channel for the foreground and one for the seeds, the image has no channels"
            )
        count = spec.shape[place]
        if count is not None and max(*self._channels, self.seeds) >= count:
            raise ValueError(
                f"mask={list(self._channels)}, seeds={self.seeds}: the image has {count} channels, counted from 0"
            )
        shape = spec.shape[:place] + spec.shape[place + 1 :]
        return type(spec)(shape, "int32", spec.axes.replace("C", ""))  # type: ignore[arg-type]  # without one axis

    @property
    def _channels(self) -> tuple[int, ...]:
        return self.mask  # type: ignore[return-value]  # as parsed

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Channels last."""
        made = self.output_spec(image.spec)
        lined = np.moveaxis(self.numbers(image), image.axes.index("C"), -1)
        basins = self._basins(ndimage, lined)
        return Image(renumbered(basins, np.zeros(basins.shape, np.uint8)), made.axes)

    def _basins(self, ndi: Any, image: np.ndarray) -> np.ndarray:
        height = sum(image[..., channel] for channel in self._channels[1:]) + image[..., self._channels[0]]
        inside = height > height.dtype.type(self.threshold)
        middles = (image[..., self.seeds] > height.dtype.type(self.seed_threshold)) & inside
        seeds = ndi.label(middles, neighbours(ndi, inside.ndim, self.connectivity))[0]
        return flooded(height, seeds.astype(np.int32), inside, self.connectivity)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Basins by their first pixels; takes all channels, last."""
        basins = self._basins(ndi, image)
        numbers, first = np.unique(basins, return_index=True)
        out = np.zeros(basins.shape, np.int32)
        for number in numbers[np.argsort(first)]:
            if number:
                out[basins == number] = out.max() + 1
        return out

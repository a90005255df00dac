"""Shared by the steps on a model's output as it is: floats, with or without a channel axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import SpecT
from offgraph.steps.kinds import ResultStep
from offgraph.targets.image import Image

__all__ = ["OutputStep", "without_channels"]


class OutputStep(ResultStep):
    """A result step that takes floats: logits, or probabilities."""

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """Return the spec unchanged; refuse whole numbers."""
        if np.dtype(spec.dtype).kind != "f":
            raise ValueError(f"takes a model's output, floats, got {spec.dtype}")
        return spec

    def numbers(self, image: Image) -> np.ndarray:
        """Return the image's values.

        Raises
        ------
        ValueError
            Where one is NaN.
        """
        if np.isnan(image.array).any():
            count = int(np.isnan(image.array).sum())
            raise ValueError(f"{count} of {image.array.size} values are NaN: look for what the model was fed")
        return image.array


def without_channels(spec: SpecT) -> SpecT:
    """Return the spec of a class per pixel: whole numbers on the axes without the channels.

    Raises
    ------
    ValueError
        Where there are no channels.
    """
    place = spec.axes.index("C")
    channels = spec.shape[place]
    if channels == 0:
        raise ValueError("the image has no channels to choose from")
    return type(spec)(
        spec.shape[:place] + spec.shape[place + 1 :],  # type: ignore[arg-type]  # of the same spec, without one axis
        "uint16" if channels is not None and channels > 256 else "uint8",
        spec.axes.replace("C", ""),
    )

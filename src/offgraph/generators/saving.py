"""Batches written to a folder, to be looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offgraph.core.errors import ArgumentError
from offgraph.formats.encoding import encode_jpeg, encode_png, write_bytes

__all__ = ["SaveTo"]

_ENCODERS = {"png": encode_png, "jpg": encode_jpeg, "jpeg": encode_jpeg}


@dataclass(frozen=True)
class SaveTo:
    """Where the images of batches are written, if anywhere.

    Parameters
    ----------
    folder : path or None
    prefix : str
        What file names begin with.
    format : {"png", "jpg", "jpeg"}
    """

    folder: str | os.PathLike[str] | None = None
    prefix: str = ""
    format: str = "png"

    def __post_init__(self) -> None:
        if self.folder is not None and self.format not in _ENCODERS:
            raise ArgumentError(
                f"save_format={self.format!r:.80}: choose one of {', '.join(map(repr, _ENCODERS))}"
            )

    def __call__(
        self, images: np.ndarray, numbers: np.ndarray, seed: int, epoch: int, data_format: str
    ) -> None:
        """Write images, stretched to 0 to 255: ``{prefix}_{number}_{seed}-{epoch}.{format}``."""
        if self.folder is None:
            return
        encode = _ENCODERS[self.format]
        for image, number in zip(images, numbers):
            last = np.moveaxis(image, 0, -1) if data_format == "channels_first" else image
            name = f"{self.prefix}_{number}_{seed}-{epoch}.{self.format}"
            write_bytes(Path(self.folder, name), encode(_shown(last)))


def _shown(image: np.ndarray) -> np.ndarray:
    """An image from its smallest value, black, to its largest, white; uint8."""
    values = image.astype(np.float32) - np.float32(image.min())
    top = values.max()
    if top > 0:
        values *= 255 / top
    shown = np.ascontiguousarray(values.astype(np.uint8))
    return shown[..., 0] if shown.shape[-1] == 1 else shown

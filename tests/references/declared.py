"""What a comparison with another library is, and how it is measured."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

import offgraph as og
from offgraph.steps.base import Step

__all__ = [
    "IMAGES",
    "LIBRARIES",
    "ROWS",
    "Lazy",
    "Measured",
    "Reference",
    "compare",
    "each_channel",
    "version_of",
]

LIBRARIES = {
    "SciPy": ("scipy", "scipy"),
    "scikit-image": ("skimage", "scikit-image"),
    "Pillow": ("PIL", "pillow"),
    "OpenCV": ("cv2", "opencv-python-headless"),
    "Albumentations": ("albumentations", "albumentations"),
    "Keras": ("keras", "keras"),
    "torchvision's formula": ("numpy", "numpy"),
}
"""Each library's module and distribution. The formulas that torchvision documents are written down in NumPy."""

ROWS: list[Reference] = []


class Lazy:
    """A module that is imported where one of its names is first used.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the version that is the newest
            module = importlib.import_module(self._name)
            if hasattr(module, name):
                return getattr(module, name)
            return importlib.import_module(f"{self._name}.{name}")


@dataclass(frozen=True)
class Reference:
    """One comparison.

    Parameters
    ----------
    library : str
        A key of `LIBRARIES`.
    call : str
        What the step is compared with, as one would write it for ``image``, or for each ``channel``.
    step : callable
        Makes the step, or several that are the same together.
    theirs : callable
        Takes an image, and returns what the library makes of it.
    images : tuple of str
        Names of `IMAGES`.
    bound : float
        Largest difference, in the units of the values; 0 is the same bytes of the same type.
    inside : int
        Pixels at the border that are not compared, where the libraries have other rules for it.
    why : str
        Where the difference comes from.
    """

    library: str
    call: str
    step: Callable[[], Step | list[Step]]
    theirs: Callable[[np.ndarray], Any]
    images: tuple[str, ...] = ("photo",)
    bound: float = 0.0
    inside: int = 0
    why: str = ""

    @property
    def steps(self) -> list[Step]:
        """The steps of ours."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", og.OffgraphWarning)
            made = self.step()
        return made if isinstance(made, list) else [made]

    @property
    def name(self) -> str:
        """The step's name, or the names."""
        return ", ".join(dict.fromkeys(step.name for step in self.steps))

    def is_installed(self) -> bool:
        """Whether the library is here."""
        return importlib.util.find_spec(LIBRARIES[self.library][0]) is not None

    def pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield our result and theirs for every image."""
        recipe = og.Compose(self.steps, fuse=False)
        for name in self.images:
            image = IMAGES[name]()
            axes = "YXC"[: image.ndim]
            yield (
                recipe(image=image.copy(), axes=axes, key=og.Key(seed=1)).image,
                np.asarray(self.theirs(image.copy())),
            )

    def measure(self) -> Measured:
        """Compare all images."""
        largest, total, count, equal = 0.0, 0.0, 0, True
        for ours, theirs in self.pairs():
            assert ours.shape == theirs.shape, f"{ours.shape} and {theirs.shape}"
            if self.inside:
                part = (slice(self.inside, -self.inside),) * 2
                ours, theirs = ours[part], theirs[part]
            equal &= ours.dtype == theirs.dtype and ours.tobytes() == np.ascontiguousarray(theirs).tobytes()
            far = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
            largest, total, count = max(largest, float(far.max())), total + float(far.sum()), count + far.size
        return Measured(equal, largest, total / count)


@dataclass(frozen=True)
class Measured:
    """How far two results are apart.

    Parameters
    ----------
    equal : bool
        Whether types and bytes are the same.
    largest, mean : float
        Differences of values.
    """

    equal: bool
    largest: float
    mean: float


def compare(
    library: str, call: str, step: Callable[[], Any], theirs: Callable[[np.ndarray], Any], **more: Any
) -> None:
    """Declare a comparison; see `Reference`."""
    ROWS.append(Reference(library, call, step, theirs, **more))


def each_channel(function: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function of an image that calls another for each of its channels."""
    return lambda image: np.stack(
        [np.asarray(function(np.ascontiguousarray(image[..., c]))) for c in range(image.shape[-1])], -1
    )


def version_of(library: str) -> str:
    """Return the version of a library that is installed; empty for written-down formulas."""
    if library.startswith("torchvision"):
        return ""
    name = LIBRARIES[library][1]
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # OpenCV has several distributions
        return str(importlib.import_module(LIBRARIES[library][0]).__version__)


@cache
def _photo() -> np.ndarray:
    cat = og.imread(Path(__file__).parents[2] / "docs" / "images" / "cat.jpg")
    return np.ascontiguousarray(cat[40:232, 90:346])


def _noise() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (97, 83, 3), np.uint8)


IMAGES: dict[str, Callable[[], np.ndarray]] = {
    "photo": _photo,
    "grey": lambda: np.ascontiguousarray(_photo()[..., 1]),
    "noise": _noise,
    "words": lambda: np.random.default_rng(4).integers(0, 65536, (97, 83, 3), np.uint16),
    "floats": lambda: (_photo() / 255).astype(np.float32),
    "doubles": lambda: _photo() / 255,
    "blobs": lambda: (ndimage.gaussian_filter(np.random.default_rng(8).random((120, 130)), 3) > 0.51).astype(
        np.uint8
    ),
    "probabilities": lambda: np.clip(
        ndimage.gaussian_filter(np.random.default_rng(9).random((120, 130)), 1.5) * 5 - 2, 0, 1
    ),
    "objects": lambda: (np.random.default_rng(5).random((120, 130)) < 0.55).astype(np.uint8),
}
"""Images by name: a photograph of 192 x 256 in bytes and in floats from 0 to 1, its green channel, noise of bytes and of 16 bits,
and objects of random shapes."""

"""How far images that are decoded at another scale are from those that are decoded in full."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from offgraph.core.counting import count_of, spread
from offgraph.core.errors import OffgraphError
from offgraph.core.random import Key
from offgraph.core.threads import get_num_threads
from offgraph.pipeline.workers import ordered_map
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.recipe.layers import Augment
from offgraph.sources import Source, open_source
from offgraph.steps.base import Step

__all__ = ["DecodingError", "decoding_error", "error_of_scaled"]

_IMAGES = 16


@dataclass(frozen=True)
class DecodingError:
    """How far scaled decoding is off, in grey levels: what `decoding_error` measured.

    Parameters
    ----------
    mean : float
        Of the absolute differences of all values.
    most : float
        99.9 % of the differences are at most so large.
    largest : float
    images : int
        How many were compared.
    """

    mean: float
    most: float
    largest: float
    images: int

    def __str__(self) -> str:
        if not self.images:
            return "decode='scaled': no image could be compared with its full decoding"
        found = f"decode='scaled', measured on {count_of(self.images, 'image')}"
        if not self.largest:
            return f"{found}: no difference from full decoding; nothing was decoded at another scale"
        return (
            f"{found}: {self.mean:.2g} grey levels from full decoding on average, 99.9 % of the values within {self.most:g}, "
            f"the largest difference {self.largest:g}"
        )


def decoding_error(
    source: Source | str | os.PathLike[str],
    recipe: Compose | list[Step | Augment] | str | os.PathLike[str],
    *,
    images: int = _IMAGES,
) -> DecodingError:
    """Measure how far ``decode="scaled"`` is from full decoding, on images spread over a source.

    Compared is what a dataset would store: images after the last step that gives integers, with equal draws.

    Parameters
    ----------
    source : Source or path
    recipe : Compose, list of steps, or path
        With any ``decode``.
    images : int
        How many to read; those that cannot be used are left out.

    Returns
    -------
    DecodingError

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import offgraph as og
    >>> ramp = np.repeat(np.arange(256, dtype=np.uint8)[None], 64, axis=0)
    >>> with tempfile.TemporaryDirectory() as photos:
    ...     og.imwrite(f"{photos}/ramp.jpg", np.stack([ramp] * 3, axis=-1))
    ...     found = og.decoding_error(photos, [og.Resize((16, 64))])
    >>> found.largest < 3
    True
    """
    opened = source if isinstance(source, Source) else open_source(source)
    given = as_recipe(recipe)
    scaled = Compose(given.items, fuse=given.fuse, decode="scaled")
    full = Compose(given.items, fuse=given.fuse)

    def differences(index: int) -> np.ndarray | None:
        """How many values differ by each number of levels; None for an image that cannot be used."""
        try:
            targets = opened.read(index).targets
            stop, key = full.stored(targets.image.spec), Key(index=index)
            one, other = (each.run(targets, key, 0, stop).image.astype(np.float64) for each in (scaled, full))
        except OffgraphError:
            return None
        return np.bincount(np.abs(one - other).astype(np.int64).ravel(), minlength=1)

    counts = np.zeros(1, np.int64)
    compared = 0
    chosen = spread(len(opened), images)
    for found in ordered_map(differences, chosen, threads=get_num_threads()):
        if found is not None:
            compared += 1
            longer, shorter = (found, counts) if found.size > counts.size else (counts, found)
            counts = longer.copy()
            counts[: shorter.size] += shorter
    total = int(counts.sum())
    if not total:
        return DecodingError(0.0, 0.0, 0.0, compared)
    levels = np.arange(counts.size)
    most = int(np.searchsorted(np.cumsum(counts), 0.999 * total))
    return DecodingError(
        float((levels * counts).sum() / total), most, int(np.flatnonzero(counts)[-1]), compared
    )


def error_of_scaled(source: Source, recipe: Compose) -> DecodingError | None:
    """Return the error of a recipe that decodes at another scale; None for any other."""
    return decoding_error(source, recipe) if recipe.decode == "scaled" and len(source) else None

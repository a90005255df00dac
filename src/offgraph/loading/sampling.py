"""Which images an epoch holds where they are not to come equally often: by weights, or classes alike.

An epoch stays as long as the source. Its places are dealt to the images in proportion to their weights, by systematic
sampling (Madow, On the theory of systematic sampling, 1949): the weights lie one after another on a line, and n evenly
spaced points with one drawn offset fall on it. So image i comes floor or ceil of ``n * weight[i] / sum(weight)`` times, which
drawing one after another would only give on average. Beforehand the images are brought into an order drawn for the
epoch, with the classes kept together, so that each class too comes as often as its weight says, give or take one.

Balanced, an image weighs 1 / (the number of images that show its rarest class), and images that show none as if all did.
Where each image has one class, all classes come alike. Where images show several, as pixels or objects, each class comes about
as often as the others in images that show nothing rarer; an epoch is neither filled with what nearly every image shows, nor
with the few that show nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from offgraph.core.errors import ArgumentError
from offgraph.core.random import Draw, Key
from offgraph.loading.contents import Contents
from offgraph.pipeline.order import Order

__all__ = ["REPEATED", "Sampling", "parse_sampling"]

REPEATED = 1 << 32
"""Added to the epoch of an image's address each time that it comes again in an epoch."""


@dataclass(frozen=True, eq=False)
class Sampling:
    """How often each image comes in an epoch.

    Parameters
    ----------
    weights : float64, (n,)
    groups : int64, (n,)
        Numbers of the classes, which are kept together; zeros where there are none.
    """

    weights: np.ndarray
    groups: np.ndarray

    @cached_property
    def digest(self) -> str:
        """Digest of the weights."""
        return hashlib.sha256(self.weights.tobytes() + self.groups.tobytes()).hexdigest()

    def order(self, seed: int, epoch: int, shuffled: bool) -> SampledOrder:
        """Return the order of an epoch."""
        return SampledOrder(self, Order(len(self.weights), seed, epoch, shuffled))


@dataclass(frozen=True, eq=False)
class SampledOrder:
    """The order of an epoch in which images come as often as their weights say.

    Parameters
    ----------
    sampling : Sampling
    places : Order
        Of the places of the epoch.
    """

    sampling: Sampling
    places: Order

    @cached_property
    def _picked(self) -> tuple[np.ndarray, np.ndarray]:
        """Images of an epoch, equal ones together, and which time each comes, from 0."""
        count, seed, epoch = len(self.sampling.weights), self.places.seed, self.places.epoch
        line = Order(count, seed ^ _LINE, epoch, True).numbers(np.arange(count))
        line = line[np.argsort(self.sampling.groups[line], kind="stable")]
        ends = np.cumsum(self.sampling.weights[line])
        offset = Draw(Key(seed, epoch), "sampling").uniform(0, 1)
        points = (np.arange(count) + offset) * (ends[-1] / count)
        last = int(np.searchsorted(ends, ends[-1]))  # rounding must not lead beyond it
        found = np.minimum(np.searchsorted(ends, points, "right"), last)
        return line[found], np.arange(count) - np.searchsorted(found, found, "left")

    def numbers(self, places: np.ndarray) -> np.ndarray:
        """Return the images at places of the epoch."""
        return self._picked[0][self.places.numbers(places)]

    def epochs(self, places: np.ndarray) -> list[int]:
        """Return the epoch of the address of each image: one that comes again is drawn anew."""
        times = self._picked[1][self.places.numbers(places)]
        return [self.places.epoch + REPEATED * time for time in times.tolist()]


_LINE = int.from_bytes(hashlib.blake2b(b"offgraph sampling", digest_size=8).digest(), "little")
"""Keeps the order of the line apart from the order of the epoch."""


def parse_sampling(given: Any, contents: Callable[[], Contents | None], count: int) -> Sampling | None:
    """Return what a loader's argument asks for; None where images come once each.

    Parameters
    ----------
    given
        None, "balanced", or a weight for each image.
    contents : callable
        Gives the classes of the images; None for a source without classes. Called for "balanced" alone.
    count : int
        Number of images.

    Raises
    ------
    ArgumentError
    """
    if given is None:
        return None
    if isinstance(given, str):
        if given != "balanced":
            raise ArgumentError(f"sampling={given!r:.80}: give 'balanced', or a weight for each image")
        found = contents()
        if found is None:
            raise ArgumentError(
                "sampling='balanced' is for sources with classes, of images, pixels or objects; give weights, or leave it out"
            )
        rarest, shown_by = found.rarest()
        return Sampling(1 / shown_by, rarest)
    try:
        weights = np.array(given, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"sampling={given!r:.80}: give 'balanced', or a weight for each image") from None
    if weights.shape != (count,):
        raise ArgumentError(
            f"sampling: there are {count:,} images, and the weights have the shape {weights.shape}"
        )
    if not np.isfinite(weights).all() or weights.min() < 0 or not 0 < weights.sum() < np.inf:
        wrong = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
        where = f"that of image {wrong[0]} is {weights[wrong[0]]}" if wrong.size else "none is above 0"
        raise ArgumentError(f"sampling: {where}; give finite weights of at least 0, and not 0 alone")
    return Sampling(weights, np.zeros(count, np.int64))

"""Maps that stretch an image along the rays from a centre: the distortion of a lens."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.geometry.base import box_of, finite_array, numbers, pixel_axes, whole_size
from offgraph.geometry.inverse_map import NumericMap

__all__ = ["RadialMap"]

_MOST_TURNS = 80
"""Steps of the search for a radius; a bisection alone has all bits of a float64 after 60."""


@dataclass(frozen=True, eq=False)
class RadialMap(NumericMap):
    """Output pixel → input pixel: ``input = centre + (output - centre) * (1 + k1 * q + k2 * q**2 + …)``.

    q is the squared distance of the output pixel from the centre, divided by ``radius**2``.

    Parameters
    ----------
    coefficients : array_like of float64, shape (m,)
        k1, k2, …; one at least, eight at most.
    centre : array_like of float64, shape (n,)
        In pixels.
    radius : float
        The distance in pixels that counts as 1; above 0.
    input_size, output_size : tuple of int
        Spatial lengths of the image before and after.

    Raises
    ------
    OffgraphError
        For other shapes, a radius that is not above 0, or numbers that are not finite.

    Notes
    -----
    Strong negative coefficients fold the image outside some distance. Of an input point that the fold covers there is
    no one place: `forward` and the inverse give NaN. What folds outside the output's rectangle is not looked at.

    Examples
    --------
    >>> barrel = RadialMap((0.5,), (4, 4), 4, (9, 9), (9, 9))
    >>> barrel([[4, 4], [4, 8], [4, 6]])
    array([[ 4.  ,  4.  ],
           [ 4.  , 10.  ],
           [ 4.  ,  6.25]])
    """

    coefficients: np.ndarray
    centre: np.ndarray
    radius: float
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]

    kind: ClassVar[str] = "radial"

    def __post_init__(self) -> None:
        coefficients = finite_array(self.coefficients, "a radial map")
        centre, radius = finite_array(self.centre, "a radial map"), finite_array(self.radius, "a radial map")
        sizes = whole_size(self.input_size), whole_size(self.output_size)
        n = len(sizes[0])
        if (
            coefficients.ndim != 1
            or not 1 <= len(coefficients) <= 8
            or centre.shape != (n,)
            or len(sizes[1]) != n
        ):
            raise OffgraphError(
                f"a radial map between sizes {sizes[0]} and {sizes[1]} needs 1 to 8 coefficients and a centre of {n} "
                f"coordinates; got {coefficients.shape} and {centre.shape}"
            )
        if radius.shape != () or not radius > 0:
            raise OffgraphError(f"a radial map needs a radius above 0, got {self.radius!r:.80}")
        names = ("coefficients", "centre", "radius", "input_size", "output_size")
        for name, value in zip(names, (coefficients, centre, float(radius), *sizes)):
            object.__setattr__(self, name, value)

    def _factor(self, squared: np.ndarray) -> np.ndarray:
        """``1 + k1 * q + k2 * q**2 + …`` by Horner's rule."""
        *lower, highest = self.coefficients.tolist()
        result: Any = highest * squared
        for k in lower[::-1]:
            result += k
            result *= squared
        result += 1.0
        return result

    def _squared(self, away: Iterable[np.ndarray]) -> np.ndarray:
        """The squared distance of each point, in radii."""
        squared: Any = sum(along * along for along in away)
        return squared / np.float64(self.radius * self.radius)

    def _away(self, components: np.ndarray) -> np.ndarray:
        return components - self.centre.reshape(-1, *[1] * (components.ndim - 1))

    def pull(self, components: np.ndarray) -> np.ndarray:
        """Stretch the way from the centre."""
        away = self._away(components)
        centre = self.centre.reshape(-1, *[1] * (components.ndim - 1))
        return centre + away * self._factor(self._squared(away))

    def pull_pixels(self) -> np.ndarray:
        """Those of `pull`, with the squares along each axis made once."""
        away = [along - middle for along, middle in zip(pixel_axes(self.output_size), self.centre.tolist())]
        factor = self._factor(self._squared(away))
        result = np.empty((len(away), *self.output_size))
        for along, middle, to in zip(away, self.centre.tolist(), result):
            np.multiply(along, factor, out=to)
            to += middle
        return result

    def jacobian_components(self, components: np.ndarray) -> np.ndarray:
        """``factor * identity + 2 * factor' * away @ away.T / radius**2``."""
        away = self._away(components)
        squared = self._squared(away)
        slope = np.zeros(squared.shape)
        for power, k in reversed(list(enumerate(self.coefficients.tolist(), 1))):
            slope = slope * squared + power * k
        result = away[:, np.newaxis] * away[np.newaxis] * (2 * slope / self.radius**2)
        for i in range(len(away)):
            result[i, i] += self._factor(squared)
        return result

    @functools.cached_property
    def _limits(self) -> tuple[float, float]:
        """The distance, in radii, at which the map begins to fold, and the input distance that folded parts reach.

        Input points nearer than the second have one place, nearer than the first. Both may be infinite.
        """
        # r * factor(r * r) as a polynomial in r, lowest power first.
        stretched = np.zeros(2 * len(self.coefficients) + 2)
        stretched[1] = 1
        stretched[3::2] = np.where(
            np.abs(self.coefficients) < 1e-18, 0, self.coefficients
        )  # they turn out of sight
        stretched = np.trim_zeros(stretched, "b")
        polynomial = np.polynomial.Polynomial(stretched)
        turns = polynomial.deriv().roots()
        turns = np.sort(turns[(np.abs(turns.imag) < 1e-9) & (turns.real > 0)].real)
        if not turns.size:
            return np.inf, np.inf
        start, stop = np.zeros(self.ndim), np.maximum(np.array(self.output_size) - 1.0, 0)
        farthest = float(
            np.sqrt((np.maximum(np.abs(start - self.centre), np.abs(stop - self.centre)) ** 2).sum())
        )
        first, last = float(turns[0]), farthest / self.radius
        reached = float(polynomial(first))
        if last > first:
            zeros = polynomial.roots()
            zeros = zeros[(np.abs(zeros.imag) < 1e-9) & (zeros.real > first) & (zeros.real <= last)]
            inner = [*turns[(turns > first) & (turns < last)].tolist(), last]
            reached = 0.0 if zeros.size else min(reached, *(abs(float(polynomial(r))) for r in inner))
        return first, reached

    def curvature_within(self, farthest: float) -> float:
        """A bound in the maximum norm on the second derivatives, up to a distance from the centre in pixels."""
        n, q = self.ndim, (farthest / self.radius) ** 2
        total = 0.0
        for power, k in enumerate(np.abs(self.coefficients).tolist(), 1):
            # q**power * away[i], derived twice; the sum of |away| is at most sqrt(n) * farthest.
            mixed = 4 * power * (power - 1) * n * q ** (power - 1) + 2 * power * n * q ** (power - 1)
            total += k * (mixed + 4 * power * math.sqrt(n) * q ** (power - 1)) * farthest / self.radius**2
        return total

    def push(self, components: np.ndarray) -> np.ndarray:
        """The place on the same ray, by Newton's steps within a bracket that halves; NaN where there is not just one."""
        away = self._away(np.asarray(components, np.float64))
        goal = np.sqrt(self._squared(away))
        fold, reached = self._limits
        with np.errstate(invalid="ignore"):
            lost = ~(goal < reached)
        goal = np.where(lost, 0.0, goal)
        low = np.zeros(goal.shape)
        high = np.full(goal.shape, fold) if np.isfinite(fold) else np.maximum(2 * goal, 1.0)
        for _ in range(_MOST_TURNS if np.isinf(fold) else 0):
            short = high * self._factor(high * high) < goal
            if not short.any():
                break
            high = np.where(short, 2 * high, high)
        lost |= high * self._factor(high * high) < goal
        goal = np.where(lost, 0.0, goal)
        place = np.clip(goal, low, high)
        for _ in range(_MOST_TURNS):
            squared = place * place
            rest = place * self._factor(squared) - goal
            low, high = np.where(rest < 0, place, low), np.where(rest > 0, place, high)
            slope = self._factor(squared)
            for power, k in enumerate(self.coefficients.tolist(), 1):
                slope = slope + 2 * power * k * squared**power
            with np.errstate(divide="ignore", invalid="ignore"):
                following = place - rest / slope
            inside = (following > low) & (following < high)
            following = np.where(rest == 0, place, np.where(inside, following, (low + high) / 2))
            settled = np.abs(following - place) <= 1e-15 * np.maximum(1.0, place)
            place = following
            if settled.all():
                break
        result = away / self._factor(place * place) + self.centre.reshape(-1, *[1] * (away.ndim - 1))
        result[:, lost] = np.nan
        return result

    def bounds(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The box about the centre, stretched by the largest factor that any point of it may have."""
        start, stop = box_of(self, low, high)
        sides = np.stack([start - self.centre, stop - self.centre])
        farthest = (np.abs(sides).max(axis=0) ** 2).sum() / self.radius**2
        powers = farthest ** np.arange(1, len(self.coefficients) + 1)
        least = 1 + np.minimum(self.coefficients * powers, 0).sum()
        most = 1 + np.maximum(self.coefficients * powers, 0).sum()
        ends = np.concatenate([sides * least, sides * most]) + self.centre
        return ends.min(axis=0), ends.max(axis=0)

    def fields(self) -> dict[str, Any]:
        """Coefficients, centre and radius."""
        return {
            "coefficients": self.coefficients.tolist(),
            "centre": self.centre.tolist(),
            "radius": self.radius,
        }

    @classmethod
    def from_fields(cls, data: dict[str, Any]) -> Self:
        """Read them."""
        return cls(
            numbers(data["coefficients"], 8),
            numbers(data["centre"], 8),
            numbers(data["radius"], 1),
            tuple(data["input_size"]),
            tuple(data["output_size"]),
        )

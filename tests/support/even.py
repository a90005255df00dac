"""Whether many drawn values are spread as a step says they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import offgraph as og
from offgraph.core.random import Draw

__all__ = ["drawn", "is_even", "is_even_among"]


def drawn(
    step: og.Step, of: Callable[[dict[str, Any]], Any], size: tuple[int, ...] = (40, 60), count: int = 4000
) -> np.ndarray:
    """What a step draws for that many images, one value of each."""
    spec = og.ArraySpec(size, "uint8", "ZYX"[-len(size) :])
    return np.array(
        [of(step.sample(Draw(og.Key(seed=5, index=index), "step"), spec)) for index in range(count)]
    )


def is_even(values: Any, low: float, high: float) -> bool:
    """Whether values spread evenly from low to high: Kolmogorov's and Smirnov's distance, exceeded once in 1000 times."""
    places = (np.sort(np.asarray(values, float)) - low) / (high - low)
    n = len(places)
    return bool(
        np.abs(places - (np.arange(n) + 0.5) / n).max() < 1.95 / np.sqrt(n)
        and places[0] >= 0
        and places[-1] <= 1
    )


def is_even_among(values: Any, choices: Iterable[Any]) -> bool:
    """Whether values are all choices, each within four standard deviations of its share."""
    choices, values = list(choices), list(values)
    n, share = len(values), 1 / len(choices)
    slack = 4 * np.sqrt(n * share * (1 - share))
    counts = [values.count(choice) for choice in choices]
    return sum(counts) == n and all(abs(count - n * share) <= slack for count in counts)

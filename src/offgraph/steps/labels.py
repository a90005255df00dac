"""Labels of a mask as step parameters, and where a mask shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from offgraph.steps.parameters import Parsed
from offgraph.targets.mask import Mask

__all__ = ["Labels", "shown"]

_LOWEST, _HIGHEST = -(1 << 63), (1 << 64) - 1


@dataclass(frozen=True)
class _Labels(Parsed):
    """One whole number or several, each once and in order."""

    def parse(self, value: Any) -> tuple[int, ...]:
        given = value if isinstance(value, tuple | list | np.ndarray) else (value,)
        numbers = [number.item() if isinstance(number, np.generic) else number for number in given]
        if not all(type(number) is int and _LOWEST <= number <= _HIGHEST for number in numbers):
            raise ValueError(f"expected a label of a mask, or a list of labels, got {value!r:.80}")
        return tuple(sorted(set(numbers)))

    def schema(self) -> dict[str, Any]:
        one = {"type": "integer"}
        return {"anyOf": [one, {"type": "array", "items": one}]}


Labels = Annotated[int | Sequence[int], _Labels()]
"""Labels of a mask."""


def shown(mask: Mask, labels: Labels | None, ignore: Labels) -> np.ndarray:
    """Return where a mask shows certain labels, on its spatial axes.

    Parameters
    ----------
    mask : Mask
    labels : tuple of int or None, as parsed
        None for all but 0.
    ignore : tuple of int
        Labels that do not count.

    Returns
    -------
    ndarray of bool
        With further axes of the mask, such as a channel for each class, joined by `any`.
    """
    array: Any = mask.array
    found: Any = array != 0 if labels is None else _among(array, labels)
    if ignore:
        found &= ~_among(array, ignore)
    others = tuple(axis for axis in range(array.ndim) if axis not in mask.spec.spatial)
    return found.any(axis=others) if others else found


def _among(array: np.ndarray, labels: Labels) -> np.ndarray:
    """As ``numpy.isin``, but a label that the dtype does not hold is nowhere, and no dtype is widened to float."""
    low, high = (0, 1) if array.dtype.kind == "b" else (np.iinfo(array.dtype).min, np.iinfo(array.dtype).max)
    return np.isin(
        array,
        np.array(
            [label for label in np.atleast_1d(np.array(labels, object)) if low <= label <= high], array.dtype
        ),
    )

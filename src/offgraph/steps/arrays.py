"""Small arrays as step parameters: windows, structuring elements and weights, as nested lists of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from offgraph.steps.parameters import Parsed

__all__ = ["MAX_ENTRIES", "NumberArray"]

MAX_ENTRIES = 10_000
"""Most numbers of an array in a recipe: a window of 100 x 100."""


@dataclass(frozen=True)
class _NumberArray(Parsed):
    """Rows of numbers, or slices of rows, as nested tuples; true and false become 1 and 0."""

    def parse(self, value: Any) -> tuple[Any, ...]:
        says = (
            "expected rows of numbers, such as [[0, 1, 0], [1, 1, 1], [0, 1, 0]], for volumes slices of rows"
        )
        if not isinstance(value, tuple | list | np.ndarray):
            raise ValueError(f"{says}, got {value!r:.80}")
        try:
            array = np.array(value)
        except ValueError:
            array = np.array("rows of different lengths")
        if array.dtype.kind not in "biuf" or array.ndim not in (2, 3) or not np.isfinite(array).all():
            raise ValueError(f"{says}, got {value!r:.80}")
        if not 0 < array.size <= MAX_ENTRIES:
            raise ValueError(f"expected 1 to {MAX_ENTRIES:,} numbers, got {array.size:,}")
        return _as_tuples((array.astype(np.float64) + 0.0).tolist())

    def schema(self) -> dict[str, Any]:
        rows = {"type": "array", "items": {"type": ["number", "boolean"]}, "minItems": 1}
        plane = {"type": "array", "items": rows, "minItems": 1}
        return {"anyOf": [plane, {"type": "array", "items": plane, "minItems": 1}]}


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


NumberArray = Annotated[tuple[Any, ...], _NumberArray()]
"""Rows of numbers, or slices of rows: one axis for each spatial axis of the image."""

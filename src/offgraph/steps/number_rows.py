"""Rows of numbers as step parameters: the weights of a window, the values of a curve for each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from offgraph.steps.parameters import Parsed, finite_number

__all__ = ["NumberRows"]


@dataclass(frozen=True)
class NumberRows(Parsed):
    """Rows of equally many finite numbers.

    Parameters
    ----------
    says : str
        What they are, for errors.
    most : int
        Most numbers in all.
    """

    says: str
    most: int

    def parse(self, value: Any) -> tuple[tuple[float, ...], ...]:
        """Return a tuple of tuples."""
        rows = [
            [finite_number(part) for part in row] if isinstance(row, tuple | list | np.ndarray) else []
            for row in (value if isinstance(value, tuple | list | np.ndarray) else [])
        ]
        lengths = {len(row) for row in rows}
        if len(lengths) != 1 or lengths == {0} or any(None in row for row in rows):
            raise ValueError(f"expected {self.says}: rows of equally many numbers, got {value!r:.80}")
        if len(rows) * len(rows[0]) > self.most:
            raise ValueError(
                f"expected {self.says}, at most {self.most:,} numbers, got {len(rows)} x {len(rows[0])}"
            )
        return tuple(tuple(number for number in row if number is not None) for row in rows)

    def schema(self) -> dict[str, Any]:
        """JSON Schema."""
        row = {"type": "array", "items": {"type": "number"}, "minItems": 1}
        return {"type": "array", "items": row, "minItems": 1}

"""How many, in words, and a few of many."""

from __future__ import annotations

import math
from decimal import Decimal

__all__ = ["count_of", "number_text", "spread"]

_IN_FULL = 10**15
"""Whole numbers below are written digit by digit; of larger ones nobody reads more than the first three."""


def count_of(number: int, what: str, several: str | None = None) -> str:
    """Say how many: ``"1 image"``, ``"2 images"``, ``"12,000 images"``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {several or what + 's'}"


def number_text(number: float) -> str:
    """Say a whole number, of whatever size: ``"1,048,576"``, ``"8.00e+300"``, ``"inf"``."""
    is_short = abs(number) < _IN_FULL or abs(number) == math.inf
    return f"{number:,.0f}" if is_short else f"{Decimal(number):.2e}"


def spread(count: int, most: int) -> list[int]:
    """Numbers of a few things spread evenly over many, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})

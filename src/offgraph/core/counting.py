"""How many, in words, and a few of many."""

from __future__ import annotations

__all__ = ["count_of", "spread"]


def count_of(number: int, what: str, several: str | None = None) -> str:
    """Say how many: ``"1 image"``, ``"2 images"``, ``"12,000 images"``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {several or what + 's'}"


def spread(count: int, most: int) -> list[int]:
    """Numbers of a few things spread evenly over many, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})

"""The table of Albumentations' steps; each file beside this one enters its own."""

from __future__ import annotations

from offgraph.migration.arguments import Arguments
from offgraph.migration.tables import Table

__all__ = ["TABLE", "limits", "odd_sizes", "shares"]

TABLE = Table("albumentations", "Albumentations", p=0.5)


def limits(
    a: Arguments, name: str, default: object, *, about: float = 0.0, scale: float = 1.0
) -> tuple[float, float]:
    """Return a range: of a number from minus it to it, both moved by `about`, and multiplied by `scale`.

    Albumentations' ``to_tuple``: a pair is a range as it is, so `about` is added to both.
    """
    low, high = a.pair(name, default, about=0)
    return (about + low) * scale, (about + high) * scale


def shares(pair: tuple[float, float]) -> tuple[str, str]:
    """Return a range of shares of an axis as percentages."""
    low, high = pair
    return f"{100 * low:.12g}%", f"{100 * high:.12g}%"


def odd_sizes(a: Arguments, name: str, default: object, *, least: int = 3) -> list[int]:
    """Return the odd sizes of windows that are drawn from; a number is the largest of them."""
    value = a.get(name, default)
    low, high = (
        (least, a.whole(name))
        if isinstance(value, int) and not isinstance(value, bool)
        else a.pair(name, default)
    )
    low, high = max(int(low), least), int(high)
    sizes = range(low + (low % 2 == 0), high + 1, 2)
    if not sizes or high > 999:
        a.refuse(name, f"odd sizes from {least} to 999", value)
    if len(sizes) > 25:
        sizes = sizes[:: -(-len(sizes) // 25)]
        a.differs(f"{name}: of the sizes that are drawn each {sizes[1] - sizes[0]} pixels one is left")
    return list(sizes)

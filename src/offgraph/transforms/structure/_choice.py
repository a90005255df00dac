"""What steps share that choose among others: each is as likely as its `p` is large beside that of the others."""

from __future__ import annotations

from collections.abc import Sequence

from offgraph.core.random import Draw

__all__ = ["choose"]


def choose(weights: Sequence[float], draw: Draw) -> int:
    """Draw a position; each with the share of its weight, of which one at least is above 0."""
    aim, reached, found = draw.uniform(0.0, sum(weights)), 0.0, 0
    for place, weight in enumerate(weights):
        if weight > 0:
            found, reached = place, reached + weight
            if aim < reached:
                break
    return found

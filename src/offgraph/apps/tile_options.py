"""Options of `offgraph predict` about tiles."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from offgraph.core.choices import Blend

__all__ = ["BlendOption", "OverlapOption", "TilesOption", "numbers"]

TilesOption = Annotated[
    str | None,
    typer.Option(
        "--tiles",
        help="Run the model on tiles of this size, such as 512,512: masks of images that it does not take whole.",
    ),
]
OverlapOption = Annotated[
    str,
    typer.Option(
        "--overlap", help="Pixels that tiles share; auto: twice as many as the model looks to each side."
    ),
]
BlendOption = Annotated[Blend, typer.Option("--blend", help="How tiles that share pixels are averaged.")]


def numbers(text: str | None) -> Any:
    """One number, or several with commas, as numbers; `offgraph.predict` refuses other texts."""
    parts = [] if text is None else [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or not parts:
        return text
    return int(parts[0]) if len(parts) == 1 else tuple(map(int, parts))

"""Arguments and options that commands have in common, and text made safe for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from offgraph.core.choices import Color, OnError

__all__ = [
    "AsJson",
    "ColorOption",
    "MaxBad",
    "OnErrorOption",
    "RecipeFile",
    "Seed",
    "Source",
    "Strict",
    "Workers",
    "for_terminal",
]

Source = Annotated[
    Path,
    typer.Argument(help="A folder of images (flat, or a folder for each class), or a CSV with path,label."),
]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", "-r", help="The recipe, a YAML or JSON file.")]
ColorOption = Annotated[Color, typer.Option(help="rgb: always three channels; grey: one; keep: as stored.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")]
Seed = Annotated[int, typer.Option(min=0, max=2**64 - 1, help="The seed of every draw.")]
OnErrorOption = Annotated[OnError, typer.Option(help="List a bad file and continue, or stop at it.")]
MaxBad = Annotated[
    str,
    typer.Option(help="Bad files that are tolerated: a share such as 5%, or a number. One more: status 1."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]
Strict = Annotated[bool, typer.Option(help="Exit with status 3 when files were set aside.")]


def for_terminal(text: object) -> str:
    """Lines of text, safe for a terminal: file names may hold control characters."""
    from offgraph.sources.names import printable

    return "\n".join(printable(line) for line in str(text).split("\n"))

"""Options of `offgraph predict` about tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from offgraph.core.choices import Blend

__all__ = ["BlendOption", "OverlapOption", "TilesOption", "is_mask_file", "numbers", "predict_to_file"]

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


def is_mask_file(out: Path) -> bool:
    """Whether an output is one mask, and no folder."""
    return out.suffix.lower() in (".npy", ".tif", ".tiff") and not out.is_dir()


def predict_to_file(predictor: Any, source: Path, out: Path, axes: str | None) -> str:
    """Predict one image tile by tile into a file, with a progress bar; return what to say."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("predicting", total=1.0)
        made = predictor.to_file(
            source, out, axes=axes, progress=lambda share: bar.update(task, completed=share)
        )
    size = " × ".join(map(str, made.shape))
    return (
        f"predicted {made.tiles:,} tiles{', going on with an earlier run' if made.resumed else ''}: {made.path}\n"
        f"{size} pixels, {made.dtype}, labels up to {made.highest:,}"
    )

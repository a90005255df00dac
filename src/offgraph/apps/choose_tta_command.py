"""`offgraph choose-tta`: whether variants of images make a saved model's answers better."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from offgraph.apps.arguments import AsJson
from offgraph.apps.model_options import ModelFile, load_model

__all__ = ["choose_tta"]


def choose_tta(
    model: ModelFile,
    source: Annotated[
        Path,
        typer.Argument(
            help="Validation images whose classes, labels, masks or boxes are known: a folder or a CSV; not those that were trained on."
        ),
    ],
    candidates: Annotated[
        str, typer.Option(help="What is tried, of none, mirrored, flips and d4.")
    ] = "none,mirrored,flips,d4",
    as_json: AsJson = False,
    *,
    asking: dict[str, Any],
    reading: dict[str, Any],
) -> None:
    """Choose test-time augmentation by validation images: none, unless one of the candidates is better by evidence."""
    from rich.console import Console

    import offgraph as og
    from offgraph.core.tables import dumps

    choice = og.choose_tta(
        load_model(model),
        source,
        candidates=[name.strip() for name in candidates.split(",") if name.strip()],
        **asking,
        **reading,
    )
    if as_json:
        typer.echo(dumps(choice.to_json(), indent=1))
    else:
        choice.render(Console())

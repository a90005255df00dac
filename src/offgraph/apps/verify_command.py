"""`offgraph verify`: whether a dataset is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from offgraph.apps.arguments import AsJson, for_terminal

__all__ = ["verify"]


def verify(
    dataset: Annotated[Path, typer.Argument(help="The folder of a dataset that offgraph build made.")],
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; by default one per processor.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare every byte of a dataset's examples with its digest; status 3 where something is damaged."""
    import offgraph as og
    from offgraph.core.tables import dumps

    opened = og.BuiltDataset(dataset)
    damaged = opened.verify(threads=threads)
    if as_json:
        typer.echo(dumps({"examples": len(opened), "damaged": list(damaged)}, indent=1))
    else:
        for text in damaged:
            typer.echo(for_terminal(text))
        if not damaged:
            typer.echo(for_terminal(f"{dataset}: {len(opened):,} examples, as it was written"))
    if damaged:
        raise typer.Exit(3)

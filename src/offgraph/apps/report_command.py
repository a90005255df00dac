"""`offgraph report`: where a model is wrong, on a page and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from offgraph.apps.arguments import AsJson, Strict, for_terminal
from offgraph.apps.model_options import ModelFile, load_model
from offgraph.apps.shared_options import writable_file

__all__ = ["report"]


def report(
    model: ModelFile,
    source: Annotated[
        Path,
        typer.Argument(
            help="Images whose classes, labels, numbers, masks or boxes are known: a folder or a CSV."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="The HTML page to write; NAME.json is written beside it.",
            callback=writable_file,
        ),
    ] = Path("report.html"),
    against: Annotated[
        Path | None,
        typer.Option(help="A recipe of other result steps, whose objects are scored beside the model's own."),
    ] = None,
    instances: Annotated[
        bool | None,
        typer.Option(
            "--instances/--no-instances", help="Whether true masks number objects; by default they show it."
        ),
    ] = None,
    shown: Annotated[int, typer.Option(min=1, help="Mistakes to show, and objects.")] = 24,
    occlusion: Annotated[
        int, typer.Option(min=0, help="Images to map what the answer depends on; 0 for none.")
    ] = 6,
    as_json: AsJson = False,
    strict: Strict = False,
    *,
    asking: dict[str, Any],
    reading: dict[str, Any],
) -> None:
    """Compare a model's predictions with what is known, and show where they are wrong."""
    import offgraph as og
    from offgraph.core.tables import dumps

    found = og.report(
        og.Predictor(load_model(model), **asking),
        source,
        out,
        against=None if against is None else og.Compose.from_yaml(against),
        instances=instances,
        shown=shown,
        occlusion=occlusion,
        **reading,
    )
    if as_json:
        typer.echo(dumps(found.to_json(), indent=1))
    else:
        typer.echo(for_terminal(found.summary()))
    if strict and found.quarantined:
        raise typer.Exit(3)

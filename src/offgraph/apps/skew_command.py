"""`offgraph skew`: what other preprocessing does to a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from offgraph.apps.arguments import AsJson, for_terminal
from offgraph.apps.model_options import ModelFile, load_model
from offgraph.apps.shared_options import writable_file

__all__ = ["skew"]


def skew(
    model: ModelFile,
    source: Annotated[Path, typer.Argument(help="A folder of images, or a CSV with path,label.")],
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", help="STEP.field=a,b,c of the model's recipe; may be given several times."),
    ] = None,
    against: Annotated[
        str, typer.Option(help="Libraries whose decoder and resize to try: opencv,pillow,pillow12,tf,torch.")
    ] = "",
    recipe: Annotated[
        list[Path] | None,
        typer.Option("--recipe", "-r", help="Another recipe file to try; may be given several times."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="An HTML page to write, with images.", callback=writable_file),
    ] = None,
    as_json: AsJson = False,
    *,
    asking: dict[str, Any],
    reading: dict[str, Any],
) -> None:
    """Measure what changed steps, or another library's decoder and resize, do to a saved model's answers."""
    from rich.console import Console

    import offgraph as og
    from offgraph.core.tables import dumps

    report = og.skew(
        load_model(model),
        source,
        vary=vary or (),
        against=against or (),
        recipes={str(path): path for path in recipe or ()},
        **asking,
        **reading,
    )
    if as_json:
        typer.echo(dumps(report.to_json(), indent=1))
    else:
        report.render(Console())
    if out is not None:
        written = og.save_skew(report, out)
        if not as_json:
            typer.echo(for_terminal(f"wrote {written}"))

"""`offgraph skew`: what other preprocessing does to a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from offgraph.core.choices import Outputs

__all__ = ["skew"]


def skew(
    model: Annotated[Path, typer.Argument(help="A .keras file written by og.save; it holds its recipe.")],
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
        Path | None, typer.Option("--out", "-o", help="An HTML page to write, with images.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    masks: Annotated[
        Path | None, typer.Option(help="A folder of true masks with the images' names, to measure IoU.")
    ] = None,
    resamples: Annotated[int, typer.Option(min=1, help="Resampled sets of images for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**64 - 1, help="The seed of these.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")] = None,
    outputs: Annotated[
        Outputs | None, typer.Option(help="What the model outputs, where its last layer leaves it open.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="For multilabel models: classes above it are labels.")
    ] = 0.5,
    *,
    reading: dict[str, Any],
) -> None:
    """Measure what changed steps, or another library's decoder and resize, do to a saved model's answers."""
    from rich.console import Console

    import offgraph as og
    from offgraph.core.tables import dumps
    from offgraph.frameworks.quiet import load_tensorflow
    from offgraph.sources.names import printable

    if model.is_file():
        load_tensorflow("keras")
    report = og.skew(
        og.load(model),
        source,
        vary=vary or (),
        against=against or (),
        recipes={str(path): path for path in recipe or ()},
        masks=masks,
        seed=seed,
        resamples=resamples,
        batch_size=batch_size,
        threads=threads,
        outputs=outputs,
        threshold=threshold,
        **reading,
    )
    if as_json:
        typer.echo(dumps(report.to_json(), indent=1))
    else:
        report.render(Console())
    if out is not None:
        written = og.save_skew(report, out)
        if not as_json:
            typer.echo(printable(f"wrote {written}"))

"""`offgraph bench`: what each part of the work takes, and what limits the job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from offgraph.apps.shared_options import writable_file
from offgraph.core.choices import Color

__all__ = ["bench"]


def bench(
    source: Annotated[
        Path, typer.Argument(help="A folder of images, a CSV with path,label, or a dataset that build made.")
    ],
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", "-r", help="The recipe, a YAML or JSON file; a dataset has its own."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per batch.")] = 32,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")] = None,
    images: Annotated[
        int | None,
        typer.Option(
            "--images", "-n", min=1, help="Images to measure on, in place of what --seconds allows."
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="About how long to measure.")] = 20.0,
    step_ms: Annotated[
        float | None,
        typer.Option(min=0, help="Milliseconds that the model takes per batch: does it wait for images?"),
    ] = None,
    framework: Annotated[
        Literal["numpy", "tensorflow"], typer.Option(help="What batches are handed over to.")
    ] = "numpy",
    other_recipe: Annotated[
        bool, typer.Option(help="Run --recipe on a dataset that was built with another one.")
    ] = False,
    on_error: Annotated[
        Literal["skip", "raise"], typer.Option(help="Leave out a bad file, or stop at it.")
    ] = "skip",
    seed: Annotated[int, typer.Option(min=0, max=2**64 - 1, help="The seed of every draw.")] = 0,
    color: Annotated[
        Color | None,
        typer.Option(help="rgb: always three channels, for files the default; grey: one; keep: as stored."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="An HTML page to write, with a plot.", callback=writable_file),
    ] = None,
    *,
    reading: dict[str, Any],
) -> None:
    """Measure reading, decoding, each operation and the batches, and say what limits the job."""
    from rich.console import Console

    import offgraph as og
    from offgraph.core.tables import dumps
    from offgraph.frameworks.quiet import load_tensorflow
    from offgraph.sources import is_built
    from offgraph.sources.names import printable

    if framework == "tensorflow":
        load_tensorflow()
    opened: Any = source
    if not is_built(source):
        opened, color = og.open_source(source, color=color or "rgb", **reading), None
    elif reading:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in reading)
        raise og.ArgumentError(
            f"{source} is a built dataset, whose files are not opened as a source: leave out {names}"
        )
    loader = og.Loader(
        opened,
        recipe,
        batch_size=batch_size,
        threads=threads,
        shuffle=True,
        seed=seed,
        color=color,
        on_error=on_error,
        other_recipe=other_recipe,
    )
    report = loader.benchmark(
        images=images, seconds=seconds, step=None if step_ms is None else step_ms / 1000, framework=framework
    )
    if as_json:
        typer.echo(dumps(report.to_json(), indent=1))
    else:
        report.render(Console())
    if out is not None:
        written = og.save_benchmark(report, out)
        if not as_json:
            typer.echo(printable(f"wrote {written}"))

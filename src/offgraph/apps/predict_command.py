"""`offgraph predict`: classes, labels, numbers or masks of new images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from offgraph.apps.arguments import MaxBad, OnErrorOption, Source, Strict, for_terminal
from offgraph.apps.model_options import ModelFile, load_model

__all__ = ["predict"]


def predict(
    model: ModelFile,
    source: Source,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="The folder for tables, masks, images and report.html; or, with --tiles, one file: a mask, .tif or .npy, or boxes, "
            ".csv, .geojson or .json.",
        ),
    ],
    on_error: OnErrorOption = "quarantine",
    max_bad: MaxBad = "50%",
    raw: Annotated[
        bool, typer.Option(help="Also write all outputs of the model, as it gives them: raw/NAME.npz.")
    ] = False,
    strict: Strict = False,
    *,
    asking: dict[str, Any],
    reading: dict[str, Any],
) -> None:
    """Predict classes, labels, numbers, masks or boxes, with the recipe saved in the model, on the original images."""
    import offgraph as og
    from offgraph.inference.model_source import source_for

    saved = load_model(model)
    if _is_one_file(out, saved.task):
        _predict_to_file(og.Predictor(saved, on_error=on_error, **asking), source, out, reading.get("axes"))
        return
    predictions = og.predict(saved, source_for(saved, source, **reading), on_error=on_error, **asking)
    report = og.save_predictions(predictions, out, max_bad=max_bad, raw=raw)
    typer.echo(for_terminal(report.summary()))
    if report.too_many is not None:
        raise typer.Exit(1)
    if strict and report.quarantined:
        raise typer.Exit(3)


def _is_one_file(out: Path, task: str) -> bool:
    """Whether an output is one mask, or the boxes of one image, and no folder."""
    suffixes = (".csv", ".geojson", ".json") if task == "detect" else (".npy", ".tif", ".tiff")
    return out.suffix.lower() in suffixes and not out.is_dir()


def _predict_to_file(predictor: Any, source: Path, out: Path, axes: str | None) -> None:
    """Predict one image tile by tile into a file, with a progress bar."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("predicting", total=1.0)
        made = predictor.to_file(
            source, out, axes=axes, progress=lambda share: bar.update(task, completed=share)
        )
    said = f"predicted {made.tiles:,} tiles{', going on with an earlier run' if made.resumed else ''}: {made.path}\n"
    if predictor.saved.task == "detect":
        said += f"{len(made.boxes):,} boxes"
    else:
        size = " × ".join(map(str, made.shape))
        said += f"{size} pixels, {made.dtype}, labels up to {made.highest:,}"
    typer.echo(for_terminal(said))

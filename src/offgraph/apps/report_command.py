"""`offgraph report`: where a model is wrong, on a page and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from offgraph.apps.tile_options import BlendOption, OverlapOption, TilesOption, numbers
from offgraph.core.choices import Color, Merge, Outputs, TestTimeVariants

__all__ = ["report"]


def report(
    model: Annotated[Path, typer.Argument(help="A .keras file written by og.save; it holds its recipe.")],
    source: Annotated[
        Path,
        typer.Argument(help="Images whose classes, labels, numbers or masks are known: a folder or a CSV."),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The HTML page to write; NAME.json is written beside it.")
    ] = Path("report.html"),
    masks: Annotated[Path | None, typer.Option(help="A folder of true masks with the images' names.")] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="A recipe of other result steps, whose objects are scored beside the model's own."),
    ] = None,
    postprocess: Annotated[
        Path | None,
        typer.Option(help="A recipe of result steps for masks, instead of the one saved in the model."),
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
    recipe: Annotated[
        Path | None, typer.Option("--recipe", "-r", help="The recipe, a YAML or JSON file.")
    ] = None,
    other_recipe: Annotated[
        bool, typer.Option(help="Use --recipe although the model was made with another one.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")] = None,
    outputs: Annotated[
        Outputs | None, typer.Option(help="What the model outputs, where its last layer leaves it open.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="For multilabel models: classes above it are labels.")
    ] = 0.5,
    pad_to: Annotated[
        str | None,
        typer.Option(
            help="Extend images to a multiple of this, or of what the model takes: auto; cut off again."
        ),
    ] = None,
    color: Annotated[
        Color | None, typer.Option(help="How images are read, instead of as the model takes them.")
    ] = None,
    tta: Annotated[
        TestTimeVariants | None,
        typer.Option(help="Ask the model about mirrored or turned variants of each image, too."),
    ] = None,
    merge: Annotated[Merge, typer.Option(help="How the answers to variants become one.")] = "mean",
    tiles: TilesOption = None,
    overlap: OverlapOption = "auto",
    blend: BlendOption = "gaussian",
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON instead of a summary.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with status 3 when files were set aside.")] = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Compare a model's predictions with what is known, and show where they are wrong."""
    import offgraph as og
    from offgraph.core.tables import dumps
    from offgraph.frameworks.quiet import load_tensorflow
    from offgraph.sources.names import printable

    if model.is_file():
        load_tensorflow("keras")
    if color is not None:
        reading["color"] = color
    predictor = og.Predictor(
        og.load(model),
        recipe=recipe,
        other_recipe=other_recipe,
        postprocess=None if postprocess is None else og.Compose.from_yaml(postprocess),
        outputs=outputs,
        threshold=threshold,
        pad_to=int(pad_to) if pad_to is not None and pad_to.isdecimal() else pad_to,  # type: ignore[arg-type]
        batch_size=batch_size,
        threads=threads,
        tta=tta,
        merge=merge,
        tiles=numbers(tiles),
        overlap=numbers(overlap),
        blend=blend,
    )
    found = og.report(
        predictor,
        source,
        out,
        masks=masks,
        against=None if against is None else og.Compose.from_yaml(against),
        instances=instances,
        shown=shown,
        occlusion=occlusion,
        **reading,
    )
    if as_json:
        typer.echo(dumps(found.to_json(), indent=1))
    else:
        typer.echo("\n".join(printable(line) for line in found.summary().split("\n")))
    if strict and found.quarantined:
        raise typer.Exit(3)

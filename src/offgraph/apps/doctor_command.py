"""`offgraph doctor`: files that a loader cannot use, and traps in a recipe."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from offgraph.apps.arguments import AsJson, ColorOption, RecipeFile
from offgraph.apps.source_options import as_options

__all__ = ["doctor"]


def doctor(
    path: Annotated[
        Path | None,
        typer.Argument(help="A folder of images, a CSV, or one file; may be left out with --recipe."),
    ] = None,
    recipe: RecipeFile = None,
    as_json: AsJson = False,
    workers: Annotated[int, typer.Option(min=1, help="Threads.")] = 2,
    color: ColorOption = "rgb",
    strict: Annotated[
        bool,
        typer.Option(
            help="Exit with status 3 when a file, the source as a whole, or the recipe cannot be used."
        ),
    ] = False,
    *,
    reading: dict[str, Any],
) -> None:
    """List files that a loader cannot use with these options, or that are odd, and what in a recipe is probably not meant."""
    from rich.console import Console

    import offgraph as og
    from offgraph.core.tables import dumps

    if path is None:
        if recipe is None:
            raise typer.BadParameter("name a folder of images, or a recipe by --recipe")
        _lint(recipe, as_json=as_json, strict=strict)
        return
    report = og.doctor(path, recipe, workers=workers, color=color, **reading)
    if as_json:
        typer.echo(dumps(report.to_json(), indent=1))
    else:
        findings = tuple(replace(one, said=as_options(one.said)) for one in report.findings)
        replace(report, findings=findings).render(Console())
    if strict and (report.bad or report.refused or any(one.fails for one in report.recipe)):
        raise typer.Exit(3)


def _lint(path: Path, *, as_json: bool, strict: bool) -> None:
    """Look at a recipe alone: for colour images of 8 bits, if it takes such images."""
    from rich.console import Console

    import offgraph as og
    from offgraph.core.specs import OpenSpec
    from offgraph.core.tables import dumps
    from offgraph.inspection.file_checks import render_recipe

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", og.OffgraphWarning)  # hints of its steps are among the findings
        recipe = og.Compose.from_yaml(path)
    findings = recipe.lint(OpenSpec((None, None, 3), "uint8", "YXC"))
    looked = "for colour images of 8 bits; name a folder of images to look at it for those"
    if any(one.rule == "refused" for one in findings):
        findings, looked = recipe.lint(), "for any image; name a folder of images to look at it for those"
    if as_json:
        typer.echo(dumps({"recipe": [one.to_json() for one in findings]}, indent=1))
    else:
        if findings:
            render_recipe(findings, Console())
        typer.echo(
            f"{len(recipe.steps)} steps, {len(findings) or 'no'} finding{'s' * (len(findings) != 1)}, {looked}"
        )
    if strict and any(one.fails for one in findings):
        raise typer.Exit(3)

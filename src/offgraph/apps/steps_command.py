"""`offgraph steps`: what a recipe can hold, and how one runs."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from offgraph.apps.source_options import AxesOption

__all__ = ["steps"]


def steps(
    name: Annotated[str | None, typer.Argument(help="One step, with all of its fields.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of recipe files.")] = False,
    explain: Annotated[
        Path | None, typer.Option(help="Say how a recipe file runs: what is fused, and why.")
    ] = None,
    shape: Annotated[
        str, typer.Option(help="With --explain: the image's lengths, such as 375,500,3.")
    ] = "375,500,3",
    dtype: Annotated[str, typer.Option(help="With --explain: the image's dtype.")] = "uint8",
    axes: AxesOption = None,
) -> None:
    """List the steps a recipe can hold, or say how a recipe runs."""
    import offgraph as og
    from offgraph.recipe.schema import schema as recipe_schema
    from offgraph.steps.registry import all_steps

    known = all_steps()
    if explain is not None:
        typer.echo(og.Compose.from_yaml(explain).explain(_array_spec(shape, dtype, axes)))
    elif schema:
        typer.echo(json.dumps(recipe_schema(), indent=1))
    elif name is None:
        _list_steps()
    elif name in known:
        _describe_step(name)
    elif name == "Augment":
        typer.echo(
            "Augment holds steps that training draws, and that validation and inference leave out:\n\n"
            "  - Augment:\n      - Rotate: {angle: [-15, 15]}\n      - Flip: {axis: X, p: 0.5}"
        )
    else:
        import difflib

        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        raise typer.BadParameter(
            f"no step is called {name!r}"
            + (f"; did you mean {near[0]}?" if near else "; `offgraph steps` lists them")
        )


def _array_spec(shape: str, dtype: str, axes: str | None) -> Any:
    """The spec of an image that is described by its lengths."""
    import numpy as np

    import offgraph as og
    from offgraph.core.axes import name_axes

    try:
        lengths = tuple(int(length) for length in shape.split(","))
        name = np.dtype(dtype).name
        if min(lengths) < 1:
            raise ValueError
    except (ValueError, TypeError):
        raise typer.BadParameter(
            f"--shape takes lengths such as 375,500,3 and --dtype a dtype such as uint8; got {shape} and {dtype}"
        ) from None
    return og.ArraySpec(lengths, name, name_axes(lengths, axes))


def _list_steps() -> None:
    from rich.console import Console
    from rich.table import Table

    from offgraph.recipe.files import STEPS

    table = Table(box=None, pad_edge=False)
    for heading in ("step", "kind", "what it does"):
        table.add_column(heading)
    for name, step in sorted(STEPS.items(), key=lambda entry: (entry[1].kind, entry[0])):
        table.add_row(name, step.kind, (step.__doc__ or "").strip().splitlines()[0])
    Console().print(table)


def _describe_step(name: str) -> None:
    import inspect
    import textwrap

    from offgraph.core.errors import RecipeError
    from offgraph.recipe.files import STEPS
    from offgraph.recipe.schema import example
    from offgraph.steps.base import field_names
    from offgraph.steps.description import documentation, signature

    step = STEPS[name]
    text, _, python = (inspect.getdoc(step) or "").partition("\nExamples\n--------\n")
    about = text.partition("\nParameters\n")[0]
    texts = documentation(step)
    typer.echo(f"{signature(step)}\n\n{about.strip()}\n\nFields:\n")
    for field in field_names(step):
        typer.echo(
            textwrap.fill(
                texts[field] or "not described", 100, initial_indent=f"  {field}: ", subsequent_indent="    "
            )
        )
    with contextlib.suppress(RecipeError):  # a custom step may show none
        typer.echo(f"\nIn a recipe file:\n\n{textwrap.indent(example(step), '  ')}")
    if python:
        typer.echo(f"In Python:\n\n{textwrap.indent(python, '  ')}")

"""`offgraph audit`: the traps in scripts, line by line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["audit"]


def audit(
    scripts: Annotated[
        list[Path], typer.Argument(help="Scripts (.py), notebooks (.ipynb), or folders of them; none is run.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a report per argument.")] = False,
    strict: Annotated[
        bool, typer.Option(help="Exit with status 3 when a trap is found, or a script could not be read.")
    ] = False,
) -> None:
    """Point at the traps in SciPy, OpenCV and TensorFlow scripts, and write the Offgraph lines."""
    from rich.console import Console

    import offgraph as og
    from offgraph.core.tables import dumps

    reports = [og.audit(script) for script in scripts]
    if as_json:
        typer.echo(dumps([report.to_json() for report in reports], indent=1))
    else:
        for report in reports:
            report.render(Console())
    if strict and any(report.findings or report.refused for report in reports):
        raise typer.Exit(3)

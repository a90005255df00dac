"""`offgraph convert`: the recipe of another library's pipeline, from its file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from offgraph.apps.shared_options import writable_file

__all__ = ["convert"]


class Library(StrEnum):
    """Where a pipeline comes from."""

    albumentations = "albumentations"
    keras = "keras"
    torchvision = "torchvision"
    tfa = "tfa"


_MARKS = {
    Library.albumentations: ("__class_fullname__", "albumentations"),
    Library.torchvision: ("torchvision",),
    Library.keras: ("class_name", "rotation_range", "horizontal_flip", "rescale"),
    Library.tfa: ("tfa.", "tf.image"),
}
"""What only the files of a library hold."""


def convert(
    file: Annotated[
        Path, typer.Argument(help="The pipeline, a JSON or YAML file; no library has to be installed.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The recipe file to write; by default it is printed.", callback=writable_file
        ),
    ] = None,
    library: Annotated[
        Library | None,
        typer.Option("--from", help="Where it comes from; by default that is seen in the file."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Of Albumentations: where the pipeline stands in the file, such as train.transform."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with status 3 when a step has no equal.")] = False,
) -> None:
    """Make a recipe of a pipeline of Albumentations, Keras, torchvision or TensorFlow Addons, and say what differs."""
    import offgraph as og
    from offgraph.core.tables import dumps

    origin = library or _seen(file)
    if key is not None and origin is not Library.albumentations:
        raise typer.BadParameter("only files of Albumentations have a key", param_hint="--key")
    if origin is Library.albumentations:
        recipe, report = og.from_albumentations(file, key=key)
    else:
        read = {
            Library.keras: og.from_keras,
            Library.torchvision: og.from_torchvision,
            Library.tfa: og.from_tfa,
        }
        recipe, report = read[origin](file)
    text = recipe.to_yaml(out)
    if as_json:
        typer.echo(dumps(report.to_json(), indent=1))
    else:  # a recipe that is printed may be sent to a file, and the report is then still seen
        typer.echo(str(report), err=out is None)
    if out is None and not as_json:
        typer.echo(text, nl=False)
    if strict and report.counts["none"]:
        raise typer.Exit(3)


def _seen(file: Path) -> Library:
    """The library whose names stand in the file."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")[: 4 << 20]
    except OSError:
        return Library.albumentations  # reading it again says why it cannot be read
    for library, marks in _MARKS.items():
        if any(mark in text for mark in marks):
            return library
    raise typer.BadParameter(
        f"{file}: say where the pipeline comes from: {', '.join(f'--from {each}' for each in Library)}",
        param_hint="--from",
    )

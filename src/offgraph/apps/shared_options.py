"""Options that several commands take: declared once in a table, and added to every command that needs them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import typer

__all__ = ["Option", "adding", "as_given", "writable_file"]


def writable_file(path: Path | None) -> Path | None:
    """Pass on the path of a file to write, and refuse one that cannot be written before the work that it is to hold.

    Folders on its way that are missing are made later. What only writing shows, such as a full disk, is told then.

    Raises
    ------
    typer.BadParameter
    """
    if path is None:
        return None
    said = f"{str(path)!r} cannot be written"
    if path.is_dir():
        raise typer.BadParameter(f"{said}: it is a folder; name a file in it")
    there = next((above for above in path.parents if os.path.lexists(above)), Path())
    if not there.is_dir():
        raise typer.BadParameter(f"{said}: {str(there)!r} is not a folder")
    if not path.exists() and not os.access(there, os.W_OK):
        raise typer.BadParameter(f"{said}: no permission to write in {str(there)!r}")
    return path


def as_given(value: Any) -> Any:
    """Pass a value on unchanged."""
    return value


class Option(NamedTuple):
    """One option, named as the argument of the Python function that it sets."""

    kind: Any
    """Its type, annotated with `typer.Option`."""
    default: Any = None
    convert: Callable[[Any], Any] = as_given
    """From what Typer reads to what the function takes."""


def adding(options: Mapping[str, Option], into: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a decorator that adds options to a command, except those that it declares itself.

    The command gets them as the dict named `into`: the arguments of those options that were given.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters
        added = {name: option for name, option in options.items() if name not in own}
        parameters = [one for name, one in own.items() if name != into]
        parameters += [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=option.kind
            )
            for name, option in added.items()
        ]

        def run(**given: Any) -> None:
            values = {name: given.pop(name) for name in added}
            arguments = {
                name: added[name].convert(value)
                for name, value in values.items()
                if value != added[name].default
            }
            command(**given, **{into: arguments})

        run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
        return run

    return decorate

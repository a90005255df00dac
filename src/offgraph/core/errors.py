"""Errors and warnings of Offgraph. Inner code names the cause; the outer layer adds the place, once."""

from __future__ import annotations

from typing import Any

__all__ = [
    "ArgumentError",
    "BuildError",
    "DecodeError",
    "FileAccessError",
    "MachineError",
    "OffgraphError",
    "OffgraphWarning",
    "RecipeError",
    "RecipeMismatch",
    "ScriptError",
    "SourceError",
    "StepError",
    "WriteError",
]


class OffgraphError(Exception):
    """Base class of every error that Offgraph raises itself."""


class ArgumentError(OffgraphError, ValueError):
    """A value that an argument does not take; names the argument, the value and what it takes."""


class DecodeError(OffgraphError):
    """A file that cannot be read as an image. The message begins with the file and ends with the cause."""


class FileAccessError(DecodeError):
    """A file that is not there, or may not be read. Its content was not refused, so a later run tries it again."""


class SourceError(OffgraphError):
    """A folder, a CSV or a pairing that cannot be used as a source of images."""


class StepError(OffgraphError, ValueError):
    """A step that cannot be applied to what it was given; names step, argument, shape and dtype."""


class RecipeError(OffgraphError, ValueError):
    """A recipe file that cannot be read; names file, line, step and field."""


class RecipeMismatch(OffgraphError, ValueError):
    """A recipe that is not the one a dataset or a model was made with; names step and field."""


class ScriptError(OffgraphError):
    """A script that cannot be audited; names file, line and cause."""


class BuildError(OffgraphError):
    """A dataset that cannot be written or continued; names the folder and the reason."""


class _SystemError(OffgraphError, OSError):
    """An OSError that says in its own words what happened; its number and text stay those of the cause."""

    def __init__(self, message: str, cause: OSError) -> None:
        super().__init__(message)
        self.errno, self.strerror = cause.errno, cause.strerror

    def __str__(self) -> str:
        return self.args[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], OSError(self.errno, self.strerror))


class MachineError(_SystemError):
    """A failure of the machine and not of a file's content: a drive that is gone, no file handles, no memory, no space.

    The same work may succeed when it is tried again, so nothing is set aside for it.
    """


class WriteError(_SystemError):
    """A file that cannot be written. The message begins with the file that was asked for."""


class OffgraphWarning(UserWarning):
    """Something that is probably not what was meant; says what to write instead."""

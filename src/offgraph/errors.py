"""What Offgraph raises and warns with. Inner code names the cause; the outer layer adds where, once."""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "BuildError",
    "DecodeError",
    "OffgraphError",
    "OffgraphWarning",
    "RecipeError",
    "RecipeMismatch",
    "SourceError",
    "StepError",
    "WriteError",
]


class OffgraphError(Exception):
    """Base of every error that Offgraph raises on its own account."""


class ArgumentError(OffgraphError, ValueError):
    """A value that an argument does not take; names the argument, the value and what it takes."""


class DecodeError(OffgraphError):
    """A file that cannot be read as a picture. The message begins with the file and ends with the cause."""


class SourceError(OffgraphError):
    """A folder, a CSV or a pairing that cannot be used as a source of pictures."""


class StepError(OffgraphError, ValueError):
    """A step that cannot be applied to what it was given; names step, argument, shape and dtype."""


class RecipeError(OffgraphError, ValueError):
    """A recipe file that cannot be read; names file, line, step and field."""


class RecipeMismatch(OffgraphError, ValueError):
    """A recipe that is not the one a dataset or a model was made with; names step and field."""


class BuildError(OffgraphError):
    """A dataset that cannot be written or continued; names the folder and the reason."""


class WriteError(OffgraphError, OSError):
    """A file that cannot be written. The message begins with the file that was asked for."""

    def __init__(self, message: str, cause: OSError) -> None:
        super().__init__(message)
        self.errno, self.strerror = cause.errno, cause.strerror

    def __str__(self) -> str:
        return self.args[0]


class OffgraphWarning(UserWarning):
    """Something that is probably not what was meant; says what to write instead."""

"""The errors of Offgraph by their public address: ``from offgraph.errors import DecodeError``."""

from offgraph.core.errors import (
    ArgumentError,
    BuildError,
    DecodeError,
    FileAccessError,
    MachineError,
    OffgraphError,
    OffgraphWarning,
    RecipeError,
    RecipeMismatch,
    ScriptError,
    SourceError,
    StepError,
    WriteError,
)

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

"""Which errors are a file's own, and how they are worded."""

from __future__ import annotations

from pathlib import Path

from offgraph.core.errors import DecodeError, OffgraphError, SourceError, StepError
from offgraph.core.machine import machine_error

__all__ = ["BAD_FILE", "name_file", "reason"]


BAD_FILE = (DecodeError, StepError, SourceError)
"""What the content of a bad image raises. A MachineError ends the run, and can be tried again; anything else is a
mistake in a program. Neither is ever set aside."""


def name_file(error: Exception, name: str) -> Exception:
    """Return the error with the file's name in front, once; lack of memory as a MachineError."""
    if isinstance(error, MemoryError):
        return machine_error(name, error)
    if name in str(error):
        return error
    if isinstance(error, OSError) and isinstance(error, OffgraphError):  # these carry their cause's number
        return type(error)(f"{name}: {error}", error).with_traceback(error.__traceback__)
    if isinstance(error, OffgraphError):
        return type(error)(f"{name}: {error}").with_traceback(error.__traceback__)
    error.add_note(f"while working on {name}")
    return error


def reason(error: BaseException, path: Path, name: str, mask: Path | None = None) -> str:
    """Why an image was set aside, in one line that does not depend on where the source folder lies."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if mask is not None and mask != path:
        text = text.replace(str(mask), f"mask {mask.name}")
    text = " ".join(text.replace(str(path), name).split())
    return text.removeprefix(f"{name}: ") or type(error).__name__

"""Which errors are a file's own, and how they are worded."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from offgraph.core.errors import DecodeError, OffgraphError, SourceError, StepError
from offgraph.core.machine import machine_error

__all__ = ["BAD_FILE", "name_file", "reason"]


BAD_FILE = (DecodeError, StepError, SourceError)
"""What the content of a bad image raises. A MachineError ends the run, and can be tried again; anything else is a
mistake in a program. Neither is ever set aside."""


def name_file(error: BaseException, name: str) -> BaseException:
    """Return the error with the file's name in front, once; lack of memory as a MachineError.

    An error that is none of Offgraph's, and one that cannot be made again with another message, gets a note instead.
    """
    if isinstance(error, MemoryError):
        return machine_error(name, error)
    if name in _text(error):
        return error
    if isinstance(error, StopIteration | StopAsyncIteration | GeneratorExit):  # these end whoever iterates
        return OffgraphError(f"{name}: a step raised {type(error).__name__}; it has to catch it")
    if isinstance(error, OffgraphError):
        try:
            if isinstance(error, OSError):  # these carry their cause's number
                named: OffgraphError = type(error)(f"{name}: {error}", error)
            else:
                named = type(error)(f"{name}: {error}")
            return named.with_traceback(error.__traceback__)
        except Exception:  # a class of somebody else's, which takes other arguments
            pass
    with suppress(TypeError):  # whoever raised it may have put something else into its notes
        error.add_note(f"while working on {name}")
    return error


def _text(error: BaseException) -> str:
    """What an error says; some fail to."""
    try:
        return str(error)
    except Exception:
        return ""


def reason(error: BaseException, path: Path, name: str, mask: Path | None = None) -> str:
    """Why an image was set aside, in one line that does not depend on where the source folder lies."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else _text(error)
    if mask is not None and mask != path:
        text = text.replace(str(mask), f"mask {mask.name}")
    text = " ".join(text.replace(str(path), name).split())
    return text.removeprefix(f"{name}: ") or type(error).__name__

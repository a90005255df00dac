"""The font of captions, and text broken into lines by its width in pixels."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

from offgraph.views.text import shorten

__all__ = ["font", "wrapped"]


def wrapped(text: str, face: ImageFont.FreeTypeFont, width: int, lines: int) -> list[str]:
    """Break text into at most `lines` lines of `width` pixels; text that is too long is shortened in the middle."""
    text = shorten(text, 400)
    done = _broken(text, face, width)
    if len(done) <= lines:
        return done
    low, high = 1, len(text)  # the longest that fits
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(_broken(shorten(text, middle), face, width)) <= lines
        low, high = (middle, high) if fits else (low, middle - 1)
    return _broken(shorten(text, low), face, width)


def _broken(text: str, face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break text into lines of `width` pixels, at spaces where that leaves no half-empty line."""
    done: list[str] = []
    while text:
        length = _fitting(text, face, width)
        if length < len(text):
            space = text.rfind(" ", 1, length + 1)
            length = space if space > length // 2 else length
        done.append(text[:length].rstrip())
        text = text[length:].lstrip()
    return done


def _fitting(text: str, face: ImageFont.FreeTypeFont, width: float) -> int:
    """How many leading characters fit into `width` pixels; at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if face.getlength(text[:middle]) <= width else (low, middle - 1)
    return low


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib carries, so that captions look the same on every machine."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ImportError("matplotlib is a dependency of offgraph and is missing: pip install matplotlib")
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)

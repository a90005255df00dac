"""Text on a page: one printable line, shortened."""

from __future__ import annotations

__all__ = ["clean", "shorten"]


def clean(text: str) -> str:
    r"""One line of printable text: whatever a file name hides (line breaks, controls, lone surrogates) becomes �.

    >>> clean("a\nb")
    'a�b'
    """
    return "".join(c if c.isprintable() else "�" for c in text)


def shorten(text: str, most: int) -> str:
    """Shorten text in the middle: names of files and classes differ at their ends.

    Examples
    --------
    >>> shorten("patient-0017-slice-003-left.png", 20)
    'patient-00…-left.png'
    >>> shorten("short", 20)
    'short'
    """
    if len(text) <= most:
        return text
    end = max(0, most - 1) // 2
    return text[: max(0, most - 1 - end)] + "…" + (text[-end:] if end else "")

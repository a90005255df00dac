"""Near misses: what a mistyped word may have meant."""

from __future__ import annotations

from typing import Any

__all__ = ["did_you_mean"]


def did_you_mean(word: str, known: Any) -> str:
    """Return ``"; did you mean X?"`` for a near miss, or nothing."""
    import difflib

    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), folded, 1, 0.6)
    return f"; did you mean {folded[close[0]]}?" if close else ""

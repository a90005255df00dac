"""What to write for the name of a step of another library."""

from __future__ import annotations

from collections.abc import Iterable

from offgraph.core.suggestions import did_you_mean
from offgraph.migration.albumentations import TABLE as ALBUMENTATIONS
from offgraph.migration.keras_layers import TABLE as KERAS
from offgraph.migration.tfa_table import TABLE as TFA
from offgraph.migration.torchvision_table import TABLE as TORCHVISION

__all__ = ["advice_on"]


def advice_on(name: str, known: Iterable[str]) -> str:
    """Return what to say of a name that is not public: what it is called here, or which name is near to it.

    Parameters
    ----------
    name : str
    known : iterable of str
        The public names.

    Returns
    -------
    str
        Begins with a semicolon; empty where nothing is known.

    Examples
    --------
    >>> advice_on("HorizontalFlip", ["Flip", "Rotate"])
    "; Albumentations' HorizontalFlip is Flip here"
    >>> advice_on("Rotat", ["Flip", "Rotate"])
    '; did you mean Rotate?'
    """
    for table in (ALBUMENTATIONS, TORCHVISION, KERAS, TFA):
        if name in table:
            row = table[name]
            of = f"{table.library}'" if table.library.endswith("s") else f"{table.library}'s"
            if row.ours:
                return f"; {of} {name} is {row.ours} here"
            return f"; instead of {of} {name}: {row.why or 'no step is needed'}"
    return did_you_mean(name, known)

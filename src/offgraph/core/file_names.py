"""Names of files, whose ending may have two parts: ``scan.nii.gz``."""

from __future__ import annotations

from os.path import splitext

__all__ = ["split_suffix"]

_DOUBLE = (".nii.gz",)


def split_suffix(name: str) -> tuple[str, str]:
    """Split the name of a file before its ending, ``.nii.gz`` being one.

    Parameters
    ----------
    name : str
        With or without folders.

    Returns
    -------
    stem, suffix : str
        The suffix as it is written, with its dot; empty where there is none.

    Examples
    --------
    >>> split_suffix("scans/a.nii.gz"), split_suffix("b.tar.gz")
    (('scans/a', '.nii.gz'), ('b.tar', '.gz'))
    """
    for suffix in _DOUBLE:
        if name.lower().endswith(suffix) and len(name.rpartition("/")[2]) > len(suffix):
            return name[: -len(suffix)], name[-len(suffix) :]
    return splitext(name)  # noqa: PTH122  # names, not paths

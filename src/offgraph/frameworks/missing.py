"""What a framework that is not installed means to the caller, in the same words for each."""

from __future__ import annotations

from offgraph.core.errors import OffgraphError

__all__ = ["not_installed"]


def not_installed(
    framework: str, extra: str, *, instead: str = "iterate over the loader itself"
) -> OffgraphError:
    """Return the error for a framework that cannot be imported.

    Parameters
    ----------
    framework : str
        Its name.
    extra : str
        The extra of this package that installs it.
    instead : str
        What can be done without it; empty where nothing can.

    Returns
    -------
    OffgraphError
        To be raised from the ImportError.

    Examples
    --------
    >>> not_installed("JAX", "jax")
    OffgraphError("JAX is not installed; run: pip install 'offgraph[jax]', or iterate over the loader itself")
    """
    advice = f"run: pip install 'offgraph[{extra}]'"
    return OffgraphError(f"{framework} is not installed; {', or '.join(filter(None, (advice, instead)))}")

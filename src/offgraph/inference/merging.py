"""Several answers to one question made one: of variants of an image, and of several models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np

from offgraph.core.choices import Merge
from offgraph.core.errors import ArgumentError, OffgraphError

__all__ = ["check_merge", "merged"]


def check_merge(merge: object, task: str) -> Merge:
    """Return how answers are merged, or refuse what the task does not take."""
    if merge not in get_args(Merge):
        raise ArgumentError(f"merge={merge!r:.80}: choose 'mean', 'geometric' or 'max'")
    if task == "detect" and merge != "mean":
        raise OffgraphError(f"merge={merge!r}: boxes are merged by weighted fusion, which is a mean")
    if task == "regress" and merge != "mean":
        raise OffgraphError(
            f"merge={merge!r}: numbers are merged by their mean; the others are for probabilities"
        )
    return merge  # pyright: ignore[reportReturnType]  # one of them


def merged(
    values: Sequence[np.ndarray], seen: Sequence[np.ndarray] | None, merge: Merge, *, exclusive: bool
) -> np.ndarray:
    """Merge arrays of one shape, in float64.

    Where all answers are equal, the result has their bytes.

    Parameters
    ----------
    values : sequence of ndarray of float32
        Each (..., K).
    seen : sequence of ndarray of bool, optional
        For each array (...,): where it has an answer. What has none counts for nothing; where no array has one,
        the result is 0.
    merge : {"mean", "geometric", "max"}
    exclusive : bool
        Whether the last axis holds the probabilities of classes of which one is true. A geometric mean and a largest
        value do not add up to 1: they are scaled to add up to what the answers do in the mean.

    Returns
    -------
    ndarray of float32
    """
    stack = np.stack(values).astype(np.float64)
    weight = np.ones(stack.shape[:-1]) if seen is None else np.stack(seen).astype(np.float64)
    count = weight.sum(axis=0)[..., None]
    weight = weight[..., None]
    safe = np.maximum(count, 1)
    if merge == "mean":
        return ((stack * weight).sum(axis=0) / safe).astype(np.float32)
    if merge == "geometric":
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(weight > 0, np.log(stack), 0.0)
        made = np.exp(logs.sum(axis=0) / safe)
    else:
        made = np.where(weight > 0, stack, -np.inf).max(axis=0)
    made = np.where(count > 0, made, 0.0)
    if exclusive:
        wanted = (stack.sum(axis=-1, keepdims=True) * weight).sum(axis=0) / safe
        total = made.sum(axis=-1, keepdims=True)
        made = made * np.divide(wanted, total, out=np.ones_like(total), where=total > 0)
    return made.astype(np.float32)

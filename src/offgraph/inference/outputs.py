"""What the numbers that a model outputs mean: probabilities, logits, or values as they are."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from offgraph.core.choices import ModelTask, Outputs
from offgraph.core.errors import OffgraphError, OffgraphWarning

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["OutputReader", "reader_of"]

_SLACK = 1e-4  # float32 sums of a softmax pass 1 by rounding


@dataclass(frozen=True)
class OutputReader:
    """Converts a model's outputs to what a prediction holds.

    Parameters
    ----------
    task : ModelTask
        With ``"regress"`` the values stay as they are.
    logits : bool
        Whether to apply softmax, or the sigmoid where classes are independent.
    known : bool
        Whether the outputs are known to be probabilities, so that their sum need not be checked.
    """

    task: ModelTask
    logits: bool
    known: bool

    def __call__(self, values: np.ndarray, name: str) -> np.ndarray:
        """Read outputs, (B, …, K).

        Raises
        ------
        OffgraphError
            Where they cannot be probabilities.
        """
        if self.task == "detect":  # read image by image, by what is declared
            return np.zeros((len(values), 0), np.float32)
        if self.task == "regress":
            return values
        alone = self.task == "multilabel" or values.shape[-1] == 1
        if self.logits:
            return _sigmoid(values) if alone else _softmax(values)
        finite = values[np.isfinite(values)]
        within = not finite.size or (finite.min() >= 0 and finite.max() <= 1 + _SLACK)
        sums = values.sum(axis=-1, dtype=np.float64)
        whole = alone or bool((np.abs(sums[np.isfinite(sums)] - 1) < 1e-2).all())
        if not within or not (whole or self.known):
            raise OffgraphError(
                f"{name}: its outputs lie from {finite.min():.4g} to {finite.max():.4g}"
                + ("" if whole else " and do not sum to 1")
                + ", so they are not probabilities; say outputs='logits' if they are logits"
                + ("" if not within else ", or outputs='probabilities' if the classes are independent")
            )
        return values


def reader_of(saved: SavedModel, outputs: Outputs | None) -> OutputReader:
    """How a saved model's outputs are read.

    `outputs` decides, then what the file says, then the model's last layer.
    """
    from offgraph.frameworks.head import head_of

    task = saved.task
    if task == "detect" and outputs is not None:
        raise OffgraphError(f"outputs={outputs!r}: of a detector say it by DetectionOutputs(activation=…)")
    declared = outputs or saved.outputs
    if declared is not None or task in ("regress", "detect"):
        return OutputReader(task, declared == "logits", known=True)
    head = head_of(saved.main)
    if head.activation in ("softmax", "sigmoid"):
        return OutputReader(task, logits=False, known=True)
    if head.activation == "linear":
        warnings.warn(
            f"{saved.path}: the last layer, {head.layer!r}, has no activation, so its outputs are taken for logits; "
            "say outputs='logits' if they are, or outputs='probabilities' if not",
            OffgraphWarning,
            stacklevel=3,
        )
        return OutputReader(task, logits=True, known=False)
    return OutputReader(task, logits=False, known=False)


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    # exp is applied to arguments below 0 only, so it never overflows.
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1 / (1 + small), small / (1 + small))

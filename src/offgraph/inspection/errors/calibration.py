"""Whether a model is as often correct as it is sure: reliability, and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Calibration", "ReliabilityBin"]


@dataclass(frozen=True)
class ReliabilityBin:
    """Decisions of one range of confidence.

    Parameters
    ----------
    low, high : float
        Confidence above `low`, up to and with `high`; 0 belongs to the first range.
    count : int
    confidence : float or None
        Mean confidence; None without decisions.
    accuracy : float or None
        Share of them that are correct.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


class Calibration:
    """Counts decisions by their confidence, in ranges of equal width.

    Parameters
    ----------
    bins : int
        Ranges from 0 to 1.

    Notes
    -----
    Sums are kept and not the decisions, so that memory does not grow with them.

    Examples
    --------
    >>> seen = Calibration(bins=2)
    >>> seen.add([0.75, 0.75, 1.0, 0.5], [True, False, True, True])
    >>> [(one.confidence, one.accuracy) for one in seen.bins()]
    [(0.5, 1.0), (0.8333333333333334, 0.6666666666666666)]
    >>> seen.error()
    0.25
    """

    def __init__(self, bins: int = 15) -> None:
        self.edges = np.linspace(0, 1, bins + 1)
        self._count = np.zeros(bins, np.int64)
        self._correct = np.zeros(bins, np.int64)
        self._confidence = np.zeros(bins)

    @property
    def count(self) -> int:
        """Decisions in all."""
        return int(self._count.sum())

    def add(self, confidence: object, correct: object) -> None:
        """Count decisions.

        Parameters
        ----------
        confidence : array_like of float
            From 0 to 1; float arithmetic may carry it a little further.
        correct : array_like of bool
            Of the same shape.

        Raises
        ------
        ValueError
            For a confidence that is not a number.
        """
        sure, right = np.asarray(confidence, np.float64).ravel(), np.asarray(correct, np.bool_).ravel()
        if np.isnan(sure).any():
            raise ValueError("a confidence is not a number")
        at = np.clip(np.searchsorted(self.edges, sure, side="left") - 1, 0, len(self._count) - 1)
        self._count += np.bincount(at, minlength=len(self._count))
        self._correct += np.bincount(at[right], minlength=len(self._count))
        self._confidence += np.bincount(at, weights=sure, minlength=len(self._count))

    def bins(self) -> tuple[ReliabilityBin, ...]:
        """Return every range, also those without decisions."""
        return tuple(
            ReliabilityBin(
                low, high, count, total / count if count else None, correct / count if count else None
            )
            for low, high, count, total, correct in zip(
                self.edges[:-1].tolist(),
                self.edges[1:].tolist(),
                self._count.tolist(),
                self._confidence.tolist(),
                self._correct.tolist(),
            )
        )

    def error(self) -> float | None:
        """Return the expected calibration error: the mean of abs(accuracy - confidence), each range by its decisions."""
        gaps = self._gaps()
        return sum(gap * count for gap, count in gaps) / self.count if gaps else None

    def largest(self) -> float | None:
        """Return the largest abs(accuracy - confidence) of a range that has decisions."""
        return max((gap for gap, _ in self._gaps()), default=None)

    def _gaps(self) -> list[tuple[float, int]]:
        return [
            (abs(one.accuracy - one.confidence), one.count)
            for one in self.bins()
            if one.accuracy is not None and one.confidence is not None
        ]

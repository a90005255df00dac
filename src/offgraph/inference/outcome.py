"""The outcome of one kind of model: rows of tables, counts, and what the page shows, mistakes first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offgraph.core.errors import OffgraphError
from offgraph.inference.prediction import Prediction, Predictions
from offgraph.views import draw
from offgraph.views.html import NONE, Figure, Report, Share

__all__ = ["ON_PAGE", "Outcome", "Shown", "figures_of", "rounded", "share"]

ON_PAGE = 60
"""Images that a page shows."""
_SIDE = 240


class Outcome(ABC):
    """Collects the predictions of one run.

    Parameters
    ----------
    run : Predictions
    folder : Path
        Where masks and images are written.

    Attributes
    ----------
    columns : tuple of str
        Of ``predictions.csv``.
    count : int
        Predictions that were taken.
    """

    columns: tuple[str, ...]

    def __init__(self, run: Predictions, folder: Path) -> None:
        self.run, self.folder, self.count = run, folder, 0

    @abstractmethod
    def take(self, prediction: Prediction) -> dict[str, Any]:
        """Count a prediction and return it as plain JSON."""

    @abstractmethod
    def row(self, entry: dict[str, Any]) -> tuple[Any, ...]:
        """Return an entry as a row of ``predictions.csv``."""

    @abstractmethod
    def found(self) -> dict[str, Any]:
        """Return what a `PredictionReport` says of this kind of model."""

    @abstractmethod
    def overview(self, page: Report) -> None:
        """Add facts, tables and charts to the first section."""

    @abstractmethod
    def images(self, page: Report) -> None:
        """Add the images, mistakes first."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The caption of an image on the page; the image itself is read again when the page is drawn."""

    index: int
    caption: str
    details: str = ""
    mark: str = ""


def figures_of(run: Predictions, shown: list[Shown]) -> list[Figure]:
    """Read images again and add their captions; an image that is gone meanwhile is left out."""
    figures = []
    for one in shown:
        try:
            image = run.source.read(one.index).image
        except (OffgraphError, OSError):
            continue
        rgb = draw.fit(draw.to_rgb(image.array, image.axes), _SIDE)
        name = run.source[one.index].name
        alt = f"{name}: {one.caption}"
        figures.append(Figure(rgb, one.caption, one.details or name, alt=alt, mark=one.mark))
    return figures


def rounded(value: float) -> float:
    """Six significant digits: what float32 holds."""
    return float(f"{float(value):.6g}")


def share(value: float | None) -> Share | str:
    """A share for a table, which shows a dash where there is none."""
    return NONE if value is None else Share(value)

"""What other preprocessing does to a model, as a page: the ways in order, and images whose answer changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.targets import Mask
from offgraph.targets.base import Target
from offgraph.views import draw
from offgraph.views.charts import bars
from offgraph.views.html import Figure, Report
from offgraph.views.marks import mark

if TYPE_CHECKING:
    from offgraph.inspection.skew_report import SkewReport, SkewRow

__all__ = ["DRAWN", "save_skew"]

DRAWN = 8
"""Images of a way to prepare them that the page shows: those whose answer changed most."""

_SIDE = 320
_GAP = 6
_ROWS, _LISTED = 4, 200


def save_skew(report: SkewReport, path: str | os.PathLike[str]) -> Path:
    """Write what `offgraph.skew` found as one HTML page, with the images whose answers changed.

    Boxes and masks of both answers are drawn side by side: those of the model's own recipe, then those of the other.

    Parameters
    ----------
    report : SkewReport
    path : path
        The file to write.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OffgraphError
        Where the file cannot be written.
    """
    page = Report("Can the preprocessing change?", report.summary)
    page.section(
        "What was tried",
        "Each row prepares the same images in another way, and asks the same model. The worst is first. In brackets is "
        f"where 95 % of {report.resamples:,} resampled sets of images lie. Agreement is with the model's own recipe; "
        "helped and hurt are answers that became better and worse; moved is the mean of the largest change of a "
        "probability.",
    )
    facts: list[tuple[str, object]] = [("model", report.model), ("images", report.images)]
    if report.score is not None:
        facts.append((f"{report.score_name}, own recipe", report.score.text()))
    if report.set_aside:
        facts.append(("images set aside", len(report.set_aside)))
    page.facts(facts)
    if report.rows:
        page.charts(
            [
                bars(
                    [(row.name, [100 * (1 - row.agreement.value)]) for row in report.rows],
                    ["answers"],
                    "% changed",
                )
            ]
        )
    header = [report.header[0], report.score_name, *report.header[2:]]
    page.table(header, [report.cells(row) for row in report.rows])
    for row in report.rows:
        for note in row.notes:
            page.text(f"{row.name}: {note}.")
        if row.set_aside:
            name, why = row.set_aside[0]
            page.text(
                f"{row.name}: images that could not be predicted: {len(row.set_aside)}, the first {name}: {why}"
            )
    if report.set_aside:
        page.section(
            "Images set aside",
            "They could not be predicted with the model's own recipe, and are in no number.",
        )
        page.table(["image", "reason"], report.set_aside[:_LISTED])
    if report.absent:
        page.section("Not tried")
        page.table(["what", "why"], [[one.name, one.reason] for one in report.absent])
    for row in report.rows[:_ROWS]:
        if figures := _figures(report, row):
            said = f"{len(row.flips)} of {row.images} answers changed; those that changed most:"
            if row.flips[0].drawable is not None:
                said += " to the left by the model's own recipe, to the right by this one."
            page.section(row.name, said)
            page.figures(figures, columns=4 if row.flips[0].drawable is None else 2)
    page.section("The model's own recipe")
    page.code(report.recipe)
    return page.save(path)


def _figures(report: SkewReport, row: SkewRow) -> list[Figure]:
    """The images whose answers changed most, read again; one that is gone meanwhile is left out."""
    figures = []
    for flip in row.flips[:DRAWN]:
        try:
            image = report.source.read(flip.index).image
        except (OffgraphError, OSError):
            continue
        shown = draw.fit(draw.to_rgb(image.array, image.axes), _SIDE)
        if flip.drawable is not None:
            shown = _both_answers(shown, flip.drawable, report.class_names)
        truth = f"; it is {flip.truth}" if flip.truth else ""
        caption = f"{flip.before} → {flip.after}"
        what = {"segment": "pixels", "detect": "boxes"}.get(report.task)
        kept = "" if what is None else f", {flip.same:.1%} of the {what} stay"
        figures.append(Figure(shown, caption, f"{flip.name}{truth}{kept}", alt=f"{flip.name}: {caption}"))
    return figures


def _both_answers(shown: np.ndarray, answers: Sequence[Target], class_names: Sequence[str]) -> np.ndarray:
    """The image under each answer, side by side."""
    gap = np.full((len(shown), _GAP, 3), 255, np.uint8)
    parts = [
        _under(shown, one) if isinstance(one, Mask) else mark(shown, [one], class_names=class_names)
        for one in answers
    ]
    return np.concatenate([parts[0], gap, parts[1]], axis=1)


def _under(shown: np.ndarray, mask: Mask) -> np.ndarray:
    """The image under a mask, which is brought to the size at which it is shown; of a volume the middle slice."""
    labels = mask.array
    if labels.ndim == 3:
        labels = labels[len(labels) // 2]
    places = [(np.arange(n) * size) // n for n, size in zip(shown.shape[:2], labels.shape)]
    return draw.overlay(shown, labels[np.ix_(*places)])

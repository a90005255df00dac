"""Outcomes of segmentation models."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.counting import count_of
from offgraph.core.tables import TableWriter, open_table_file
from offgraph.inference.described import CocoFile, declared, object_table, outlines
from offgraph.inference.files import write_drawing, write_mask, write_outlines
from offgraph.inference.measures import Kept, Overlaps, objects
from offgraph.inference.outcome import ON_PAGE, Outcome, rounded, share
from offgraph.inference.prediction import Prediction, Predictions, draw_mask
from offgraph.postprocess import Contours, Measure
from offgraph.views import draw
from offgraph.views.html import Figure, Report

__all__ = ["MaskOutcome"]

_SIDE = 480
_MOST_NUMBERS = 99
_OBJECT = ("area", "row", "column", "first_row", "first_column", "end_row", "end_column")
_VOLUME = (
    "area", "slice", "row", "column", "first_slice", "first_row", "first_column", "end_slice", "end_row", "end_column",
)  # fmt: skip


class MaskOutcome(Outcome):
    """Of a model that gives each image a mask.

    Parameters
    ----------
    run : Predictions
    folder : Path
    stack : ExitStack
        Closes the files of all images.
    """

    def __init__(self, run: Predictions, folder: Path, stack: ExitStack) -> None:
        super().__init__(run, folder)
        self.measured = run.source.has_masks
        self.columns = ("path", "objects", "foreground", "mask", *(("iou", "dice") if self.measured else ()))
        names = run.class_names
        if len(names) == max(run.outputs - 1, 1):
            names = ("background", *names)
        self.overlaps = Overlaps(names, numbered=run.numbered)
        self.objects = 0
        self._one = "object" if run.numbered else "label"
        self._objects_file = stack.enter_context(open_table_file(folder / "objects.csv"))
        self._table: TableWriter | None = None
        self._columns: tuple[str, ...] = ()
        self._measure = declared(Measure, run.postprocess)
        self._contours = declared(Contours, run.postprocess)
        self._coco: CocoFile | None = None
        self._lacking = 0
        if self._contours is not None and self._contours.format == "coco":
            file = stack.enter_context((folder / "contours.json").open("w", encoding="utf-8"))
            self._coco = CocoFile(file, names, numbered=run.numbered)
            stack.callback(self._coco.close)
        self._worst: Kept[tuple[Figure, ...]] = Kept(ON_PAGE // 2 if self.measured else ON_PAGE)

    def take(self, prediction: Prediction) -> dict[str, Any]:
        self.count += 1
        mask = prediction.mask
        assert mask is not None, "a segmentation model gives masks"
        sample = prediction.sample()
        image, truth = sample.image.array, sample.mask
        written = write_mask(prediction, self.folder / "masks")
        found = objects(mask)
        self.objects += len(found)
        self._describe(prediction, found, image)
        entry: dict[str, Any] = {
            "mask": written.relative_to(self.folder).as_posix(),
            "size": list(mask.shape),
            "foreground": rounded(np.count_nonzero(mask) / max(mask.size, 1)),
            "objects": found,
        }
        text = f"{count_of(len(found), self._one)}, {entry['foreground']:.1%} of the image"
        rank = 0.0
        if truth is not None:
            iou, dice = self.overlaps.add(truth.array, mask)
            entry |= {"iou": rounded(iou), "dice": rounded(dice)}
            text = f"IoU {iou:.1%}, Dice {dice:.1%}; {text}"
            rank = -iou
        self._show(prediction, image, None if truth is None else truth.array, len(found), rank, text)
        return entry

    def _describe(self, prediction: Prediction, found: list[dict[str, Any]], image: np.ndarray) -> None:
        """Write a row per object, and outlines where they are declared."""
        name, mask, table = prediction.item.name, prediction.mask, None
        assert mask is not None
        if self._measure is None:
            self._list(name, found, mask.ndim)
        else:
            table = object_table(self.run.postprocess, mask, prediction.axes, lambda: image)
            self._list_measures(name, table)
        if self._coco is not None:
            self._coco.add(name, mask)
        elif self._contours is not None:
            write_outlines(prediction, self.folder / "contours", outlines(self.run.postprocess, mask, table))

    def _list(self, name: str, found: list[dict[str, Any]], dimensions: int) -> None:
        """Write one row per object; the first image decides whether rows have a slice."""
        if self._table is None:
            self._table = TableWriter(
                self._objects_file, ("path", "label", *(_VOLUME if dimensions == 3 else _OBJECT))
            )
        for one in found:
            self._table.writerow((name, one["label"], one["area"], *one["centroid"], *one["bbox"]))

    def _list_measures(self, name: str, table: dict[str, np.ndarray]) -> None:
        """Write the declared measures; the first image decides which columns there are, such as one per channel."""
        if self._table is None:
            self._columns = tuple(table)
            self._table = TableWriter(self._objects_file, ("path", *self._columns))
        self._lacking += set(table) != set(self._columns)
        columns = [table[column].tolist() if column in table else None for column in self._columns]
        for row in range(len(table["label"])):
            self._table.writerow((name, *(None if column is None else column[row] for column in columns)))

    def _show(
        self,
        prediction: Prediction,
        image: np.ndarray,
        truth: np.ndarray | None,
        count: int,
        rank: float,
        text: str,
    ) -> None:
        """Draw the mask, into its file and where it may be needed for the page."""
        mask, axes = prediction.mask, prediction.axes
        assert mask is not None
        # A number would cover much of a small image: it is written where the image is shown enlarged.
        scale = _SIDE // max(*mask.shape[-2:], 1)
        numbers = count <= _MOST_NUMBERS
        drawn = draw_mask(image, mask, axes, numbers=numbers and scale < 2)
        write_drawing(prediction, self.folder / "drawn", drawn)
        if not self._worst.takes(rank):
            return
        large = draw_mask(image, mask, axes, numbers=numbers, scale=scale) if scale > 1 else drawn
        figures = [Figure(draw.fit(large, _SIDE), prediction.item.name, text)]
        if truth is not None:
            true = draw.fit(draw_mask(image, truth, axes, scale=max(scale, 1)), _SIDE)
            figures.append(Figure(true, "true mask", prediction.item.name))
        self._worst.add(rank, tuple(figures))

    def row(self, entry: dict[str, Any]) -> tuple[Any, ...]:
        known = (entry.get("iou"), entry.get("dice")) if self.measured else ()
        return (entry["path"], len(entry["objects"]), entry["foreground"], entry["mask"], *known)

    def found(self) -> dict[str, Any]:
        told = {"objects": self.objects, "notes": self._notes()}
        if not self.overlaps.count:
            return told
        iou, dice = self.overlaps.mean()
        return told | {
            "overlaps": tuple(self.overlaps.scores()),
            "iou": iou,
            "dice": dice,
        }

    def _notes(self) -> tuple[str, ...]:
        if not self._lacking:
            return ()
        return (
            f"objects.csv has the columns of the first image; {count_of(self._lacking, 'image')} with other channels or axes "
            "lack some: color='rgb' or 'grey' reads all images alike",
        )

    def overview(self, page: Report) -> None:
        facts: list[tuple[str, object]] = [("images", self.count), (f"{self._one}s", self.objects)]
        if self.overlaps.count:
            iou, dice = self.overlaps.mean()
            facts += [("mean IoU", f"{iou:.2%}"), ("mean Dice", f"{dice:.2%}")]
        page.facts([*facts, ("files set aside", len(self.run.quarantined))])
        for note in self._notes():
            page.text(note)
        if not self.overlaps.count:
            return
        what = "class" if self.overlaps.by_class else "objects against background"
        page.table(
            [what, "true pixels", "predicted", "common", "IoU", "Dice"],
            [
                (s.name, s.true, s.predicted, s.common, share(s.iou), share(s.dice))
                for s in self.overlaps.scores()
            ],
            "Over the pixels of all images. IoU: intersection over union of true and predicted pixels. Dice: twice the "
            "intersection over the sum of both."
            + (f" {self.overlaps.void:,} pixels of label 255 are left out." if self.overlaps.void else ""),
        )

    def images(self, page: Report) -> None:
        shown = [figure for figures in self._worst.highest() for figure in figures]
        page.section("Worst first" if self.overlaps.count else "Images")
        if self._worst.offered > len(self._worst):
            page.text(f"{len(self._worst)} of {self._worst.offered:,}; predictions.csv lists all of them.")
        page.figures(shown, columns=2 if self.overlaps.count else 3)

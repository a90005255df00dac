"""Outcomes of detectors: boxes and keypoints on the original images."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.counting import count_of
from offgraph.core.tables import TableWriter, dumps, open_table_file
from offgraph.inference.files import write_drawing
from offgraph.inference.measures import Kept
from offgraph.inference.outcome import ON_PAGE, Outcome, rounded
from offgraph.inference.prediction import DRAWN_FROM, Prediction, Predictions
from offgraph.sources.coco import category_ids
from offgraph.sources.names import nfc
from offgraph.views import draw
from offgraph.views.html import Figure, Report

__all__ = ["BoxOutcome"]

_SIDE = 480


class BoxOutcome(Outcome):
    """Of a model that gives each image boxes, keypoints, or both.

    Parameters
    ----------
    run : Predictions
    folder : Path
        Takes ``boxes.csv``, ``points.csv`` where there are keypoints, and ``coco_results.json``.
    stack : ExitStack
        Closes these files.
    """

    def __init__(self, run: Predictions, folder: Path, stack: ExitStack) -> None:
        super().__init__(run, folder)
        self.columns = ("path", "boxes", "best_score", "drawn")
        self.classes: Counter[str] = Counter()
        self.boxes = self.points = 0
        self._stack = stack
        self._ids = category_ids(map(nfc, run.class_names), run.source.category_ids)
        self._shown: Kept[Figure] = Kept(ON_PAGE)
        self._table = TableWriter(
            stack.enter_context(open_table_file(folder / "boxes.csv")),
            ("path", "class", "label", "score", "left", "upper", "right", "lower"),
        )
        self._points_table: TableWriter | None = None
        self._coco = stack.enter_context((folder / "coco_results.json").open("w", encoding="utf-8"))
        self._coco.write("[")
        stack.callback(lambda: None if self._coco.closed else self._coco.write("\n]\n"))

    def take(self, prediction: Prediction) -> dict[str, Any]:
        self.count += 1
        drawn = prediction.draw()
        written = write_drawing(prediction, self.folder / "drawn", drawn)
        name, objects = prediction.item.name, prediction.item.objects
        known = None if objects is None else objects.image_id
        image_id = prediction.index + 1 if known is None else known
        points = self._keypoints(prediction)
        found = self._listed(prediction, points)
        for one in found:
            self._table.writerow(
                (name, one["class"], one["label"], one["score"], *(rounded(edge) for edge in one["xyxy"]))
            )
            self._write_coco(image_id, one)
        self.boxes += len(found)
        self.classes.update(one["class"] for one in found)
        text = prediction.summary
        self._shown.add(0.0, Figure(draw.fit(drawn, _SIDE), text, name, alt=f"{name}: {text}"))
        entry: dict[str, Any] = {"image_id": image_id, "drawn": written.relative_to(self.folder).as_posix()}
        if prediction.boxes is not None:
            entry |= {"size": list(prediction.boxes.size), "boxes": found}
        else:
            entry |= {"boxes": [], "points": points}
        return entry

    def _listed(self, prediction: Prediction, points: list[Any]) -> list[dict[str, Any]]:
        """Every box as plain JSON."""
        boxes, scores = prediction.boxes, prediction.scores
        if boxes is None or scores is None:
            return []
        rows = zip(prediction.labelled, prediction.labels or (), scores.tolist(), boxes.to("xyxy").tolist())
        return [
            {
                "class": name,
                "label": label,
                "score": rounded(score),
                "xyxy": edges,
                **({"points": points[row]} if points else {}),
            }
            for row, (name, label, score, edges) in enumerate(rows)
        ]

    def _keypoints(self, prediction: Prediction) -> list[Any]:
        """Keypoints as [x, y, score], 0 at the image's edge; null where a point has no place. Each has its row in a table."""
        if prediction.points is None:
            return []
        places = prediction.points.places[..., ::-1] + 0.5
        scores = prediction.points.extra["score"][..., np.newaxis]
        values = np.concatenate([places, scores], axis=-1)
        self.points += int((prediction.points.visible != 0).sum())
        if self._points_table is None:
            file = self._stack.enter_context(open_table_file(self.folder / "points.csv"))
            self._points_table = TableWriter(file, ("path", "box", "point", "x", "y", "score"))
        several = values.ndim == 3
        for number, group in enumerate(values if several else values[np.newaxis]):
            for place, (x, y, score) in enumerate(group.tolist()):
                row = (prediction.item.name, number if several else None, place)
                known = (rounded(x), rounded(y)) if np.isfinite([x, y]).all() else (None, None)
                self._points_table.writerow((*row, *known, rounded(score)))
        return _plain(values)

    def _write_coco(self, image_id: int | str, one: dict[str, Any]) -> None:
        left, upper, right, lower = one["xyxy"]
        entry: dict[str, Any] = {
            "image_id": image_id,
            "category_id": self._category(one["label"]),
            "bbox": [left, upper, right - left, lower - upper],
            "score": one["score"],
        }
        if "points" in one:
            entry["keypoints"] = [
                0.0 if value is None else value for point in one["points"] for value in point
            ]
        self._coco.write(("," if self._coco.tell() > 1 else "") + "\n " + dumps(entry))

    def _category(self, label: int) -> int | str:
        """The id of a class: that of the COCO file that the images are from, else counted from 1."""
        return self._ids[label] if label < len(self._ids) else label + 1

    def row(self, entry: dict[str, Any]) -> tuple[Any, ...]:
        boxes = entry["boxes"]
        best = max((one["score"] for one in boxes), default=None)
        return (entry["path"], len(boxes), best, entry["drawn"])

    def found(self) -> dict[str, Any]:
        return {"objects": self.boxes, "classes": dict(self.classes.most_common())}

    def overview(self, page: Report) -> None:
        facts: list[tuple[str, object]] = [("images", self.count), ("boxes", self.boxes)]
        if self.points:
            facts.append(("keypoints", self.points))
        page.facts([*facts, ("files set aside", len(self.run.quarantined))])
        if self.classes:
            page.table(["class", "boxes"], self.classes.most_common())

    def images(self, page: Report) -> None:
        page.section("Images")
        page.text(
            f"Boxes are drawn from a score of {DRAWN_FROM:g} on, or half of the highest where none has that; boxes.csv lists all."
        )
        if self._shown.offered > len(self._shown):
            page.text(f"The first {count_of(len(self._shown), 'image')} of {self._shown.offered:,}.")
        page.figures(self._shown.highest(), columns=2)


def _plain(values: np.ndarray) -> list[Any]:
    """Nested lists, null in place of NaN."""
    if values.ndim > 1:
        return [_plain(part) for part in values]
    return [rounded(value) if np.isfinite(value) else None for value in values.tolist()]

"""What a detector says of one image: its outputs read as the model declares them, and brought to the original image."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from offgraph.core.errors import OffgraphError, OffgraphWarning, StepError
from offgraph.frameworks.detection_outputs import DetectionOutputs
from offgraph.geometry.frame import Frame
from offgraph.targets import Boxes, Points
from offgraph.targets.box_formats import boxes_of_edges, edges_of_boxes
from offgraph.targets.composed import is_mirrored, returning_legs

__all__ = ["Detections", "on_original", "read_detections"]

_SLACK = 1e-3
"""By how much rounding may bring a probability above 1."""

_FAR = 2.0
"""Shares of an image that boxes reach no further than."""


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes or keypoints of one image, on one grid, in the order of falling scores.

    Parameters
    ----------
    edges : ndarray of float64, shape (n, 4), or None
        Lower edges, then upper edges, pixel centres at integers; None of keypoints alone.
    scores : ndarray of float64, shape (n,)
    labels : ndarray of int64, shape (n,)
        Class numbers, from 0.
    points : ndarray of float64, shape (n, P, 2) or (P, 2), or None
        (row, column); NaN where there is no place for one.
    point_scores : ndarray of float64, shape (n, P) or (P,), or None
        0 for a point that is not in the image.
    """

    edges: np.ndarray | None
    scores: np.ndarray
    labels: np.ndarray
    points: np.ndarray | None = None
    point_scores: np.ndarray | None = None

    def rows(self, rows: np.ndarray) -> Detections:
        """Return some of the boxes, in the order of `rows`."""
        if self.edges is None:
            return self
        points = None if self.points is None else self.points[rows]
        point_scores = None if self.point_scores is None else self.point_scores[rows]
        return Detections(self.edges[rows], self.scores[rows], self.labels[rows], points, point_scores)


def read_detections(
    outputs: Mapping[str, np.ndarray],
    declared: DetectionOutputs,
    size: tuple[int, ...],
    classes: int,
    model: str,
) -> Detections:
    """Read a detector's outputs for one image.

    Parameters
    ----------
    outputs : mapping of str to ndarray
        Without the batch axis.
    declared : DetectionOutputs
        With the names of outputs resolved.
    size : tuple of int
        (H, W) of the image that the model was given.
    classes : int
        How many there are; 0 where nobody knows.
    model : str
        For messages.

    Raises
    ------
    OffgraphError
        For arrays of shapes that do not fit what is declared, or one another; names the output and the model.
    StepError
        For NaN and infinite values of boxes and keypoints that count, and for labels that are no classes.
    """
    reader = _Reader(outputs, declared, size, classes, model)
    if declared.boxes is None:
        return reader.points_alone()
    return reader.boxes()


@dataclass(eq=False)
class _Reader:
    """One image's outputs while they are read; see `read_detections`."""

    outputs: Mapping[str, np.ndarray]
    declared: DetectionOutputs
    size: tuple[int, ...]
    classes: int
    model: str

    def boxes(self) -> Detections:
        """Read everything, leave out padding, and put the surest box first."""
        parts = self._parts()
        numbers = parts["box"]
        count = len(numbers)
        scores, labels = self._scores_and_labels(parts, count)
        real = (np.arange(count) < self._count(count)) & (labels >= 0) & ~(scores <= 0)
        real &= labels < self.classes if self.classes and self.declared.background == "last" else True
        bad = real & ~(np.isfinite(numbers).all(axis=1) & np.isfinite(scores))
        if bad.any():
            at = int(bad.argmax())
            row = ", ".join(f"{value:g}" for value in numbers[at])
            raise StepError(f"the model's box {at} for it is ({row}) with score {scores[at]:g}, not finite")
        if real.any() and scores[real].max() > 1 + _SLACK:
            warnings.warn(
                f"{self.model}: scores reach {scores[real].max():g}, which are no probabilities; say "
                "DetectionOutputs(activation='sigmoid'), or 'softmax', if they are logits",
                OffgraphWarning,
                stacklevel=2,
            )
        rows = np.flatnonzero(real)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        edges = self._edges(numbers[rows])
        labels = labels[rows]
        self._check_labels(labels)
        whole = (edges[:, 2:] > edges[:, :2]).all(axis=1)
        turned = (edges[:, 2:] < edges[:, :2]).any(axis=1)
        if 2 * int(turned.sum()) > len(rows):
            raise StepError(
                f"{int(turned.sum())} of the model's {len(rows)} boxes for it end before they begin; is the format of its "
                f"output {self.declared.main!r} {self.declared.format!r}? Say what it is, DetectionOutputs(format=…)"
            )
        points, point_scores = self._points_of(parts.get("points"), count)
        if points is not None and point_scores is not None:
            points, point_scores = points[rows], point_scores[rows]
            self._check_points(points, point_scores)
        found = Detections(edges, scores[rows], labels, points, point_scores)
        return found if whole.all() else found.rows(np.flatnonzero(whole))

    def points_alone(self) -> Detections:
        """Read keypoints of the image as a whole."""
        values = self._output(self.declared.points)
        if values.ndim != 2 or values.shape[1] not in (2, 3):
            raise self._shape(self.declared.points, values, "(B, P, 2) or (B, P, 3) of keypoints alone")
        points, scores = self._places(values)
        self._check_points(points, scores)
        nothing = np.zeros(0)
        return Detections(None, nothing, nothing.astype(np.int64), points, scores)

    # ---- what is where

    def _output(self, name: str | int | None) -> np.ndarray:
        return np.asarray(self.outputs[str(name)], np.float64)

    def _shape(self, name: str | int | None, values: np.ndarray, wanted: str) -> OffgraphError:
        shape = ("B", *values.shape)
        given = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
        return OffgraphError(f"{self.model}: {name!r} has the shape {given}; expected {wanted}")

    def _parts(self) -> dict[str, np.ndarray]:
        """Boxes, scores, labels and points, one row each, of one output's columns and of others."""
        declared = self.declared
        values = self._output(declared.boxes)
        if declared.columns is None:
            if values.ndim != 2 or values.shape[1] != 4:
                raise self._shape(declared.boxes, values, "(B, N, 4), or say what its columns are, columns=")
            parts = {"box": values}
        else:
            if values.ndim != 2:
                raise self._shape(declared.boxes, values, "(B, N, columns)")
            parts = self._columns(values.T if declared.transposed else values)
        for part, name in (
            ("scores", declared.scores),
            ("label", declared.labels),
            ("points", declared.points),
        ):
            if name is not None:
                parts[part] = self._output(name)
        return parts

    def _columns(self, values: np.ndarray) -> dict[str, np.ndarray]:
        columns = self.declared.columns or ()
        widths: dict[str, int] = {"box": 4, "score": 1, "label": 1, "skip": 1}
        if self.declared.point_count is not None and "scores" in columns:
            widths["points"] = 3 * self.declared.point_count
        fixed = sum(widths.get(one, 0) for one in columns)
        rest = int(values.shape[1]) - fixed
        open_ = [one for one in columns if one not in widths]
        if rest < len(open_) or (rest and not open_):
            hint = "; is it transposed=True?" if not self.declared.transposed else ""
            raise OffgraphError(
                f"{self.model}: {self.declared.boxes!r} has {values.shape[1]} columns for {len(values)} boxes, and "
                f"columns={columns} are {fixed}{' and more' if open_ else ''}{hint}"
            )
        widths.update((one, rest) for one in open_)
        parts: dict[str, np.ndarray] = {}
        at = 0
        for one in columns:
            wide = widths[one]
            if one != "skip":
                parts[one] = values[:, at] if one in ("score", "label") else values[:, at : at + wide]
            at += wide
        return parts

    def _scores_and_labels(
        self, parts: Mapping[str, np.ndarray], count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The probability and the class of each box."""
        labels = self._labels(parts.get("label"), count)
        scores, one = parts.get("scores"), parts.get("score")
        if scores is None:
            scores = np.ones(count) if one is None else self._activated(one)
            return scores, np.zeros(count, np.int64) if labels is None else labels
        if len(scores) != count or scores.ndim not in (1, 2):
            raise self._shape(
                self.declared.scores, scores, f"(B, {count}) or (B, {count}, classes), a row per box"
            )
        scores = self._activated(scores)
        if scores.ndim == 2:
            scores, best = self._best(scores)
            labels = best if labels is None else labels
        if one is not None:
            scores = scores * self._activated(one)
        return scores, np.zeros(count, np.int64) if labels is None else labels

    def _best(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest class of each box and its probability, without the class of no object."""
        background = self.declared.background
        scores = (
            scores[:, 1:] if background == "first" else scores[:, :-1] if background == "last" else scores
        )
        if scores.shape[1] == 0 or (self.classes and scores.shape[1] != self.classes):
            raise OffgraphError(
                f"{self.model}: {self.declared.scores or self.declared.boxes!r} has scores of {scores.shape[1]} classes"
                f"{'' if background == 'none' else ' beside the background'}, and there are "
                f"{self.classes} class names"
            )
        if np.isnan(scores).any():
            rows: Any = np.isnan(scores).any(axis=1)
            scores = np.where(rows[:, np.newaxis], np.nan, scores)
        best = scores.argmax(axis=1)
        return scores[np.arange(len(scores)), best], best.astype(np.int64)

    def _activated(self, scores: np.ndarray) -> np.ndarray:
        kind = self.declared.activation
        if kind == "softmax" and scores.ndim == 2 and scores.shape[1]:
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            return powers / powers.sum(axis=1, keepdims=True)
        if kind == "none" or kind == "softmax":
            return scores
        small = np.exp(-np.abs(scores))  # of arguments below 0 alone: it never overflows
        return np.where(scores >= 0, 1 / (1 + small), small / (1 + small))

    def _labels(self, given: np.ndarray | None, count: int) -> np.ndarray | None:
        if given is None:
            return None
        name = self.declared.labels or self.declared.boxes
        if given.shape != (count,):
            hint = ": are these scores of classes? Say scores=" if given.ndim == 2 else ""
            raise self._shape(name, given, f"(B, {count}), one label per box{hint}")
        known: Any = np.where(np.isnan(given), -1, given)  # padding may be NaN; real boxes are whole
        if (known != np.round(known)).any():
            at = int((known != np.round(known)).argmax())
            raise StepError(f"the model's label of box {at} for it is {given[at]:g}, not a whole number")
        known = np.clip(known, -1, 1 << 31).astype(np.int64)
        return known - 1 if self.declared.background == "first" else known

    def _check_labels(self, labels: np.ndarray) -> None:
        if self.classes and (labels >= self.classes).any():
            raise StepError(
                f"the model's label {int(labels.max())} for it is not one of {self.classes} classes, counted from 0; where "
                "number 0 is the background, say DetectionOutputs(background='first')"
            )

    def _count(self, rows: int) -> int:
        if self.declared.count is None:
            return rows
        given = self._output(self.declared.count)
        if given.size != 1:
            raise self._shape(self.declared.count, given, "(B,) or (B, 1), the number of boxes")
        count = float(given.reshape(()))
        if not 0 <= count <= rows or count != int(count):
            raise StepError(f"the model's output {self.declared.count!r} for it is {count:g} of {rows} boxes")
        return int(count)

    # ---- coordinates

    def _edges(self, numbers: np.ndarray) -> np.ndarray:
        """Boxes in continuous coordinates with pixel centres at integers."""
        declared, (height, width) = self.declared, self.size
        kind = declared.format
        if kind in ("yxyx", "yxhw", "cyxhw"):
            numbers = numbers[:, [1, 0, 3, 2]]
            kind = {"yxyx": "xyxy", "yxhw": "xywh", "cyxhw": "cxcywh"}[kind]
        if declared.unit == "shares":
            if len(numbers) and np.median(np.abs(numbers).max(axis=1)) > _FAR:
                warnings.warn(
                    f"{self.model}: boxes reach to {np.abs(numbers).max():g}, which are no shares of an image; say "
                    "DetectionOutputs(unit='pixels') if they are pixels",
                    OffgraphWarning,
                    stacklevel=2,
                )
            numbers = numbers * np.array([width, height, width, height], np.float64)
        edges = edges_of_boxes(numbers, kind, self.size)  # type: ignore[arg-type]  # one of them
        if declared.origin == "centre":
            edges = edges + 0.5
        if declared.unit == "pixels" and len(edges) and min(self.size) > 8 and edges.max() <= 1.5:
            warnings.warn(
                f"{self.model}: no box reaches beyond the second pixel; say DetectionOutputs(unit='shares') if they are shares "
                "of the image",
                OffgraphWarning,
                stacklevel=2,
            )
        return edges

    def _places(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (…, 2 or 3) as (row, column), pixel centres at integers, and their scores."""
        declared = self.declared
        scores = (
            self._activated_alone(values[..., 2]) if values.shape[-1] == 3 else np.ones(values.shape[:-1])
        )
        places = values[..., :2] if declared.format in ("yxyx", "yxhw", "cyxhw") else values[..., 1::-1]
        if declared.unit == "shares":
            places = places * np.array(self.size, np.float64)
        zero = 1.0 if declared.format == "voc" else 0.0 if declared.origin == "centre" else 0.5
        return places - zero, scores

    @staticmethod
    def _check_points(places: np.ndarray, scores: np.ndarray) -> None:
        """Refuse scores that are not finite, and points without a place; one of a score of at most 0 need have none."""
        bad = ~np.isfinite(scores) | ((scores > 0) & ~np.isfinite(places).all(axis=-1))
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            which = f"keypoint {at[-1]} for it" + (
                f", of box {at[0]} by falling score," if len(at) > 1 else ""
            )
            y, x = places[at]
            raise StepError(
                f"the model's {which} is at row {y:g}, column {x:g} with score {scores[at]:g}, not finite"
            )

    def _activated_alone(self, scores: np.ndarray) -> np.ndarray:
        flat = self._activated(scores.reshape(-1)) if self.declared.activation == "sigmoid" else scores
        return flat.reshape(scores.shape)

    def _points_of(self, given: np.ndarray | None, count: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Keypoints of each box."""
        if given is None:
            return None, None
        if given.ndim == 2 and self.declared.points is None:
            number = self.declared.point_count or given.shape[1] // 3
            if number == 0 or given.shape[1] not in (2 * number, 3 * number):
                raise OffgraphError(
                    f"{self.model}: {self.declared.boxes!r} has {given.shape[1]} columns of points, which are not "
                    "three for each; say how many there are, point_count="
                )
            given = given.reshape(count, number, -1)
        if given.ndim != 3 or len(given) != count or given.shape[2] not in (2, 3):
            raise self._shape(self.declared.points, given, f"(B, {count}, P, 2) or (B, {count}, P, 3)")
        return self._places(given)


def on_original(
    found: Detections, size: tuple[int, ...], frame: Frame, pairs: tuple[tuple[int, int], ...]
) -> Detections:
    """Bring boxes and points to the original image.

    A box ends at the border of the image that the model was given, as those that it was trained on do, and at the border of
    the original; one of which nothing is left is dropped. A point outside stays where it is, with the score 0. Where the way
    back mirrors, the points of each pair change places.

    Parameters
    ----------
    found : Detections
        On the grid of what the model was given, of `size`.
    frame : Frame
        From the original to that grid.
    pairs : tuple of (int, int)
    """
    if found.edges is not None:
        limits = np.tile(np.array(size) - 0.5, 2)
        inside = np.clip(found.edges, -0.5, limits)
        boxes = Boxes(
            boxes_of_edges(inside, "xyxy", size), size=size, labels=found.labels, bad_boxes="skip"
        ).restored(frame)
        found = replace(found.rows(boxes.ids), edges=boxes.edges)
    if found.points is None or found.point_scores is None:
        return found
    points = Points(found.points, size=size, pairs=pairs).restored(frame)
    scores = found.point_scores
    if pairs and is_mirrored(returning_legs(frame.maps)):
        exchanged = np.arange(scores.shape[-1])
        for left, right in pairs:
            exchanged[[left, right]] = right, left
        scores = scores[..., exchanged]
    return replace(found, points=points.places, point_scores=np.where(points.visible, scores, 0.0))

"""What an error report holds: plain data, and JSON of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.choices import ModelTask
from offgraph.core.counting import count_of
from offgraph.inference.measures import ClassScore, ErrorScore, OverlapScore
from offgraph.inspection.errors.box_scores import BoxScore
from offgraph.inspection.errors.calibration import ReliabilityBin
from offgraph.inspection.errors.instances import InstanceScores, PanopticQuality, ThresholdScore

__all__ = [
    "BoxErrors",
    "CalibrationErrors",
    "ClassErrors",
    "ErrorReport",
    "InstanceErrors",
    "MaskErrors",
    "Mistake",
    "ObjectError",
    "OcclusionMap",
]


@dataclass(frozen=True)
class CalibrationErrors:
    """Whether the model is as often correct as it is sure.

    Parameters
    ----------
    error : float or None
        Expected calibration error: the mean of abs(accuracy - confidence) over ranges of confidence, each by its decisions.
    largest : float or None
        The largest abs(accuracy - confidence) of a range.
    bins : tuple of ReliabilityBin
    """

    error: float | None
    largest: float | None
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, eq=False)
class ClassErrors:
    """How well classes or labels are predicted.

    Parameters
    ----------
    accuracy : float or None
        Share of images whose class, or whose labels without exception, are correct.
    scores : tuple of ClassScore
        Of every class: ``true``, ``predicted`` and ``correct`` images, ``precision`` and ``recall``.
    calibration : CalibrationErrors
        Of the most probable class; of a multilabel model of the probability of each label.
    confusion : ndarray of int64 or None
        Images by true class (row) and predicted class (column); None for a multilabel model.
    """

    accuracy: float | None
    scores: tuple[ClassScore, ...]
    calibration: CalibrationErrors
    confusion: np.ndarray | None


@dataclass(frozen=True)
class InstanceErrors:
    """How well objects are found.

    Parameters
    ----------
    true, predicted : int
        Objects.
    scores : tuple of ThresholdScore
        At the IoU thresholds 0.5, 0.55, …, 0.95.
    mean : float or None
        Mean of the average precision over all thresholds.
    panoptic : PanopticQuality
    steps : tuple of str
        The result steps that made the objects, as in a recipe file.
    """

    true: int
    predicted: int
    scores: tuple[ThresholdScore, ...]
    mean: float | None
    panoptic: PanopticQuality
    steps: tuple[str, ...] = ()

    @classmethod
    def of(cls, counted: InstanceScores, steps: tuple[str, ...]) -> InstanceErrors:
        """Take what was counted."""
        return cls(
            counted.true, counted.predicted, counted.scores(), counted.mean(), counted.panoptic(), steps
        )

    @property
    def average_precision(self) -> float | None:
        """Average precision at an IoU of 0.5, over the objects of all images."""
        return self.scores[0].average_precision


@dataclass(frozen=True)
class MaskErrors:
    """How well masks are predicted.

    Parameters
    ----------
    overlaps : tuple of OverlapScore
        Of each class, over the pixels of all images: ``iou`` and ``dice``.
    iou, dice : float
        Their means over the classes that occur.
    by_class : bool
        Whether these are the overlaps of classes, and not of objects against background.
    instances : InstanceErrors or None
        Where predicted and true masks number objects.
    against : InstanceErrors or None
        Of the same probabilities with other result steps.
    note : str
        Why there are no scores of objects.
    """

    overlaps: tuple[OverlapScore, ...]
    iou: float
    dice: float
    by_class: bool
    instances: InstanceErrors | None = None
    against: InstanceErrors | None = None
    note: str = ""

    @property
    def gain(self) -> float | None:
        """Average precision at an IoU of 0.5 less that of `against`."""
        if self.instances is None or self.against is None:
            return None
        one, other = self.instances.average_precision, self.against.average_precision
        return None if one is None or other is None else one - other


@dataclass(frozen=True)
class BoxErrors:
    """How well boxes are found.

    Parameters
    ----------
    scores : tuple of BoxScore
        Of each class: ``true`` and ``predicted`` boxes, ``at_half`` and ``mean``, its average precision at an IoU of 0.5, and as the mean over
        0.5 to 0.95, ``by_threshold`` and ``recall``.
    """

    scores: tuple[BoxScore, ...]

    @property
    def at_half(self) -> float | None:
        """Average precision at an IoU of 0.5, the mean over the classes that have true boxes."""
        return self._mean([one.at_half for one in self.scores])

    @property
    def mean(self) -> float | None:
        """Average precision as the mean over the IoU thresholds 0.5 to 0.95 and over the classes that have true boxes."""
        return self._mean([one.mean for one in self.scores])

    @staticmethod
    def _mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True, eq=False)
class Mistake:
    """An image that is predicted wrongly, or worst.

    Parameters
    ----------
    name : str
    index : int
        Its number in the source.
    predicted, true : str
        What the model says, and what is known.
    rank : float
        How bad it is: the confidence of a wrong answer; of a multilabel model how many labels are wrong and how far the worst
        is from the threshold; of numbers the error as a multiple of the mean error; of masks 1 - IoU; of boxes the share of wrong ones,
        1 - found / (found + missed + false), at an IoU of 0.5 and a score of at least 0.3.
    drawn : ndarray of uint8 or None
        Of masks: image, true and predicted mask side by side, (H, W, 3); of boxes the true and the predicted ones over the image.
    """

    name: str
    index: int
    predicted: str
    true: str
    rank: float
    drawn: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class ObjectError:
    """An object that is not found, badly outlined, or not there.

    Parameters
    ----------
    name : str
        Of the image.
    index : int
    kind : str
        ``"missed"``: no predicted object has an IoU above 0.1 with it; ``"outlined"``: the best has a low one; ``"false"``: a
        predicted object without a true one.
    label : int
        Its number in the true mask, of a false one in the predicted mask.
    iou : float
        The best with any object of the other mask.
    area : int
        Pixels.
    drawn : ndarray of uint8
        The surroundings: image, true and predicted mask side by side, (H, W, 3).
    """

    name: str
    index: int
    kind: str
    label: int
    iou: float
    area: int
    drawn: np.ndarray


@dataclass(frozen=True, eq=False)
class OcclusionMap:
    """What an answer depends on.

    Parameters
    ----------
    name : str
        Of the image.
    index : int
    answer : str
        The class, label or number that is followed.
    value : float
        Its probability, or the number, for the whole image.
    map : ndarray of float32, (H, W) or (D, H, W)
        How far it falls where a part of the image is hidden; on the original grid.
    """

    name: str
    index: int
    answer: str
    value: float
    map: np.ndarray


@dataclass(frozen=True, eq=False)
class ErrorReport:
    """Where a model is wrong on a source whose answers are known: what `offgraph.report` returns.

    Parameters
    ----------
    path : Path or None
        The page, where one was written.
    model, source : str
        What was measured, and on what.
    task : {"classify", "multilabel", "regress", "segment", "detect"}
    count : int
        Images that were compared.
    unknown : int
        Images without a known answer, which are left out.
    quarantined : tuple of (name, reason)
        Images that could not be predicted, such as files that cannot be read and outputs that are not numbers.
    classes : ClassErrors or None
        Of a model of classes or labels.
    masks : MaskErrors or None
        Of a model of masks.
    numbers : tuple of ErrorScore
        Of a model of numbers.
    mistakes : tuple of Mistake
        The worst first.
    objects : tuple of ObjectError
        The worst first: most pixels lost.
    occlusion : tuple of OcclusionMap
        Of the first mistakes, then of other images; none for masks and boxes.
    boxes : BoxErrors or None
        Of a detector.
    """

    path: Path | None
    model: str
    source: str
    task: ModelTask
    count: int
    unknown: int
    quarantined: tuple[tuple[str, str], ...]
    classes: ClassErrors | None = None
    masks: MaskErrors | None = None
    numbers: tuple[ErrorScore, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    objects: tuple[ObjectError, ...] = ()
    occlusion: tuple[OcclusionMap, ...] = field(default=(), repr=False)
    boxes: BoxErrors | None = None

    def summary(self) -> str:
        """Return a few lines for people."""
        lines = [f"compared {count_of(self.count, 'image')} of {self.source} with what {self.model} predicts"]
        if self.classes is not None:
            if self.classes.accuracy is not None:
                what = "with exactly the true labels" if self.classes.confusion is None else "correct"
                lines.append(f"{what}: {self.classes.accuracy:.2%}")
            if self.classes.calibration.error is not None:
                lines.append(f"expected calibration error: {self.classes.calibration.error:.4f}")
        lines += [f"mean error of {score.name}: {score.mean:.4g}" for score in self.numbers]
        if self.boxes is not None:
            true = sum(one.true for one in self.boxes.scores)
            lines.append(
                f"{true:,} true boxes: AP at IoU 0.5 {said(self.boxes.at_half)}, 0.5 to 0.95 {said(self.boxes.mean)}"
            )
            lines += [
                f"  {one.name}: {said(one.at_half)}, {said(one.mean)}"
                for one in self.boxes.scores
                if one.true
            ]
        if self.masks is not None:
            lines.append(f"mean IoU {self.masks.iou:.2%}, mean Dice {self.masks.dice:.2%}")
            lines += self._of_objects(self.masks)
        if self.unknown:
            lines.append(f"left out {count_of(self.unknown, 'image')} without a known answer")
        if self.quarantined:
            name, why = self.quarantined[0]
            lines.append(f"set aside {count_of(len(self.quarantined), 'file')}; the first, {name}: {why}")
        if self.path is not None:
            lines.append(f"to look at: {self.path}")
        return "\n".join(lines)

    def _of_objects(self, masks: MaskErrors) -> list[str]:
        if masks.instances is None:
            return [masks.note] if masks.note else []
        one = masks.instances
        lines = [
            f"{count_of(one.true, 'true object')}, {one.predicted:,} predicted: AP at IoU 0.5 {said(one.average_precision)}, "
            f"0.5 to 0.95 {said(one.mean)}; panoptic quality {said(one.panoptic.quality)}"
        ]
        if masks.against is not None and masks.gain is not None:
            lines.append(
                f"AP at IoU 0.5 is {said(masks.against.average_precision)} with {' → '.join(masks.against.steps)}, and "
                f"{said(one.average_precision)} with {' → '.join(one.steps)}: {masks.gain:+.4f}"
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain JSON, but for the images; shares are fractions, and what has no value is null."""
        return {
            "offgraph": 1,
            "model": self.model,
            "source": self.source,
            "task": self.task,
            "images": self.count,
            "unknown": self.unknown,
            "quarantined": [{"name": name, "reason": why} for name, why in self.quarantined],
            "classes": None if self.classes is None else _of_classes(self.classes),
            "masks": None if self.masks is None else _of_masks(self.masks),
            "boxes": None if self.boxes is None else _of_boxes(self.boxes),
            "numbers": [
                {"name": s.name, "mean": s.mean, "root": s.root, "bias": s.bias, "explained": s.explained}
                for s in self.numbers
            ],
            "mistakes": [
                {"name": m.name, "predicted": m.predicted, "true": m.true, "rank": _plain(m.rank)}
                for m in self.mistakes
            ],
            "objects": [
                {"name": o.name, "kind": o.kind, "label": o.label, "iou": o.iou, "area": o.area}
                for o in self.objects
            ],
            "occlusion": [
                {"name": o.name, "answer": o.answer, "value": o.value, "largest": float(o.map.max(initial=0))}
                for o in self.occlusion
            ],
        }


def said(share: float | None) -> str:
    """A score of 0 to 1 with four digits; a dash where there is none."""
    return "–" if share is None else f"{share:.4f}"


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _of_classes(found: ClassErrors) -> dict[str, Any]:
    return {
        "accuracy": found.accuracy,
        "scores": [
            {
                "name": s.name,
                "true": s.true,
                "predicted": s.predicted,
                "correct": s.correct,
                "precision": s.precision,
                "recall": s.recall,
            }
            for s in found.scores
        ],
        "confusion": None if found.confusion is None else found.confusion.tolist(),
        "calibration": {
            "expected_error": found.calibration.error,
            "largest_error": found.calibration.largest,
            "bins": [
                {
                    "low": b.low,
                    "high": b.high,
                    "count": b.count,
                    "confidence": b.confidence,
                    "accuracy": b.accuracy,
                }
                for b in found.calibration.bins
            ],
        },
    }


def _of_boxes(found: BoxErrors) -> dict[str, Any]:
    return {
        "average_precision": found.at_half,
        "mean_average_precision": found.mean,
        "scores": [
            {
                "name": s.name,
                "true": s.true,
                "predicted": s.predicted,
                "average_precision": s.at_half,
                "mean_average_precision": s.mean,
                "by_threshold": None if s.by_threshold is None else list(s.by_threshold),
                "recall": s.recall,
            }
            for s in found.scores
        ],
    }


def _of_masks(found: MaskErrors) -> dict[str, Any]:
    return {
        "iou": found.iou,
        "dice": found.dice,
        "overlaps": [
            {
                "name": s.name,
                "true": s.true,
                "predicted": s.predicted,
                "common": s.common,
                "iou": s.iou,
                "dice": s.dice,
            }
            for s in found.overlaps
        ],
        "instances": None if found.instances is None else _of_instances(found.instances),
        "against": None if found.against is None else _of_instances(found.against),
        "gain": found.gain,
        "note": found.note or None,
    }


def _of_instances(found: InstanceErrors) -> dict[str, Any]:
    return {
        "steps": list(found.steps),
        "true": found.true,
        "predicted": found.predicted,
        "average_precision": found.average_precision,
        "mean_average_precision": found.mean,
        "panoptic_quality": found.panoptic.quality,
        "segmentation_quality": found.panoptic.segmentation,
        "recognition_quality": found.panoptic.recognition,
        "thresholds": [
            {
                "iou": s.threshold,
                "matched": s.matched,
                "false": s.false,
                "missed": s.missed,
                "average_precision": s.average_precision,
                "by_image": s.by_image,
            }
            for s in found.scores
        ],
    }

"""Takes predictions one by one, and keeps what an error report says of them; one class per task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from offgraph.core.random import Key
from offgraph.inference.measures import Errors, Kept, Overlaps, Scores
from offgraph.inference.prediction import Prediction, Predictions
from offgraph.inspection.errors.calibration import Calibration
from offgraph.inspection.errors.instances import InstanceScores, Matches, match_objects
from offgraph.inspection.errors.results import (
    CalibrationErrors,
    ClassErrors,
    InstanceErrors,
    MaskErrors,
    Mistake,
    ObjectError,
)
from offgraph.recipe.compose import Compose
from offgraph.recipe.files import recipe_line
from offgraph.targets import Image, Targets
from offgraph.views.mask_errors import masks_beside

__all__ = ["ClassCollector", "Collector", "LabelCollector", "MaskCollector", "NumberCollector"]

_APART = 0.1  # IoU below which two objects have nothing to do with one another
_MARGIN = 12  # least pixels around an object that is drawn


class Collector(ABC):
    """What all tasks share.

    Parameters
    ----------
    run : Predictions
    shown : int
        Mistakes that are kept.
    """

    truth = "class"
    """What is known of an image, for a message."""

    def __init__(self, run: Predictions, shown: int) -> None:
        self.run, self.shown = run, shown
        self.count = self.unknown = 0
        self.wrong: Kept[Mistake] = Kept(shown)
        self.others: Kept[int] = Kept(shown)
        """Indices of images that are no mistakes, the least sure first."""

    def take(self, prediction: Prediction) -> None:
        """Compare one prediction with what is known; one of which nothing is known is counted."""
        if self.compared(prediction):
            self.count += 1
        else:
            self.unknown += 1

    @abstractmethod
    def compared(self, prediction: Prediction) -> bool:
        """Compare, and return whether anything is known."""

    @abstractmethod
    def results(self) -> dict[str, Any]:
        """Return what an `ErrorReport` says of this task, by its parameters."""


class ClassCollector(Collector):
    """Of a model that gives each image one class."""

    def __init__(self, run: Predictions, shown: int, bins: int) -> None:
        super().__init__(run, shown)
        self.scores = Scores(run.class_names)
        self.calibration = Calibration(bins)

    def compared(self, prediction: Prediction) -> bool:
        truth, label, sure = prediction.true_labels, prediction.label, prediction.probability
        if truth is None or len(truth) != 1 or label is None or sure is None:
            return False
        self.scores.add(truth, (label,))
        self.calibration.add([sure], [truth[0] == label])
        if truth[0] == label:
            self.others.add(1 - sure, prediction.index)
        elif self.wrong.takes(sure):
            true = prediction.class_names[truth[0]]
            self.wrong.add(
                sure, Mistake(prediction.item.name, prediction.index, prediction.summary, true, sure)
            )
        return True

    def results(self) -> dict[str, Any]:
        true, predicted = self.scores.pairs()
        table = np.zeros((len(self.run.class_names),) * 2, np.int64)
        np.add.at(table, (true, predicted), 1)
        return {"classes": _class_errors(self.scores, self.calibration, table)}


class LabelCollector(Collector):
    """Of a model that gives each image any number of labels."""

    truth = "set of labels"

    def __init__(self, run: Predictions, shown: int, bins: int) -> None:
        super().__init__(run, shown)
        self.scores = Scores(run.class_names)
        self.calibration = Calibration(bins)

    def compared(self, prediction: Prediction) -> bool:
        truth, labels = prediction.true_labels, prediction.labels
        if truth is None or labels is None:
            return False
        self.scores.add(truth, labels)
        values = prediction.probabilities
        known = np.isin(np.arange(len(values)), truth)
        self.calibration.add(values, known)
        distance = np.abs(values - self.run.threshold)
        wrong = sorted(set(truth) ^ set(labels))
        if not wrong:
            self.others.add(1 - float(distance.min(initial=1)), prediction.index)
            return True
        rank = len(wrong) + float(distance[wrong].max())
        if self.wrong.takes(rank):
            true = ", ".join(prediction.class_names[number] for number in truth) or "no label"
            self.wrong.add(
                rank, Mistake(prediction.item.name, prediction.index, prediction.summary, true, rank)
            )
        return True

    def results(self) -> dict[str, Any]:
        return {"classes": _class_errors(self.scores, self.calibration, None)}


def _class_errors(scores: Scores, calibration: Calibration, confusion: np.ndarray | None) -> ClassErrors:
    measured = CalibrationErrors(calibration.error(), calibration.largest(), calibration.bins())
    return ClassErrors(scores.exact, tuple(scores.classes()), measured, confusion)


class NumberCollector(Collector):
    """Of a model that gives each image numbers."""

    truth = "number"

    def __init__(self, run: Predictions, shown: int) -> None:
        super().__init__(run, shown)
        self.errors = Errors(run.target_names)

    def compared(self, prediction: Prediction) -> bool:
        truth, values = prediction.true_values, prediction.values
        if truth is None or values is None:
            return False
        self.errors.add(prediction.index, truth, values)
        return True

    def results(self) -> dict[str, Any]:
        columns = self.errors.columns()
        shares = [np.abs(found - true) / (np.abs(found - true).mean() or 1.0) for _, true, found in columns]
        mistakes = []
        for place in self.errors.worst(self.shown):
            index = self.errors.indices[place]
            said = [
                ", ".join(f"{name} {column[place]:.5g}" for name, column in pairs)
                for pairs in ([(n, p) for n, _, p in columns], [(n, t) for n, t, _ in columns])
            ]
            rank = max(float(share[place]) for share in shares)
            mistakes.append(Mistake(self.run.source[index].name, index, said[0], said[1], rank))
        return {"numbers": tuple(self.errors.scores()), "mistakes": tuple(mistakes)}


class MaskCollector(Collector):
    """Of a model that gives each image a mask.

    Parameters
    ----------
    run : Predictions
    shown : int
    steps : Compose
        The result steps that make the masks.
    against : Compose or None
        Others, to compare with.
    instances : bool or None
        Whether true masks number objects; None where they are to show it.
    """

    truth = "mask"

    def __init__(
        self,
        run: Predictions,
        shown: int,
        steps: Compose,
        against: Compose | None,
        instances: bool | None,
    ) -> None:
        super().__init__(run, shown)
        names = run.class_names
        if len(names) == run.outputs - 1:
            names = ("background", *names)
        self.overlaps = Overlaps(names, numbered=run.numbered)
        self.steps, self.against, self.instances = steps, against, instances
        self.counted, self.counted_against = InstanceScores(), InstanceScores()
        self.objects: Kept[ObjectError] = Kept(shown)
        self._most_labels = 0
        """Objects in the true mask that has most."""

    def compared(self, prediction: Prediction) -> bool:
        sample = prediction.sample()
        if sample.mask is None or prediction.mask is None:
            return False
        true, mask = sample.mask.array, prediction.mask
        iou, dice = self.overlaps.add(true, mask)
        text, rank = f"IoU {iou:.1%}, Dice {dice:.1%}", 1 - iou
        image = sample.image.array
        if self.run.numbered and self.instances is not False:
            found = match_objects(true, mask)
            own = self.counted.add(found)
            text = f"AP at IoU 0.5 {own:.1%}, {text}; {len(found.predicted):,} objects"
            rank = 1 - own + (1 - iou) / 1000  # of equal ones the worse outlined first
            self._most_labels = max(self._most_labels, len(found.true))
            self._objects(prediction, image, true, mask, found)
            if self.against is not None:
                self.counted_against.add(match_objects(true, self._other(prediction, self.against)))
        if rank > 0 and self.wrong.takes(rank):
            known = f"{len(np.setdiff1d(true, [0])):,} labels"
            drawn = self._drawn(prediction, image, [true, mask])
            self.wrong.add(rank, Mistake(prediction.item.name, prediction.index, text, known, rank, drawn))
        return True

    def _other(self, prediction: Prediction, steps: Compose) -> np.ndarray:
        """Masks of the same probabilities by other result steps."""
        values, mask = prediction.probabilities, prediction.mask
        assert mask is not None
        axes = ("ZYX" if mask.ndim == 3 else "YX") + ("C" if values.ndim > mask.ndim else "")
        key = Key(0, 0, prediction.index)
        return steps.run(Targets.of_image(Image(values, axes)), key).targets.image.array

    def _objects(
        self, prediction: Prediction, image: np.ndarray, true: np.ndarray, mask: np.ndarray, found: Matches
    ) -> None:
        """Keep the worst objects of an image, by the pixels that are lost."""
        best, alone = found.best(), found.unfounded()
        candidates = [
            (float((1 - best[n]) * found.true_area[n]), "outlined" if best[n] > _APART else "missed", n)
            for n in _most((1 - best) * found.true_area, self.shown)
            if best[n] < 1
        ] + [
            (float(found.predicted_area[n]), "false", n)
            for n in _most(np.where(alone > _APART, 0, found.predicted_area), self.shown)
            if alone[n] <= _APART
        ]
        for rank, kind, n in candidates:
            if not self.objects.takes(rank):
                continue
            false = kind == "false"
            label = found.predicted[n] if false else found.true[n]
            window = _around((mask if false else true) == label)
            parts = [one[window] if one.ndim == 2 else one[window][0] for one in (true, mask)]
            drawn = self._drawn(prediction, image, parts, window)
            self.objects.add(
                rank,
                ObjectError(
                    prediction.item.name,
                    prediction.index,
                    kind,
                    int(label),
                    float(alone[n] if false else best[n]),
                    int(found.predicted_area[n] if false else found.true_area[n]),
                    drawn,
                ),
            )

    def _drawn(
        self,
        prediction: Prediction,
        image: np.ndarray,
        masks: list[np.ndarray],
        window: tuple[slice, ...] | None = None,
    ) -> np.ndarray:
        """Image and masks, or the part of them in a window; of a volume one slice."""
        axes, shades = prediction.axes, _shades(image)
        if window is None and masks[0].ndim == 3:
            middle = masks[0].shape[0] // 2
            masks = [mask[middle] for mask in masks]
            window = (slice(middle, middle + 1), slice(None), slice(None))
        if window is not None:
            at = dict(zip([axis for axis in axes if axis in "ZYX"], window))
            image = image[tuple(at.get(axis, slice(None)) for axis in axes)]
        if "Z" in axes:
            image, axes = image.take(0, axes.index("Z")), axes.replace("Z", "")
        return masks_beside(image, masks, axes=axes, range=shades)

    def results(self) -> dict[str, Any]:
        iou, dice = self.overlaps.mean()
        note = ""
        if self.instances is not False and not self.run.numbered:
            note = (
                "the result steps do not number objects, so there are no scores of objects: end them with Label or "
                "DistanceWatershed"
            )
        elif self.instances is None and self._most_labels < 2 < self.counted.predicted:
            note = (
                "no true mask has more than one label, so they are taken not to number objects, and there are no scores of "
                "objects; if they do, say instances=True (--instances)"
            )
        counted = self.run.numbered and self.instances is not False and not note
        against = counted and self.against is not None
        return {
            "masks": MaskErrors(
                tuple(self.overlaps.scores()),
                iou,
                dice,
                self.overlaps.by_class,
                InstanceErrors.of(self.counted, _lines(self.steps)) if counted else None,
                InstanceErrors.of(self.counted_against, _lines(self.against)) if against else None,  # type: ignore[arg-type]
                note,
            ),
            "objects": tuple(self.objects.highest()) if counted else (),
        }


def _lines(steps: Compose) -> tuple[str, ...]:
    return tuple(recipe_line(step).removeprefix("- ") for step in steps.steps)


def _most(values: np.ndarray, count: int) -> list[int]:
    """Places of the largest values, the largest first, of equal ones the first."""
    return np.argsort(-values, kind="stable")[:count].tolist()


def _around(inside: np.ndarray) -> tuple[slice, ...]:
    """A window around an object: half its length wider on each side; of a volume the slice where it has most pixels."""
    window: list[slice] = []
    if inside.ndim == 3:
        middle = int(inside.sum(axis=(1, 2)).argmax())
        window, inside = [slice(middle, middle + 1)], inside[middle]
    for axis in (0, 1):
        places = np.flatnonzero(inside.any(axis=1 - axis))
        first, last = int(places[0]), int(places[-1]) + 1
        margin = max(_MARGIN, (last - first) // 2)
        window.append(slice(max(0, first - margin), min(inside.shape[axis], last + margin)))
    return tuple(window)


def _shades(image: np.ndarray) -> tuple[float, float] | None:
    """What is shown black and white: nearly all of the image's values, for faint objects are to be seen, too."""
    finite = image[np.isfinite(image)]
    if not finite.size:
        return None
    low, high = np.percentile(finite, (0.1, 99.9)).tolist()
    return (low, high) if high > low else None

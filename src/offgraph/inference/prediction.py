"""The prediction for one image, and the run that it belongs to."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.calibration import Calibration
from offgraph.core.choices import ModelTask
from offgraph.core.display import NotebookView
from offgraph.core.machine import with_retries
from offgraph.formats.encoding import show
from offgraph.geometry.frame import Frame
from offgraph.inference.described import object_table, outlines
from offgraph.inference.files import write_drawing, write_mask
from offgraph.recipe.compose import Compose
from offgraph.sources import Item, Sample, Source
from offgraph.sources.classes import class_numbers
from offgraph.sources.names import nfc
from offgraph.targets import Boxes, Points
from offgraph.views.draw import overlay, to_rgb
from offgraph.views.marks import mark
from offgraph.views.sheets import sheet

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["DRAWN_FROM", "Prediction", "Predictions", "draw_mask", "draw_objects"]

DRAWN_FROM = 0.3
"""Score from which a box is drawn."""


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(NotebookView):
    """The prediction for one image, on the image's own grid.

    The grid is that of the upright image: what `offgraph.imread` gives, its EXIF orientation applied.

    Parameters
    ----------
    item : Item
        The file.
    class_names : tuple of str
        By class number; for a model that was saved without names, the numbers.
    probabilities : ndarray of float32
        For a classification model (K,); one output p counts as the two classes (1 - p, p). For a multilabel model
        (K,), each between 0 and 1 by itself. For a segmentation model (H, W) or (H, W, K), or the same with a depth
        before it, on the original grid; 0 where the recipe cut the image off. Empty for a regression model, (0,).
    label : int or None
        Number of the likeliest class, of a classification model.
    mask : ndarray of integers or None
        Labels, (H, W) or (D, H, W), of a segmentation model; 0 is background, also where the model saw nothing.
    record : dict
        What the recipe did, plain JSON.
    axes : str
        Axes of the original, such as ``"YXC"``.
    orientation : int
        EXIF orientation that was applied in reading, 1 to 8.
    run : Predictions
        The run that it belongs to: source, recipe, task.
    index : int
        Number of the image in its source.
    labels : tuple of int or None
        Of a multilabel model: the numbers of the classes above the run's threshold. Of a detector: the class of each box.
    values : tuple of float or None
        Of a regression model: one for each of ``run.target_names``.
    raw : mapping of str to ndarray
        All outputs of the model for this image, by name, as it gave them: logits where it gives logits. A model of one
        output has the name ``"output"``. Of several models, the first one's; with test-time augmentation, those
        for the image as it is.
    frame : Frame or None
        From the original to the grid that the model takes, of a segmentation model to the one that it outputs:
        ``frame.undo(heatmap=raw["distance"])`` brings a further output on that grid back.
    boxes : Boxes or None
        Of a detector: the boxes on the original, by falling score; class numbers are `labels`, scores the column ``"score"``.
        ``boxes.array`` has them as left, upper, right and lower edge in pixels.
    points : Points or None
        Keypoints of each box, or of the image where the model gives no boxes, with their scores as the column ``"score"``.
    calibration : Calibration or None
        What the file declares of the original grid: ``calibration.spacing`` has the pixel sizes by axis.
    """

    item: Item
    class_names: tuple[str, ...]
    probabilities: np.ndarray
    label: int | None
    mask: np.ndarray | None
    record: dict[str, Any]
    axes: str
    orientation: int
    run: Predictions
    index: int
    labels: tuple[int, ...] | None = None
    values: tuple[float, ...] | None = None
    raw: Mapping[str, np.ndarray] = field(default_factory=dict)
    frame: Frame | None = None
    boxes: Boxes | None = None
    points: Points | None = None
    calibration: Calibration | None = None

    def __repr__(self) -> str:
        if self.mask is not None:
            size = " × ".join(map(str, self.mask.shape))
            described = f"mask of {size} pixels, labels up to {int(self.mask.max(initial=0))}"
        else:
            described = self.summary
        return f"<Prediction of {self.item.name!r}: {described}>"

    @property
    def summary(self) -> str:
        """The result in a few words, such as ``"cat 98.2%"``, ``"cat, dog"`` or ``"age 31.5"``; a mask has none."""
        if self.values is not None:
            return ", ".join(f"{name} {value:.5g}" for name, value in zip(self.target_names, self.values))
        if self.boxes is not None:
            counted = Counter(self.labelled)
            return ", ".join(f"{count:,} {name}" for name, count in counted.most_common()) or "no box"
        if self.points is not None:
            return f"{int((self.points.visible != 0).sum()):,} points"
        if self.labels is not None:
            return ", ".join(self.labelled) or "no label"
        return "" if self.label is None else f"{self.class_name} {self.probability:.1%}"

    @property
    def class_name(self) -> str | None:
        """Name of the likeliest class, of a classification model."""
        return None if self.label is None else self.class_names[self.label]

    @property
    def probability(self) -> float | None:
        """Probability of the likeliest class, of a classification model."""
        return None if self.label is None else float(self.probabilities[self.label])

    @property
    def labelled(self) -> tuple[str, ...]:
        """Names of the classes in `labels`: of a multilabel model, or of each box of a detector."""
        names = self.class_names or _Numbered()
        return tuple(names[number] for number in self.labels or ())

    @property
    def scores(self) -> np.ndarray | None:
        """Of a detector: the probability of each of `boxes`, float64."""
        return None if self.boxes is None else self.boxes.extra["score"]

    @property
    def true_boxes(self) -> Boxes | None:
        """The boxes of the source, with class numbers of the model as labels; None where there are none. Reads the file again."""
        if self.run.task != "detect" or self.item.objects is None:
            return None
        return self.sample().boxes

    @property
    def target_names(self) -> tuple[str, ...]:
        """Name of each of `values`, for a regression model."""
        return self.run.target_names

    @property
    def true_class(self) -> str | None:
        """Name of the image's class in the source, if it has one."""
        if not isinstance(self.item.label, int):
            return None
        return self.run.source.class_names[self.item.label]

    @property
    def true_labels(self) -> tuple[int, ...] | None:
        """Numbers, among the model's classes, of those that the source gives the image; None where it gives none.

        None too where one of them is not a class of the model.
        """
        given = self.item.label
        if given is None or not self.run.source.class_names:
            return None
        names = self.run.source.class_names
        found = [self.run.class_numbers.get(nfc(names[number])) for number in class_numbers(given)]
        return None if None in found else tuple(sorted(number for number in found if number is not None))

    @property
    def true_values(self) -> tuple[float, ...] | None:
        """What the source itself gives as each of the model's numbers, by their names where it has those."""
        given: Any = self.item.label
        places = self.run.target_places
        if self.values is None or places is None or not isinstance(given, tuple):
            return None
        return tuple(float(given[place]) for place in places)

    @property
    def image(self) -> np.ndarray:
        """The original, upright, read from its file again: predictions in a list do not hold their images."""
        return self.sample().image.array

    @property
    def table(self) -> dict[str, np.ndarray] | None:
        """Measures of the objects of `mask`, a column each, as `Measure` among the result steps says; all without it.

        See :func:`offgraph.measure` for the columns. Reads the original where its values are measured. None for other tasks.
        """
        if self.mask is None:
            return None
        return object_table(self.run.postprocess, self.mask, self.axes, lambda: self.image)

    @property
    def geojson(self) -> dict[str, Any] | None:
        """Outlines of the objects of `mask` as GeoJSON, with the columns of `table` as properties; None for other tasks.

        See :func:`offgraph.geojson`. Of volumes there are none: ArgumentError.
        """
        return None if self.mask is None else outlines(self.run.postprocess, self.mask, self.table)

    def sample(self) -> Sample:
        """Read the original and its mask, where the source has masks, from their files again."""
        return with_retries(lambda: self.run.source.read(self.index))

    def draw(self, *, numbers: bool = False, scale: int = 1, image: np.ndarray | None = None) -> np.ndarray:
        """Draw the prediction: the mask or the boxes over the original, or the original with its class below.

        Boxes are drawn from a score of 0.3 on, or half of the highest where none has that.

        Parameters
        ----------
        numbers : bool
            Write each label of a mask beside its object.
        scale : int
            Draw each pixel of a mask and its image this many times as wide and as high: numbers have one size,
            which is large beside a small image.
        image : ndarray, optional
            The original, where it is in memory already; otherwise it is read from its file.

        Returns
        -------
        ndarray
            uint8, (H, W, 3), `scale` times the original's size for a mask. Of a volume the middle slice.
        """
        array = self.image if image is None else image
        if self.run.task == "detect":
            return draw_objects(array, self.axes, (self.boxes, self.points), self.class_names, scale=scale)
        if self.mask is None:
            rgb = to_rgb(array, self.axes)
            return sheet([[(rgb, self.summary)]], side=320)
        return draw_mask(array, self.mask, self.axes, numbers=numbers, scale=scale)

    picture = draw  # former name

    def show(self) -> Any:
        """Show the drawn prediction: in a notebook inline, elsewhere in the platform's viewer."""
        return show(self.draw())

    def save(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write the label mask, if there is one, and the drawn prediction below `folder`.

        Returns
        -------
        dict
            ``"picture"`` and, for a segmentation model, ``"mask"``, with the path of each file. Masks are 16-bit PNG,
            TIFF where labels pass 65535 or the image is a volume, and ``.npy`` of an image without pixels.
        """
        written = {"picture": write_drawing(self, Path(folder))}
        if self.mask is not None:
            written["mask"] = write_mask(self, Path(folder))
        return written


def draw_objects(
    array: np.ndarray,
    axes: str,
    targets: tuple[Boxes | None, Points | None],
    class_names: Sequence[str],
    *,
    scale: int = 1,
) -> np.ndarray:
    """Draw boxes and keypoints over their image; of those with scores the likely ones."""
    boxes, points = targets
    rgb = to_rgb(array, axes)
    if scale > 1:
        rgb = rgb.repeat(scale, 0).repeat(scale, 1)
    if boxes is not None and "score" in boxes.extra:
        score = boxes.extra["score"]
        rows = np.flatnonzero(score >= min(DRAWN_FROM, score.max(initial=0.0) / 2))
        boxes = boxes.taken(rows, "not drawn")
        if points is not None:
            points = Points(points.places[rows], size=points.size, visible=points.visible[rows])
    return mark(rgb, [one for one in (boxes, points) if one is not None], class_names=class_names)


class _Numbered(Sequence[str]):
    """Numbers as the names of classes whose count is not known."""

    def __len__(self) -> int:
        return 0

    def __getitem__(self, number: Any) -> Any:
        return str(number)


def draw_mask(
    array: np.ndarray, mask: np.ndarray, axes: str, *, numbers: bool = False, scale: int = 1
) -> np.ndarray:
    """Draw a mask over its image; of a volume the middle slice."""
    if mask.ndim == 3:
        if not len(mask):  # a volume without slices
            return np.zeros((0, 0, 3), np.uint8)
        middle = mask.shape[0] // 2
        mask, array, axes = mask[middle], array.take(middle, axes.index("Z")), axes.replace("Z", "")
    if scale > 1:
        mask = mask.repeat(scale, 0).repeat(scale, 1)
        array = array.repeat(scale, axes.index("Y")).repeat(scale, axes.index("X"))
    return overlay(array, mask, axes=axes, numbers=numbers)


class Predictions(Iterator[Prediction]):
    """Iterator over the predictions of a source; each is computed when it is needed.

    Attributes
    ----------
    source : Source
    recipe : Compose
        What each image gets.
    class_names : tuple of str
        Empty for a regression model.
    target_names : tuple of str
        Of a regression model: what each number is.
    target_places : tuple of int or None
        Where the labels of the source hold each of them; None where they do not hold them all.
    task : {"classify", "multilabel", "regress", "segment", "detect"}
        What the model does.
    threshold : float
        Of a multilabel model: a class above it is one of the image's labels.
    numbered : bool
        Of a segmentation model: whether its labels number objects, and are not classes.
    postprocess : Compose or None
        The result steps.
    outputs : int
        Values that the model outputs, of a segmentation model per pixel.
    quarantined : list of (name, reason)
        Images that were set aside so far.
    """

    def __init__(
        self,
        saved: SavedModel,
        source: Source,
        recipe: Compose,
        predictions: Callable[[Predictions], Generator[Prediction, None, None]],
        *,
        class_names: tuple[str, ...],
        target_names: tuple[str, ...] = (),
        threshold: float = 0.5,
        numbered: bool = False,
        postprocess: Compose | None = None,
    ) -> None:
        self.source, self.recipe, self.postprocess = source, recipe, postprocess
        self.task: ModelTask = saved.task
        self.class_names, self.target_names, self.threshold = class_names, target_names, threshold
        self.numbered = numbered
        self.outputs: int = saved.main.output_shape[-1] or 1
        self.class_numbers = {nfc(name): number for number, name in enumerate(class_names)}
        self.target_places = _places(target_names, source.target_names)
        self.quarantined: list[tuple[str, str]] = []
        self._predictions = predictions(self)

    def __repr__(self) -> str:
        return f"<Predictions of {len(self.source):,} in {str(self.source.root)!r}, task {self.task!r}>"

    def __next__(self) -> Prediction:
        return next(self._predictions)

    def close(self) -> None:
        """Stop early, and end all threads."""
        self._predictions.close()


def _places(wanted: Sequence[str], given: Sequence[str]) -> tuple[int, ...] | None:
    """Where a source has each of a model's numbers: by name; in their order where no name is shared; else None."""
    names = [nfc(name) for name in given]
    asked = [nfc(name) for name in wanted]
    if set(asked) <= set(names):
        return tuple(map(names.index, asked))
    alike = len(asked) == len(names) and not set(asked) & set(names)
    return tuple(range(len(asked))) if alike else None

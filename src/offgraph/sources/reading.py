"""Options of a source, parsed: how its files are read, and what its labels are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from offgraph.core.arguments import whole_number
from offgraph.core.axes import name_axes
from offgraph.core.choices import Alpha, Color, LabelSource, MissingMask, ObjectMasks, Task
from offgraph.core.errors import ArgumentError, SourceError, StepError
from offgraph.formats.decoding import MAX_PIXELS, page_number
from offgraph.sources.masks import MaskValue, MaskValues, parse_mask_values
from offgraph.sources.names import parse_class_names

__all__ = ["LabelOptions", "Reading"]


@dataclass(frozen=True)
class Reading:
    """How the files of a source are read; see `offgraph.formats.decoding.read` for each.

    Parameters
    ----------
    color : {"rgb", "keep", "grey"}
        Colour policy of the images.
    axes : str or None
        Axes of stacks that do not say which they have.
    alpha : {"drop", "white", "black"}
        How transparency is handled.
    max_pixels : int
        Limit on each image.
    missing_mask : {"error", "skip", "background"}
        What an image without a mask means where others have one: refused when the source is opened, left out, or
        read with a mask of zeros.
    page : int or None
        The page of multi-page TIFFs that is read, from 0. A mask with one page goes with every page.
    mask_values : mapping of int or colour to int, optional
        What the values in the files of masks mean, such as ``{255: 1}`` or ``{(128, 0, 0): 1}``; kept as sorted pairs. 0 and
        black stay 0 unless they are named. A mask with other values is refused.
    object_masks : {"instances", "semantic"} or None
        The masks that are drawn from the regions of annotated objects.

    Raises
    ------
    SourceError
        For a value that is not among these.
    """

    color: Color = "rgb"
    axes: str | None = None
    alpha: Alpha = "drop"
    max_pixels: int = MAX_PIXELS
    missing_mask: MissingMask = "error"
    page: int | None = None
    mask_values: MaskValues | tuple[tuple[MaskValue, int], ...] | None = None
    object_masks: ObjectMasks | None = None

    def __post_init__(self) -> None:
        choices = {
            "color": get_args(Color),
            "alpha": get_args(Alpha),
            "missing_mask": get_args(MissingMask),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise SourceError(
                    f"{name}={getattr(self, name)!r:.80}: choose one of {', '.join(map(repr, allowed))}"
                )
        if self.axes is not None:
            if not isinstance(self.axes, str):
                raise SourceError(f"axes={self.axes!r:.80}: use one letter per axis, such as 'ZYX'")
            try:
                name_axes((1,) * len(self.axes), self.axes)
            except StepError as error:
                raise SourceError(str(error)) from error
        object.__setattr__(self, "max_pixels", whole_number("max_pixels", self.max_pixels, SourceError))
        if self.page is not None:
            try:
                object.__setattr__(self, "page", page_number(self.page))
            except ArgumentError as error:
                raise SourceError(str(error)) from error
        object.__setattr__(self, "mask_values", parse_mask_values(self.mask_values))


@dataclass(frozen=True)
class LabelOptions:
    """What `offgraph.open_source` is told about labels; None where it is to be inferred."""

    labels: LabelSource | None = "auto"
    task: Task | None = None
    class_names: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    repeats: bool | None = None

    def __post_init__(self) -> None:
        if self.labels not in ("auto", "folders", None):
            raise SourceError(f"labels={self.labels!r:.80}: use 'auto', 'folders' or None")
        if self.task is not None and self.task not in get_args(Task):
            raise SourceError(f"task={self.task!r:.80}: use one of {', '.join(map(repr, get_args(Task)))}")
        if self.labels is None and self.task in ("classify", "multilabel", "regress"):
            raise SourceError(f"labels=None with task={self.task!r}: leave one of them out")
        if self.class_names is not None:
            object.__setattr__(self, "class_names", parse_class_names(self.class_names))
        if self.targets is not None:
            given = (self.targets,) if isinstance(self.targets, str) else self.targets
            if not isinstance(given, Sequence) or not given or not all(isinstance(t, str) for t in given):
                raise SourceError(f"targets={self.targets!r:.80}: give names of columns, such as ['x', 'y']")
            object.__setattr__(self, "targets", tuple(given))
        if self.repeats not in (True, False, None):
            raise SourceError(f"repeats={self.repeats!r:.80}: give True, False or None")

    def check_task(self, where: str, has_classes: bool, has_masks: bool) -> None:
        """Refuse a task that a source without a table cannot have.

        Raises
        ------
        SourceError
        """
        if (
            self.task is None
            or (self.task == "classify" and has_classes)
            or (self.task == "segment" and has_masks)
        ):
            return
        lacks = {
            "classify": "there are no class folders, and no table with labels",
            "detect": "there are no VOC, COCO or YOLO annotations",
            "segment": "there are no masks; give their folder as masks=",
        }
        raise SourceError(
            f"{where}: task={self.task!r}: {lacks.get(self.task, 'give a table with the columns path and label')}"
        )

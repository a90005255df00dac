"""`Targets`: what belongs to one sample, by name, all on one grid."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence, ValuesView
from typing import TYPE_CHECKING, Any, TypeVar

from offgraph.core.errors import StepError
from offgraph.targets.base import Target
from offgraph.targets.boxes import Boxes
from offgraph.targets.heatmap import Heatmap
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask
from offgraph.targets.points import Points

if TYPE_CHECKING:
    from offgraph.geometry.frame import Frame
    from offgraph.geometry.resampling import Leg

__all__ = ["KINDS", "Targets"]

KINDS: dict[str, type[Target]] = {kind.kind: kind for kind in (Image, Mask, Heatmap, Boxes, Points)}
"""The type of a bare value by the keyword that it is given under; a new target has its line here."""

_BOXES = "write boxes=, in format xyxy, or boxes=Boxes(array, 'coco', size=…, labels=…)"
_POINTS = "write points=, as (row, column), or points=Points(array, size=…, order='xy')"
_METADATA = "what is moved by no step goes along in metadata={…}, and classes of boxes in Boxes(…, labels=…)"
_ELSEWHERE = {
    "bboxes": _BOXES,
    "bbox": _BOXES,
    "keypoints": _POINTS,
    "landmarks": _POINTS,
    "masks": "write mask= for one, and a name of its own for each of several, such as nuclei=Mask(array)",
    "label": _METADATA,
    "labels": f"say what it is, such as labels=Mask(array); {_METADATA}",
    "class_labels": _METADATA,
    "category_ids": _METADATA,
    "images": "write image= for one; further ones have names of their own, such as before=Image(array); a Loader makes batches",
    "training": "a recipe draws where key= or seed= is given, and recipe.eval() is the one without Augment",
}
"""What to write instead of the names that other libraries have for what goes through a recipe."""

_T = TypeVar("_T", bound=Target)


class Targets(Mapping[str, Target]):
    """Targets of one sample, by name and in order, all on one grid.

    Parameters
    ----------
    targets : mapping of str to Target
    metadata : mapping, optional
        Anything else that belongs to the sample; carried along untouched.

    Raises
    ------
    StepError
        For a value that is not a target, and for targets of different sizes.

    Examples
    --------
    >>> sample = Targets({"image": Image(np.zeros((4, 6), np.uint8)), "boxes": Boxes([[1, 1, 3, 2]], size=(4, 6))})
    >>> sample.size, list(sample)
    ((4, 6), ['image', 'boxes'])
    """

    def __init__(self, targets: Mapping[str, Target], metadata: Mapping[str, Any] | None = None) -> None:
        self._targets = dict(targets)
        self.metadata: Mapping[str, Any] = {} if metadata is None else metadata
        first: str | None = None
        for name, target in self._targets.items():
            if not isinstance(target, Target):
                raise StepError(f"{name}={target!r:.80} is not a target; give one such as Mask(array)")
            if first is None:
                first = name
            elif target.size != self._targets[first].size:
                raise StepError(
                    f"{first} and {name} have different sizes: {_of(first)} is {_by(self._targets[first].size)}, "
                    f"{_of(name)} {_by(target.size)}"
                )

    @classmethod
    def of_image(cls, image: Image, mask: Mask | None = None) -> Targets:
        """Return an image, and the mask on its grid where there is one."""
        return cls({"image": image} if mask is None else {"image": image, "mask": mask})

    @classmethod
    def alone(cls, image: Image) -> Targets:
        """Return an image that has nothing beside it."""
        made = object.__new__(cls)
        made._targets, made.metadata = {"image": image}, {}
        return made

    @classmethod
    def parse(
        cls, values: Mapping[str, Any], axes: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Targets:
        """Return the targets that keywords give: typed ones under any name, bare arrays under the name of a type.

        Parameters
        ----------
        values : mapping of str to Target or array_like
            A bare array under ``image``, ``mask``, ``heatmap``, ``boxes`` (xyxy) or ``points`` (row, column) becomes
            that type, on the grid of ``image``. None beside it stands for a target that is not there.
        axes : str, optional
            Axes of a bare image.
        metadata : mapping, optional

        Raises
        ------
        StepError
            For a bare value under another name, without an image, or of a shape that does not fit.
        """
        parsed: dict[str, Target] = {}
        if "image" in values:
            image = values["image"]
            parsed["image"] = image if isinstance(image, Target) else Image(image, axes)  # type: ignore[arg-type]
        for name, value in values.items():
            if value is None or name == "image":
                continue
            if isinstance(value, Target):
                parsed[name] = value
                continue
            if name not in KINDS:
                advice = _ELSEWHERE.get(name, f"say what it is, such as {name}=Mask(array)")
                raise StepError(
                    f"{name}= is not a name that stands for a type of target ({', '.join(KINDS)}); {advice}"
                )
            lead = parsed.get("image")
            if lead is None:
                raise StepError(f"{name}= needs image= beside it, whose grid it lies on")
            parsed[name] = KINDS[name].given(
                value, lead.size, getattr(lead, "axes", "ZYX"[-len(lead.size) :])
            )
        return cls(parsed, metadata)

    def __getitem__(self, name: str) -> Target:
        return self._targets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)

    # Those of Mapping look up every entry again.
    def items(self) -> ItemsView[str, Target]:
        """Names and targets."""
        return self._targets.items()

    def values(self) -> ValuesView[Target]:
        """The targets."""
        return self._targets.values()

    def __repr__(self) -> str:
        return f"<Targets: {', '.join(f'{name} {target!r}' for name, target in self.items())}>"

    @property
    def size(self) -> tuple[int, ...]:
        """Spatial lengths of the grid that all targets lie on."""
        for target in self._targets.values():
            return target.size
        raise StepError("there is no target here, and so no grid")

    @property
    def image(self) -> Image:
        """The target named image."""
        found = self._targets.get("image")
        if not isinstance(found, Image):
            raise StepError(f"there is no image here; there are {', '.join(self) or 'no targets'}")
        return found

    @property
    def mask(self) -> Mask | None:
        """The target named mask, or None."""
        found = self._targets.get("mask")
        return found if isinstance(found, Mask) else None

    def of(self, kind: type[_T]) -> dict[str, _T]:
        """Return the targets of one type, by name."""
        return {name: target for name, target in self.items() if isinstance(target, kind)}

    def replaced(self, **targets: Target) -> Targets:
        """Return the targets with some of them replaced or added."""
        return Targets({**self._targets, **targets}, self.metadata)

    def mapped(self, change: Callable[[Target], Target]) -> Targets:
        """Return what a function makes of each target, with the same metadata."""
        return Targets({name: change(target) for name, target in self.items()}, self.metadata)

    def moved(self, legs: Sequence[Leg]) -> Targets:
        """Return all targets after a chain of geometric steps; see `Target.moved`."""
        return self.mapped(lambda target: target.moved(legs))

    def restored(self, frame: Frame) -> Targets:
        """Return all targets on a frame's original grid; see `Target.restored`."""
        return self.mapped(lambda target: target.restored(frame))


def _of(name: str) -> str:
    return f"the {name}'" if name.endswith("s") else f"the {name}'s"


def _by(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))

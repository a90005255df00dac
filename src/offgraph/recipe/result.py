"""What a recipe made of one image."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.display import NotebookView
from offgraph.geometry.frame import Frame
from offgraph.plan.run import TransformHistory
from offgraph.targets import KINDS, Boxes, Points, Target, Targets
from offgraph.targets.gridded import GriddedTarget

__all__ = ["Result"]


@dataclass(frozen=True)
class Result(NotebookView):
    """What a recipe made of one image.

    Every target is an attribute under its name: ``out.image``, ``out.mask`` and ``out.heatmap`` are arrays, contiguous
    and with the axes as given; ``out.boxes`` and ``out.points`` are the targets with their labels. These five are None
    where nothing was given. A target by another name, such as ``out.nuclei``, is there if it was given. ``out["nuclei"]`` is
    the same, ``list(out)`` has the names, and a name that is not there is a KeyError.

    Parameters
    ----------
    targets : Targets
        All of them typed, by name, with the metadata.
    record : dict
        What was drawn, as plain JSON; `Compose.replay` applies it again.
    history : TransformHistory
        The operations that moved the image.
    """

    targets: Targets
    record: dict[str, Any]
    history: TransformHistory = field(repr=False)

    def __repr__(self) -> str:
        image = self.targets.image
        shown = [f"image {image.array.dtype} {image.array.shape} {image.axes}"]
        for name, target in self.targets.items():
            if name != "image":
                value = target.value
                shown.append(f"{name} {f'{value.dtype} {value.shape}' if value is not target else target}")
        return f"<Result: {', '.join(shown) if len(shown) > 1 else f'{shown[0]}, mask none'}>"

    @functools.cached_property
    def frame(self) -> Frame:
        """The way back to the grid of the given image."""
        return self.history.frame()

    @classmethod
    def later(
        cls, targets: Targets, explain: Callable[[], tuple[dict[str, Any], TransformHistory]]
    ) -> Result:
        """Return a result whose record and history are worked out when they are asked for."""
        made = object.__new__(cls)
        vars(made).update(targets=targets, _explain=explain)
        return made

    def _copied_if_shared(self, given: Targets) -> Result:
        """Return the same, with copies of what is still the caller's own memory: writing to a result changes no input."""
        shared: dict[str, Target] = {}
        for name, target in self.targets.items():
            if isinstance(target, GriddedTarget) and np.may_share_memory(target.array, given[name].value):
                shared[name] = target.with_array(target.array.copy())
        return Result(self.targets.replaced(**shared), self.record, self.history) if shared else self

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "record": self.record, "history": self.history, "_explain": None}

    def __getattr__(self, name: str) -> Any:
        if name in ("record", "history") and self.__dict__.get("_explain"):
            record, history = self.__dict__["_explain"]()
            vars(self).update(record=record, history=history)
            return self.__dict__[name]
        targets = self.__dict__.get("targets", {})
        if name in targets:
            return targets[name].value
        if name in KINDS:
            return None
        raise AttributeError(f"there is no target {name!r} here; there are {', '.join(targets)}")

    def __getitem__(self, name: str) -> Any:
        if name not in self.targets:
            raise KeyError(f"there is no target {name!r} here; there are {', '.join(self.targets)}")
        return self.targets[name].value

    def __contains__(self, name: object) -> bool:
        return name in self.targets

    def __iter__(self) -> Iterator[str]:
        return iter(self.targets)

    @property
    def image(self) -> np.ndarray:
        """The image, contiguous, axes as given."""
        return self.targets.image.array

    @property
    def mask(self) -> np.ndarray | None:
        """The mask of labels, contiguous, in the dtype as given; None where none was given."""
        return None if self.targets.mask is None else self.targets.mask.array

    if TYPE_CHECKING:  # given by __getattr__

        @property
        def heatmap(self) -> np.ndarray | None: ...

        @property
        def boxes(self) -> Boxes | None: ...

        @property
        def points(self) -> Points | None: ...

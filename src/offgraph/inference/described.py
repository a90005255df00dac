"""Tables and outlines of predicted objects, as `Measure` and `Contours` among the result steps say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Any, TypeVar

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.tables import dumps
from offgraph.objects.outlines import coco_annotations, geojson
from offgraph.objects.table import measure
from offgraph.postprocess import Contours, Measure
from offgraph.postprocess.measure import INTENSITIES
from offgraph.recipe.compose import Compose
from offgraph.steps.parameters import along_axes

__all__ = ["CocoFile", "declared", "object_table", "outlines"]

_Described = TypeVar("_Described", Measure, Contours)


def declared(kind: type[_Described], steps: Compose | None) -> _Described | None:
    """Return the step of a kind among result steps, the last one; None where there is none."""
    found = [step for step in steps.steps if isinstance(step, kind)] if steps is not None else []
    return found[-1] if found else None


def object_table(
    steps: Compose | None, mask: np.ndarray, axes: str, image: Callable[[], np.ndarray]
) -> dict[str, np.ndarray]:
    """Measure the objects of a mask.

    Parameters
    ----------
    steps : Compose or None
        The result steps: their `Measure` says what is measured, by default everything.
    mask : ndarray
    axes : str
        Of the original.
    image : callable
        Gives the original; asked for only where its values are measured.
    """
    step = declared(Measure, steps)
    wanted = step.columns if step is not None else ()
    values = None
    if not wanted or set(wanted) & set(INTENSITIES):
        order = [name for name in (*SPATIAL, "C") if name in axes]
        values = image().transpose([axes.index(name) for name in order])
    spatial = "".join(name for name in SPATIAL if name in axes)
    sides = 1.0 if step is None else along_axes("sampling", step.sampling, spatial, 1.0)
    found = measure(mask, values, sampling=sides)
    if not wanted:
        return found
    return {name: found[name] for name in found if name == "label"} | {
        name: found[name] for one in wanted for name in found if name == one or name.startswith(f"{one}-")
    }


def outlines(steps: Compose | None, mask: np.ndarray, table: dict[str, np.ndarray] | None) -> dict[str, Any]:
    """Return the objects of a mask as GeoJSON, with the columns of a table."""
    step = declared(Contours, steps)
    columns = {name: column for name, column in (table or {}).items() if name != "label"}
    return geojson(mask, columns, 1 if step is None else step.connectivity)


class CocoFile:
    """COCO's annotations of many images, written one image after another.

    Parameters
    ----------
    file : text file
    names : sequence of str
        Of the classes, by label, 0 first.
    numbered : bool
        Labels number objects, which are of one class then.
    """

    def __init__(self, file: IO[str], names: Sequence[str], *, numbered: bool) -> None:
        self._file, self._names, self._numbered = file, names, numbered
        self._images: list[dict[str, Any]] = []
        self._annotations, self._labels = 0, set[int]()
        file.write('{"annotations": [')

    def add(self, name: str, mask: np.ndarray) -> None:
        """Write the objects of an image."""
        number = len(self._images) + 1
        height, width = mask.shape
        self._images.append({"id": number, "file_name": name, "height": height, "width": width})
        for one in coco_annotations(mask, number, self._annotations + 1):
            label = one.pop("label")
            category = 1 if self._numbered else label
            self._labels.add(category)
            self._file.write((",\n" if self._annotations else "\n") + dumps(one | {"category_id": category}))
            self._annotations += 1

    def close(self) -> None:
        """Write the images and the classes."""
        names = {label: name for label, name in enumerate(self._names) if label}
        if self._numbered:
            names = {1: names[1] if len(names) == 1 and names[1] != "1" else "object"}
        classes = sorted({*names, *self._labels})
        categories = [{"id": one, "name": names.get(one, str(one))} for one in classes]
        rest = dumps({"images": self._images, "categories": categories})
        self._file.write(f"\n], {rest[1:]}\n")

"""`from_albumentations`: from a pipeline, its dictionary or its file to the steps that the table knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from offgraph.core.errors import ArgumentError, RecipeError
from offgraph.migration.albumentations.table import TABLE
from offgraph.migration.conversion import Given, migrate
from offgraph.migration.entries import described, is_entry
from offgraph.migration.reading import opened
from offgraph.migration.report import Migration

__all__ = ["from_albumentations"]

_OLD_KEYS = {
    "always_apply", "var_limit", "max_holes", "max_height", "value", "mask_value", "fill_value", "mask_fill_value",
    "quality_lower", "unit_size_min", "scale_min", "alpha_affine",
}  # fmt: skip
"""Arguments that version 2 has no more."""
_BOX_FORMATS = {"pascal_voc": "xyxy", "coco": "coco", "yolo": "yolo"}
_POINT_ORDERS = {"xy": "xy", "yx": "yx"}


def from_albumentations(given: Any, /, *, key: str | None = None) -> Migration:
    """Return the recipe of an Albumentations pipeline, and how far the two agree.

    Albumentations need not be installed to read a file or a dictionary. Steps that draw come into `Augment`, in their place.

    Parameters
    ----------
    given : str, Path, dict, list or Compose
        A JSON or YAML file that ``A.save`` wrote, what ``A.to_dict`` gives, a list of such steps, or the pipeline itself. Steps
        may also be written as Hydra (``_target_``) and MMDetection (``type``) write them, or as ``{"Rotate": {"limit": 30}}``.
    key : str, optional
        Where the pipeline stands in a larger configuration: ``"train_aug"``, or ``"data.train.transform"``.

    Returns
    -------
    Migration
        ``recipe`` and ``report``; ``print(report)`` names every difference, and every argument that is left out.

    Raises
    ------
    RecipeError
        For what is not a pipeline, naming file, step and field.

    Examples
    --------
    >>> import offgraph as og
    >>> recipe, report = og.from_albumentations([{"HorizontalFlip": {"p": 0.5}}, {"RandomBrightnessContrast": {"p": 0.3}}])
    >>> print(report.summary())
    Albumentations: 2 steps: 1 the same, 1 within 1 grey level
    """
    if not isinstance(given, str | Path | Mapping | list | tuple):
        given = _live(given)
    values, source = opened(given, "pipeline")
    values = _found(values, key, source)
    version = ""
    if isinstance(values, Mapping) and not is_entry(values):
        version = str(values.get("__version__", ""))
        if isinstance(values.get("transform"), Mapping | list):
            values = values["transform"]
    old = version[:2] in ("0.", "1.") if version else any(name in _OLD_KEYS for name in _words(values))
    steps, notes = _pipeline(values, source)
    return migrate(TABLE, steps, source, notes=notes, old=old, library=f"Albumentations {version}".strip())


def _found(values: Any, key: str | None, source: str) -> Any:
    """The part of a configuration that is the pipeline."""
    if key is not None:
        for part in key.split("."):
            if not isinstance(values, Mapping) or part not in values:
                raise RecipeError(f"{source}: key={key!r:.80} leads nowhere: there is no {part!r:.40}")
            values = values[part]
        return values
    if _is_pipeline(values):
        return values
    there = [name for name, part in _places(values)][:8]
    if there:
        raise RecipeError(
            f"{source}: holds pipelines at {', '.join(there)}; choose one with key={there[0]!r}"
        )
    raise RecipeError(
        f"{source}: not a pipeline of Albumentations; expected what A.save writes, with 'transform' and '__class_fullname__', "
        f"or a list of steps, got {_shape(values)}"
    )


def _shape(values: Any) -> str:
    return (
        f"the keys {', '.join(map(str, list(values)[:6]))}"
        if isinstance(values, Mapping)
        else f"{values!r:.60}"
    )


def _is_pipeline(values: Any) -> bool:
    if isinstance(values, Mapping):
        inner = values.get("transform", values.get("transforms"))
        return is_entry(values) or (isinstance(inner, Mapping) and is_entry(inner)) or isinstance(inner, list)
    return isinstance(values, list | tuple) and all(
        is_entry(part) or isinstance(part, str) for part in values
    )


def _places(values: Any, at: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    if not isinstance(values, Mapping) or depth > 6:
        return
    for name, part in values.items():
        here = f"{at}.{name}" if at else str(name)
        if isinstance(part, Mapping | list) and part and _is_pipeline(part):
            if any(word.rpartition(".")[2] in TABLE for word in _words(part)):
                yield here, part
        else:
            yield from _places(part, here, depth + 1)


def _words(values: Any) -> Iterator[str]:
    """All keys, and all texts, at any depth."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield from map(str, value)
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, str):
            yield value


def _pipeline(values: Any, source: str) -> tuple[list[Given], list[str]]:
    """The steps of a pipeline, and what its targets are called here; the outermost Compose is the recipe itself."""
    notes: list[str] = []
    if isinstance(values, Mapping) and not is_entry(values):
        notes += _targets(values)
        values = values.get("transforms", [])
    if isinstance(values, Mapping):
        outer = _given(values, source, "")
        if outer.name not in ("Compose", "ReplayCompose"):
            return [outer], notes
        notes += _targets(outer.values)
        return (list(outer.parts), notes) if outer.values.get("p", 1) == 1 else ([outer], notes)
    return [_given(part, source, str(n)) for n, part in enumerate(values, 1)], notes


def _given(entry: Any, source: str, place: str, depth: int = 0) -> Given:
    if isinstance(entry, Given):
        return entry
    if depth > 40:
        raise RecipeError(f"{source}, step {place}: nested more than 20 deep")
    name, values = described(entry, f"{source}, step {place or 1}")
    inside = f"{place}." if place else ""
    parts: tuple[Given, ...] = ()
    if isinstance(values.get("transforms"), list | tuple):
        inner = values.pop("transforms")
        parts = tuple(_given(part, source, f"{inside}{n}", depth + 1) for n, part in enumerate(inner, 1))
    elif "first" in values and "second" in values:
        pair = values.pop("first"), values.pop("second")
        parts = tuple(_given(part, source, f"{inside}{n}", depth + 1) for n, part in enumerate(pair, 1))
    if values.pop("always_apply", False) is True:
        values["p"] = 1.0
    if name == "Lambda":
        values.pop("__class_fullname__", None)
    return Given(name, values, parts)


def _targets(values: Mapping[str, Any]) -> list[str]:
    notes: list[str] = []
    boxes, points, more = (
        values.get(name) for name in ("bbox_params", "keypoint_params", "additional_targets")
    )
    if isinstance(boxes, Mapping):
        form = boxes.get("format")
        options = "".join(
            f", {name}={boxes[name]!r:.20}" for name in ("min_area", "min_visibility") if boxes.get(name)
        )
        ours = f"{_BOX_FORMATS[form]!r}" if isinstance(form, str) and form in _BOX_FORMATS else "format"
        notes.append(
            f"bbox_params: recipe(image=…, boxes=og.Boxes(array, {ours}, size=image.shape[:2], labels=…{options}))"
        )
        if form == "albumentations":
            notes.append(
                "bbox_params: format 'albumentations' is pascal_voc in shares of the sides; multiply it out"
            )
        for name in ("min_width", "min_height", "max_accept_ratio"):
            if boxes.get(name):
                notes.append(
                    f"bbox_params: {name}={boxes[name]!r:.20} has no equal; min_area and min_visibility drop boxes"
                )
    if isinstance(points, Mapping):
        form = str(points.get("format", "xy"))
        order = _POINT_ORDERS.get(form, "xy")
        notes.append(
            f"keypoint_params: recipe(image=…, points=og.Points(array, size=image.shape[:2], order={order!r}, labels=…))"
        )
        if form not in _POINT_ORDERS:
            notes.append(
                f"keypoint_params: of format {form!r:.20} the angle and the scale of a point have no equal"
            )
    if isinstance(more, Mapping) and more:
        kinds = {"image": "og.Image", "mask": "og.Mask", "bboxes": "og.Boxes", "keypoints": "og.Points"}
        named = ", ".join(
            f"{name!s:.30}={kinds.get(str(kind), 'og.Image')}(…)" for name, kind in list(more.items())[:12]
        )
        notes.append(f"additional_targets: recipe(image=…, {named})")
    return notes


def _live(pipeline: Any) -> Any:
    """What a pipeline says of itself; a step that cannot is known by its name alone."""
    parts = getattr(pipeline, "transforms", None)
    if not hasattr(pipeline, "to_dict"):
        raise ArgumentError(
            f"given={pipeline!r:.60}: expected a pipeline of Albumentations, what A.to_dict gives, or the path of a file"
        )
    try:
        return pipeline.to_dict()
    except Exception as error:
        if not isinstance(parts, list | tuple):
            return Given(type(pipeline).__name__, trouble=f"does not say what it is: {error!s:.120}")
    described = {"__class_fullname__": type(pipeline).__name__, "p": getattr(pipeline, "p", 1.0)}
    inner = [_live(part) for part in parts]
    described["transforms"] = [
        part.get("transform", part) if isinstance(part, Mapping) else part for part in inner
    ]
    return described

"""The images of a prediction: a source opened as the model takes it, with the names that the model was saved with."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offgraph.core.choices import Color
from offgraph.core.errors import OffgraphError, OffgraphWarning, SourceError
from offgraph.core.specs import OpenSpec
from offgraph.core.tables import header_of
from offgraph.sources import Source, open_source
from offgraph.sources.layout import refuse_masks_as_images
from offgraph.sources.names import named, nfc, printable

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["class_names_of", "color_for", "source_for", "target_names_of", "warn_of_other_names"]


def source_for(
    saved: SavedModel,
    src: Source | str | os.PathLike[str],
    *,
    masks: str | os.PathLike[str] | None = None,
    **reading: Any,
) -> Source:
    """Open the images for a saved model, read as it takes them, with its class names.

    Parameters
    ----------
    saved : SavedModel
    src : path or Source
    masks : path, optional
        Folder of the true masks.
    **reading
        Further arguments of `offgraph.open_source`, such as ``color`` and ``axes``.

    Raises
    ------
    SourceError
        Where it cannot be opened, has classes that the model does not know, or `masks` are given with an open
        source or a model that makes none.
    """
    if masks is not None and saved.task != "segment":
        raise SourceError(f"masks={str(masks)!r}: {saved.path} makes no masks, its task is {saved.task!r}")
    if reading.get("task") not in (None, saved.task):
        raise SourceError(
            f"task={reading['task']!r:.80}: {saved.path} predicts for {saved.task!r}; leave task out, or write labels=None "
            "to predict without what is known"
        )
    named = saved.task in ("classify", "multilabel", "detect") and bool(saved.class_names)
    chosen = "labels" in reading
    try:
        if isinstance(src, Source):
            given = (["masks"] if masks is not None else []) + sorted(reading)
            if given:
                raise SourceError(f"{given[0]}=: only where src is a path; an open source has its own")
            if src.task == "detect" and saved.task != "detect":
                return src.without_objects()
            return src.with_class_names(saved.class_names) if named else src
        reading.setdefault("color", color_for(saved.input_spec))
        if saved.task == "detect":
            source = _open_annotated(src, reading)
            return source.with_class_names(saved.class_names) if named else source
        reading.setdefault("annotations", None)
        if not reading.keys() & {"task", "targets"}:
            reading = _labels_for(saved, src, reading.get("labels", "auto")) | reading
        elif saved.task != "segment" and reading.get("labels", "auto") is not None:
            reading.setdefault("task", saved.task)  # columns that were named are read as the model's labels
        if masks is not None:
            reading["masks"] = masks
        if named and reading.get("labels", "auto") is not None:
            reading["class_names"] = saved.class_names
        source = open_source(src, **reading)
        if not chosen and masks is None and source.table is None and reading.get("labels", "auto") is None:
            refuse_masks_as_images(source.root, [item.name for item in source])
        return source
    except SourceError as error:
        message = str(error)
        if "not among class_names" not in message:
            raise
        message = message.replace("class_names", f"those that {saved.path} was saved with")
        raise SourceError(message.replace("labels=None", "labels=None (--labels none)")) from error


def _open_annotated(src: str | os.PathLike[str], reading: dict[str, Any]) -> Source:
    """Open images with their annotations, if there are some; folders below the images are not classes."""
    if reading.get("labels", "auto") == "auto" and reading.get("annotations", "auto") is not None:
        try:
            return open_source(src, **{**reading, "task": "detect"})
        except SourceError as error:
            if "none are found here" not in str(error) or "annotations" in reading:
                raise
    plain = {name: value for name, value in reading.items() if name != "task"}
    return open_source(src, **{**plain, "labels": None, "annotations": None})


def _labels_for(saved: SavedModel, src: str | os.PathLike[str], labels: str | None) -> dict[str, Any]:
    """How to read the labels of a path, to compare them with predictions; no labels where that is impossible."""
    if (
        labels is None or saved.task == "segment"
    ):  # for a segmentation model, folders below the images are not classes
        return {"labels": None}
    if not str(src).lower().endswith((".csv", ".tsv")) or not Path(src).is_file():
        return {"labels": None} if saved.task == "regress" else {}
    try:
        columns = header_of(Path(src))  # `open_source` reads it with all its rules
    except OSError as error:
        raise SourceError(f"{src}: {error.strerror or error}") from error
    if "label" in columns:
        return {"task": saved.task}
    names = saved.target_names if saved.task == "regress" else saved.class_names
    if names and (set(names) <= columns if saved.task == "regress" else set(names) & columns):
        return {"task": saved.task, "targets": [name for name in names if name in columns]}
    return {"labels": None}


def color_for(spec: OpenSpec) -> Color:
    """Return how images are read for a model with this input: one channel grey, three RGB, else as stored."""
    channels = spec.shape[spec.axes.index("C")] if "C" in spec.axes else 1
    if "Z" in spec.axes or channels is None:
        return "keep"
    return "grey" if channels == 1 else "rgb" if channels == 3 else "keep"


def class_names_of(saved: SavedModel) -> tuple[str, ...]:
    """The saved names, or the numbers as names; with one class per image, one output stands for two classes."""
    if saved.task == "detect":
        return saved.class_names
    count = saved.main.output_shape[-1]
    if saved.task == "regress":
        return ()
    count = 2 if count == 1 and saved.task != "multilabel" else count
    if saved.class_names and len(saved.class_names) == count:
        return saved.class_names
    if saved.class_names and not (saved.task == "segment" and len(saved.class_names) == count - 1):
        raise OffgraphError(f"{saved.path}: {len(saved.class_names)} class names for {count} classes")
    return saved.class_names or tuple(str(number) for number in range(count or 0))


def target_names_of(saved: SavedModel, source: Source) -> tuple[str, ...]:
    """Name of each number of the model: as saved, else the source's column, else numbered."""
    if saved.task != "regress":
        return ()
    count = saved.main.output_shape[-1] or 1
    names = saved.target_names or source.target_names
    if len(names) == count:
        return names
    return ("value",) if count == 1 else tuple(f"value {number}" for number in range(count))


def warn_of_other_names(saved: SavedModel, source: Source) -> None:
    """Warn where a model's numbers are compared with columns of other names, or with none."""
    wanted, given = [nfc(name) for name in saved.target_names], [nfc(name) for name in source.target_names]
    if saved.task != "regress" or not wanted or not given or set(wanted) <= set(given):
        return
    if len(wanted) == len(given) == 1 and "label" in (*wanted, *given):
        return  # a column called label is a name for any number
    pairs = ", ".join(f"{printable(a)} with {printable(b)}" for a, b in zip(wanted, given))
    in_order = len(wanted) == len(given) and not set(wanted) & set(given)
    missing = named([name for name in wanted if name not in given])
    warnings.warn(
        f"{source.where}: "
        + (
            f"compares {pairs}, in their order"
            if in_order
            else f"has no true values of {missing}: none are compared"
        )
        + f"; {saved.path} was saved with target_names {', '.join(map(printable, wanted))}",
        OffgraphWarning,
        stacklevel=3,
    )

"""Open a source by looking at what is there: a new kind of source is a file in this folder and a line here."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from offgraph.core.arguments import path_of
from offgraph.core.choices import (
    Alpha,
    AnnotationFormat,
    BadBoxes,
    Color,
    LabelSource,
    MissingMask,
    ObjectMasks,
    Task,
)
from offgraph.core.counting import count_of
from offgraph.core.errors import SourceError
from offgraph.formats.decoding import MAX_PIXELS
from offgraph.sources.annotated import open_annotated, parse_annotations
from offgraph.sources.base import Source
from offgraph.sources.box_table import open_box_table
from offgraph.sources.coco import looks_like_coco
from offgraph.sources.folder import is_built, open_folder
from offgraph.sources.items import Item
from offgraph.sources.layout import advice_on
from offgraph.sources.listed import is_list_of_paths, open_listed
from offgraph.sources.masks import MaskValues, hint_at_white
from offgraph.sources.names import named, printable, warn_caller
from offgraph.sources.objects import ObjectsKept, parse_bad_boxes
from offgraph.sources.paired import open_paired
from offgraph.sources.reading import LabelOptions, Reading
from offgraph.sources.table import open_table, parse_columns
from offgraph.sources.walk import is_folder, is_image, refused

__all__ = ["open_source"]


def open_source(
    source: Source | str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    color: Color = "rgb",
    labels: LabelSource | Sequence[Any] | None = "auto",
    masks: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    annotations: str | os.PathLike[str] | None = "auto",
    axes: str | None = None,
    alpha: Alpha = "drop",
    max_pixels: int = MAX_PIXELS,
    task: Task | None = None,
    class_names: Sequence[str] | None = None,
    targets: str | Sequence[str] | None = None,
    missing_mask: MissingMask = "error",
    mask_values: MaskValues | None = None,
    columns: Mapping[str, str] | None = None,
    root: str | os.PathLike[str] | None = None,
    repeats: bool | None = None,
    page: int | None = None,
    bad_boxes: BadBoxes | None = None,
    crowds: bool = False,
) -> Source:
    """Open images as a `Source`. Only names are looked at (and up to three masks); files are read when asked for.

    Parameters
    ----------
    source : path or Source
        - a folder of class folders: the first folder below is the class, files may lie deeper;
        - a flat folder: no labels;
        - with `masks`, a folder of images paired with masks by relative name, suffix aside;
        - a ``.csv`` or ``.tsv`` with the columns ``path`` and ``label`` (and ``mask``, ``group``), paths relative to
          it, or to `root`, and inside that folder;
        - with ``task="detect"`` a ``.csv`` or ``.tsv`` with a row per box: ``path``, its edges ``x0, y0, x1, y1``, in volumes ``x0, y0, z0,
          x1, y1, z1``, in pixels from the image's own edge, or ``bbox-0``, … of :func:`offgraph.measure`, and ``class``
          (without it, all are of the class ``"object"``); a row of an image without boxes has no edges;
        - a folder with VOC, COCO or YOLO annotations, found by looking: ``Annotations/*.xml`` and ``JPEGImages``, JSON
          files of COCO such as ``annotations/instances.json``, ``labels/*.txt`` and ``images``; or COCO's JSON file;
        - one image file;
        - a list of image files, in this order; names are relative to the folder that holds all of them;
        - a `Source`, returned as it is.
    color, axes, alpha, max_pixels, page
        How files are read, see `offgraph.formats.decoding.read`. A mask with one page goes with every page.
    labels : {"auto", "folders", None}
        Whether the folders are classes. ``"auto"`` decides by where the images lie, and asks where they lie both
        in the folder and in folders below it.
        ``None``: no labels, not even those of a table. With a list of files a list as long, as `array_source` takes it. With `masks`, folders are classes where ``"folders"`` says so.
    masks : path or list of path, optional
        With a list of files the mask of each. Else a folder of label masks; or, for masks of other names, a pattern such as ``"masks/*_seg.png"`` in which ``*``
        stands for the image's name. ``"*_mask.png"``, without a folder, names masks beside the images. In a folder,
        names that differ from the images' by one word throughout (``1_mask.png``, ``mask_1.png``) need no pattern.
        Of annotations with polygons or run lengths, ``"instances"`` draws masks in which object i, from 0, has the label
        i + 1, and ``"semantic"`` masks in which class k has the label k + 1: where objects overlap, the later one is
        seen.
    annotations : {"auto", "voc", "coco", "yolo", None} or path
        Boxes around objects: whatever is found, those of one format, or those at a path: a folder of XML or text files,
        or a JSON file, with `source` as the folder of the images. Where two fit, opening is an error that asks.
        ``None``: the images alone. Annotations are read at once; images when asked for. An image without objects is
        kept, without boxes.
    task : {"classify", "multilabel", "regress", "segment", "detect"}, optional
        What the labels are: one class per image; several, in one cell (``"cat dog"``, separated by spaces, ``,``,
        ``;`` or ``|``) or in columns of 0 and 1; numbers; nothing, for masks alone; boxes. Unless given, it is inferred where
        it is certain. Where it is not, as for labels with a decimal point, opening is an error that asks.
    class_names : sequence of str, optional
        All classes, in the order of their numbers; others are refused by name. Unless given, those that are found: in
        the order of whole numbers, or in natural order. Give a saved model's names to evaluate it. Not used where
        items have no class.
    targets : str or sequence of str, optional
        Columns of a table to learn instead of ``label``: one, or several columns of numbers (``"regress"``) or of 0
        and 1 (with `task`).
    columns : mapping of str to str, optional
        What ``path``, ``label``, ``mask`` and ``group`` are called in a table: ``{"path": "image_id", "label":
        "diagnosis"}``. A text with names of columns in braces is put together from them: ``"train/{image_id}.png"``.
    missing_mask : {"error", "skip", "background"}
        What an image without a mask means where others have one: an error that names it, left out and counted in
        ``Source.skipped``, or a mask of zeros.
    mask_values : mapping of int or colour to int, optional
        What the values in the files of masks mean, such as ``{255: 1}``. Colours are (red, green, blue) of 8 bits, or as HTML
        writes them: ``{(128, 0, 0): 1, "#008000": 2}``. 0 and black stay 0 unless they are named; a mask with other
        values is refused when it is read.
    root : path, optional
        Folder that the paths of a table, or of COCO's JSON file, are relative to, instead of the table's own or the one
        in which COCO's images are found; they must stay inside it.
    repeats : bool, optional
        Whether a table may name an image in several rows, to balance classes. Unless given, it may, with a warning.
        The second item of ``a.png`` is called ``a.png#2``.
    bad_boxes : {"skip", "error"}, optional
        How a box without area, or outside its image, is handled: left out and counted in ``Source.skipped_boxes``, or
        refused. Unless given, left out with a warning.
    crowds : bool
        Whether COCO's objects with ``iscrowd``, which are regions of many, are passed on; else they are left out and
        counted.

    Returns
    -------
    Source
        Items in natural order of their names. Hidden files and what is not an image are left out and counted in
        ``Source.skipped``; images of formats that cannot be read (``.heic``) are listed, and fail by name.

    Raises
    ------
    SourceError
        Where the path or an option cannot be used; says why.

    Warns
    -----
    OffgraphWarning
        Where what is found is probably not what was meant; says which argument settles it.
    """
    if isinstance(source, Source):
        return source if class_names is None else source.with_class_names(class_names)
    first = source[0] if isinstance(source, list | tuple) and source else source
    if isinstance(first, np.ndarray):
        raise SourceError(
            f"source is {'an array' if first is source else 'a list of arrays'}: give og.array_source(images, labels); for files, "
            "give a path, such as 'photos/'"
        )
    if is_list_of_paths(source):
        return _list_opened(
            source,
            labels,
            masks,
            task,
            class_names,
            targets,
            repeats,
            root,
            Reading(color, axes, alpha, max_pixels, missing_mask, page, mask_values),
        )
    for name, value in (("labels", labels), ("masks", masks)):
        if isinstance(value, list | tuple):
            raise SourceError(
                f"{name}= is a list, which goes with a list of files: open_source(paths, {name}=…); beside a folder, give a path"
            )
    wanted = LabelOptions(labels, task, class_names, targets, repeats)  # type: ignore[arg-type]  # parsed there
    called = parse_columns(columns)
    path = path_of("source", source, SourceError)
    where = printable(path)
    drawn = _object_masks(masks, annotations)
    masks = None if drawn else masks
    reading = Reading(color, axes, alpha, max_pixels, missing_mask, page, mask_values, drawn)
    asked = _AnnotationOptions(parse_annotations(annotations), parse_bad_boxes(bad_boxes), crowds, drawn)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise SourceError(f"{where}: no such file or folder") from error
    except OSError as error:
        raise refused(path, error) from error
    except ValueError as error:
        raise SourceError(f"{where}: {error}") from error
    holds_files = stat.S_ISDIR(mode)
    if not holds_files and not stat.S_ISREG(mode):
        raise SourceError(f"{where}: neither a folder nor a regular file")
    is_table = not holds_files and path.suffix.lower() in (".csv", ".tsv")
    base = None if root is None else path_of("root", root, SourceError)
    if base is not None and not is_folder(base):
        raise SourceError(f"root={printable(base)!r}: no such folder")
    if masks is None and not is_table and asked.may_look(wanted) and not (holds_files and is_built(path)):
        found = asked.look(path, holds_files, reading, wanted, base)
        if found is not None:
            return _hinted(found)
    if is_table and asked.takes_table(wanted, masks):
        found = asked.open_table(path, reading, wanted, base)
        return _hinted(found)
    asked.refuse_unused(where, wanted)
    for name, value in (("root", root), ("targets", targets), ("columns", columns), ("repeats", repeats)):
        if value is not None and not is_table:
            raise SourceError(
                f"{where}: {name}={_as_written(value)} is for tables (.csv, .tsv), which this is not"
            )
    if masks is not None:
        masks = path_of("masks", masks, SourceError)
        if not holds_files:
            hint = "; a table names them in its column mask" if is_table else ""
            raise SourceError(f"{where} with masks {printable(masks)}: both must be folders{hint}")
        return _hinted(open_paired(path, masks, reading, wanted))
    if holds_files:
        return _hinted(open_folder(path, reading, wanted))
    if is_table:
        return _hinted(open_table(path, reading, wanted, base, called))
    if not is_image(path):
        raise SourceError(
            f"{where}: neither an image nor a table (.csv, .tsv) nor a folder{advice_on(path.name)}"
        )
    wanted.check_task(where, has_classes=False, has_masks=False)
    return _hinted(Source((Item(path.name, path),), (), path.parent, reading))


def _list_opened(
    paths: Any,
    labels: Any,
    masks: Any,
    task: Task | None,
    class_names: Sequence[str] | None,
    targets: Any,
    repeats: Any,
    root: Any,
    reading: Reading,
) -> Source:
    """Open a list of files; refuse what is for a folder or a table."""
    for name, value in (("root", root), ("targets", targets), ("repeats", repeats)):
        if value is not None:
            raise SourceError(
                f"{name}={_as_written(value)} is for tables (.csv, .tsv); this is a list of files"
            )
    if masks is not None and not is_list_of_paths(masks):
        raise SourceError(
            f"masks={masks!r:.80}: masks= is a list of files, one for each image, where the images are one"
        )
    if labels == "folders":
        raise SourceError("labels='folders' is for a folder; give a list, with the class of each file")
    wanted = LabelOptions("auto" if labels is not None else None, task, class_names)  # type: ignore[arg-type]  # parsed there
    return _hinted(open_listed(paths, labels, masks, reading, wanted))


def _object_masks(masks: object, annotations: object) -> ObjectMasks | None:
    """Which masks are drawn from annotated objects: a folder of that name is taken as one."""
    if annotations is None or not isinstance(masks, str) or masks not in get_args(ObjectMasks):
        return None
    return None if is_folder(Path(masks)) else masks  # type: ignore[return-value]  # one of them


@dataclass(frozen=True)
class _AnnotationOptions:
    """What `open_source` is told about annotations."""

    annotations: Literal["auto"] | AnnotationFormat | Path | None
    bad_boxes: BadBoxes | None
    crowds: bool
    masks: ObjectMasks | None

    def may_look(self, wanted: LabelOptions) -> bool:
        """Whether to look for annotations: no other argument excludes them."""
        return (
            self.annotations is not None
            and wanted.labels == "auto"
            and wanted.task in (None, "detect")
            and wanted.targets is None
        )

    def look(
        self, path: Path, holds_files: bool, reading: Reading, wanted: LabelOptions, root: Path | None
    ) -> Source | None:
        """Open the annotations that are there; None where there are none."""
        is_json = path.suffix.lower() == ".json" and (self.annotations != "auto" or looks_like_coco(path))
        if self.annotations is None or not (holds_files or is_json):
            return None
        kept = ObjectsKept(printable(path), self.bad_boxes, self.crowds)
        source = open_annotated(path, self.annotations, reading, wanted, kept, root)
        if source is None:
            return None
        kept.warn()
        bare = [item.name for item in source if item.objects is not None and item.objects.lacks_regions]
        if self.masks and bare and not any(item.objects and item.objects.regions for item in source):
            raise SourceError(
                f"{source.where}: masks={self.masks!r} draws polygons and run lengths, and there are boxes alone"
            )
        if self.masks and bare:
            warn_caller(
                f"{source.where}: objects without a polygon or run lengths, which masks={self.masks!r} does not show, "
                f"in {count_of(len(bare), 'image')}: {named(bare)}"
            )
        return source

    def takes_table(self, wanted: LabelOptions, masks: object) -> bool:
        """Whether a table is one of boxes: where it is said, and no other argument excludes them."""
        others = self.crowds or self.masks or masks is not None or wanted.repeats is not None
        return wanted.task == "detect" and self.annotations == "auto" and self.may_look(wanted) and not others

    def open_table(self, path: Path, reading: Reading, wanted: LabelOptions, root: Path | None) -> Source:
        """Open a table of boxes."""
        kept = ObjectsKept(printable(path), self.bad_boxes)
        source = open_box_table(path, reading, wanted, kept, root)
        kept.warn()
        return source

    def refuse_unused(self, where: str, wanted: LabelOptions) -> None:
        """Refuse what is for annotations where none are opened.

        Raises
        ------
        SourceError
        """
        given = {
            "annotations": self.annotations not in ("auto", None),
            "bad_boxes": self.bad_boxes is not None,
            "crowds": self.crowds,
            "masks": self.masks is not None,
            "task": wanted.task == "detect",
        }
        names = [f"{name}=" for name, is_said in given.items() if is_said]
        if names:
            raise SourceError(
                f"{where}: {' and '.join(names)} {'is' if len(names) == 1 else 'are'} for VOC, COCO or YOLO annotations, and "
                "none are found here, or other arguments (labels, masks, task, targets) say that there are none"
            )


def _as_written(value: object) -> str:
    """An argument as it is written in Python: paths and names in quotes, escapes for what acts on a terminal."""
    if isinstance(value, str | os.PathLike):
        return repr(printable(value))[:80]
    names = [value] if isinstance(value, bool) or not isinstance(value, Sequence) else list(value)
    shown = ", ".join(repr(printable(name)) if isinstance(name, str) else repr(name) for name in names)
    return (f"[{shown}]" if isinstance(value, Sequence) else shown)[:80]


def _hinted(source: Source) -> Source:
    reading = source.reading
    given = {
        "mask_values": reading.mask_values is not None,
        "missing_mask": reading.missing_mask != "error",
    }
    unused = [f"{name}=" for name, is_given in given.items() if is_given and not source.has_masks]
    if unused:
        warn_caller(
            f"{source.where}: {' and '.join(unused)} {'is' if len(unused) == 1 else 'are'} for masks, and there are none; give masks="
        )
    if source.has_masks and source.reading.mask_values is None:
        masks = [item.mask for item in source if item.mask is not None]
        hint_at_white(source.where, masks, source.reading.max_pixels)
    return source

"""Open a source by looking at what is there: a new kind of source is a file beside this one and a line here."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence

from offgraph.core.arguments import path_of
from offgraph.core.choices import Alpha, Color, LabelSource, MissingMask, Task
from offgraph.core.errors import SourceError
from offgraph.formats.decoding import MAX_PIXELS
from offgraph.sources.base import Item, Meant, Reading, Source, printable
from offgraph.sources.folder import open_folder
from offgraph.sources.layout import advice_on
from offgraph.sources.masks import hint_at_white
from offgraph.sources.names import warn_caller
from offgraph.sources.paired import open_paired
from offgraph.sources.table import open_table
from offgraph.sources.walk import is_folder, is_image, refused

__all__ = ["open_source"]


def open_source(
    source: Source | str | os.PathLike[str],
    *,
    color: Color = "rgb",
    labels: LabelSource | None = "auto",
    masks: str | os.PathLike[str] | None = None,
    axes: str | None = None,
    alpha: Alpha = "drop",
    max_pixels: int = MAX_PIXELS,
    task: Task | None = None,
    class_names: Sequence[str] | None = None,
    targets: str | Sequence[str] | None = None,
    missing_mask: MissingMask = "error",
    mask_values: Mapping[int, int] | None = None,
    root: str | os.PathLike[str] | None = None,
    repeats: bool | None = None,
    page: int | None = None,
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
        - one image file;
        - a `Source`, returned as it is.
    color, axes, alpha, max_pixels, page
        How files are read, see `offgraph.formats.decoding.read`. A mask with one page goes with every page.
    labels : {"auto", "folders", None}
        Whether the folders are classes. ``"auto"`` decides by where the images lie, and asks where they lie both
        in the folder and in folders below it.
        ``None``: no labels, of a table neither. With `masks`, folders are classes where ``"folders"`` says so.
    masks : path, optional
        Folder of label masks; or, for masks of other names, a pattern such as ``"masks/*_seg.png"`` in which ``*``
        stands for the image's name. ``"*_mask.png"``, without a folder, names masks beside the images. In a folder,
        names that differ from the images' by one word throughout (``1_mask.png``, ``mask_1.png``) need no pattern.
    task : {"classify", "multilabel", "regress", "segment"}, optional
        What the labels are: one class per image; several, in one cell (``"cat dog"``, separated by spaces, ``,``,
        ``;`` or ``|``) or in columns of 0 and 1; numbers; nothing, for masks alone. Unless given, it is inferred where
        it is certain. Where it is not, as for labels with a decimal point, opening is an error that asks.
    class_names : sequence of str, optional
        All classes, in the order of their numbers; others are refused by name. Unless given, those that are found: in
        the order of whole numbers, or in natural order. Give a saved model's names to evaluate it. Not used where
        items have no class.
    targets : str or sequence of str, optional
        Columns of a table to learn instead of ``label``: one, or several columns of numbers (``"regress"``) or of 0
        and 1 (with `task`).
    missing_mask : {"error", "skip", "background"}
        What an image without a mask means where others have one: an error that names it, left out and counted in
        ``Source.skipped``, or a mask of zeros.
    mask_values : mapping of int to int, optional
        What the values in the files of masks mean, such as ``{255: 1}``. 0 stays 0 unless it is named; a mask with
        other values is refused when it is read.
    root : path, optional
        Folder that the paths of a table are relative to, instead of the table's own; they must stay inside it.
    repeats : bool, optional
        Whether a table may name an image in several rows, to balance classes. Unless given, it may, with a warning.
        The second item of ``a.png`` is called ``a.png#2``.

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
    meant = Meant(labels, task, class_names, targets, repeats)  # type: ignore[arg-type]  # parsed there
    path = path_of("source", source, SourceError)
    where = printable(path)
    reading = Reading(color, axes, alpha, max_pixels, missing_mask, page, mask_values)
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
    for name, value in (("root", root), ("targets", targets), ("repeats", repeats)):
        if value is not None and not is_table:
            raise SourceError(
                f"{where}: {name}={_as_written(value)} is for tables (.csv, .tsv), which this is not"
            )
    if masks is not None:
        masks = path_of("masks", masks, SourceError)
        if not holds_files:
            hint = "; a table names them in its column mask" if is_table else ""
            raise SourceError(f"{where} with masks {printable(masks)}: both must be folders{hint}")
        return _hinted(open_paired(path, masks, reading, meant))
    if holds_files:
        return _hinted(open_folder(path, reading, meant))
    if is_table:
        base = None if root is None else path_of("root", root, SourceError)
        if base is not None and not is_folder(base):
            raise SourceError(f"root={printable(base)!r}: no such folder")
        return _hinted(open_table(path, reading, meant, base))
    if not is_image(path):
        raise SourceError(
            f"{where}: neither an image nor a table (.csv, .tsv) nor a folder{advice_on(path.name)}"
        )
    meant.needs(where, has_classes=False, has_masks=False)
    return _hinted(Source((Item(path.name, path),), (), path.parent, reading))


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

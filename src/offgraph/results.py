"""Predictions to files: tables, label masks, pictures and a page, in one folder that appears whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from offgraph import picture
from offgraph.encode import encode_png, encode_tiff, write_bytes
from offgraph.errors import OffgraphError
from offgraph.postprocess._labels import regions
from offgraph.predict import Prediction, Predictions
from offgraph.report import Figure, Report
from offgraph.sources.base import count_of
from offgraph.tables import TableWriter, open_table_file

__all__ = ["PredictionReport", "objects", "save_predictions", "write_mask", "write_picture"]

_ON_PAGE = 60
_LISTED = 200
_SIDE = 240
_LONGEST = 180  # bytes of a file name; with suffix and a temporary name it stays below 255


@dataclass(frozen=True)
class PredictionReport:
    """What `save_predictions` wrote.

    Parameters
    ----------
    path : Path
        The folder.
    count : int
        Pictures that were predicted.
    quarantined : tuple of (name, reason)
        Pictures that were set aside.
    classes : dict of str to int
        Of a class model: pictures of each class.
    objects : int or None
        Of a mask model: objects in all masks.
    accuracy : float or None
        Share of right ones, where the source's own classes are the model's.
    """

    path: Path
    count: int
    quarantined: tuple[tuple[str, str], ...]
    classes: dict[str, int]
    objects: int | None
    accuracy: float | None

    def summary(self) -> str:
        """Return a few lines for people."""
        lines = [f"predicted {count_of(self.count, 'picture')}: {self.path}"]
        if self.objects is not None:
            lines.append(f"found {count_of(self.objects, 'object')}")
        if self.classes:
            lines.append(", ".join(f"{name} {count:,}" for name, count in self.classes.items()))
        if self.accuracy is not None:
            lines.append(f"right by the folders' own classes: {self.accuracy:.2%}")
        if self.quarantined:
            lines.append(
                f"set aside {count_of(len(self.quarantined), 'file')}: {self.path / 'quarantine.csv'}"
            )
        lines.append(f"to look at: {self.path / 'report.html'}")
        return "\n".join(lines)


def objects(mask: np.ndarray) -> list[dict[str, Any]]:
    """Measure each label of a mask.

    Parameters
    ----------
    mask : ndarray of integers
        (H, W) or (D, H, W); 0 is background.

    Returns
    -------
    list of dict
        For each label in increasing order ``label``; ``area`` in pixels; ``centroid``, the mean (row, column) of its
        pixel centres; ``bbox``, (first row, first column, row behind the last, column behind the last). A volume
        has the slice before row and column.

    Examples
    --------
    >>> objects(np.array([[0, 7, 7]]))
    [{'label': 7, 'area': 2, 'centroid': [0.0, 1.5], 'bbox': [0, 1, 1, 3]}]
    """
    found: list[dict[str, Any]] = []
    for label, box, inside in regions(np.asarray(mask)):
        axes = range(inside.ndim)
        profiles = [inside.sum(axis=tuple(other for other in axes if other != axis)) for axis in axes]
        area = int(profiles[0].sum())
        centroid = [part.start + float(n @ np.arange(len(n))) / area for part, n in zip(box, profiles)]
        found.append(
            {
                "label": int(label),
                "area": area,
                "centroid": [round(place, 4) for place in centroid],
                "bbox": [*(part.start for part in box), *(part.stop for part in box)],
            }
        )
    return found


def write_mask(prediction: Prediction, folder: Path) -> Path:
    """Write a prediction's label mask below `folder`: 16-bit PNG, or TIFF for volumes and labels past 65535."""
    mask = prediction.mask
    if mask is None:
        raise OffgraphError(f"{prediction.item.name}: the prediction of a class model has no mask")
    if mask.ndim == 2 and mask.min(initial=0) >= 0 and mask.max(initial=0) < 1 << 16:
        return _write(folder, prediction, ".png", encode_png(mask.astype(np.uint16)))
    return _write(folder, prediction, ".tif", encode_tiff(mask, "ZYX" if mask.ndim == 3 else "YX"))


def write_picture(prediction: Prediction, folder: Path, rgb: np.ndarray | None = None) -> Path:
    """Write a prediction's picture below `folder`, as PNG; `rgb` where it is drawn already."""
    drawn = prediction.picture() if rgb is None else rgb
    return _write(folder, prediction, ".drawn.png", encode_png(drawn))


def _write(folder: Path, prediction: Prediction, suffix: str, data: bytes) -> Path:
    """Write below `folder` under the item's own name, which never leads out of it and is never too long."""
    parts = [p for p in PurePosixPath(prediction.item.name).parts if p not in ("/", "..", ".")]
    path = folder.joinpath(*(_short(part) for part in parts))
    path = path.with_name(path.name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
    return path


def _short(part: str) -> str:
    encoded = os.fsencode(part)
    if len(encoded) <= _LONGEST:
        return part
    return encoded[: _LONGEST - 13].decode("utf-8", "ignore") + "-" + hashlib.sha256(encoded).hexdigest()[:12]


def save_predictions(predictions: Iterable[Prediction], out: str | os.PathLike[str]) -> PredictionReport:
    """Run through predictions and write them into a folder.

    The folder holds ``predictions.csv`` (a row a picture), ``predictions.json`` (the same with classes, objects and
    the recipe's fingerprint), ``objects.csv`` (a row an object: label, area in pixels, centroid and box, in row and
    column of the upright original), ``masks/`` and ``drawn/`` of a mask model, ``quarantine.csv`` and
    ``report.html``. It is written under a temporary name and renamed, so that it is there as a whole or not at all.

    Parameters
    ----------
    predictions : Predictions, or iterable of Prediction
        What `predict` gave; it is used up, one prediction in memory at a time. Or some of one run's predictions.
    out : path
        A folder that does not exist yet, or is empty.

    Raises
    ------
    OffgraphError
        Where the folder holds files already, lies in the source or cannot be written, or no picture could be
        predicted; names the folder or the first picture.

    Examples
    --------
    >>> report = save_predictions(predict("flowers.keras", "new/"), "predictions/")  # doctest: +SKIP
    >>> print(report.summary())  # doctest: +SKIP
    """
    out = Path(out)
    if isinstance(predictions, Predictions):
        run, entries = predictions, iter(predictions)
    else:
        entries = iter(predictions)
        first = next(entries, None)
        if first is None:
            raise OffgraphError("there is no prediction to save")
        run, entries = first.run, chain((first,), entries)
    trouble = run.source.holds(out)
    if trouble:
        raise OffgraphError(trouble)
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OffgraphError(
                f"{out}: is there already and not empty; nothing is overwritten. Give another folder, or remove it"
            )
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".offgraph-predictions-", dir=out.parent))
        try:
            report = _fill(part, entries, run, out)
            part.chmod(0o755)
            if out.exists():
                out.rmdir()
            part.rename(out)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        finally:
            if isinstance(predictions, Predictions):
                predictions.close()
    except OSError as error:
        raise OffgraphError(f"{out}: cannot be written: {error.strerror or error}") from error
    return report


@dataclass
class _Tally:
    """What is counted on the way, for the page."""

    truth: dict[str, int]
    count: int = 0
    objects: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)


def _fill(folder: Path, entries: Iterable[Prediction], run: Predictions, out: Path) -> PredictionReport:
    segment = run.task == "segment"
    tally = _Tally({name: number for number, name in enumerate(run.class_names)})
    with ExitStack() as stack:
        table = _table(stack, folder / "predictions.csv", _columns(run))
        pieces = _table(stack, folder / "objects.csv", ("path", "label", *_OBJECT)) if segment else None
        stream = stack.enter_context((folder / "predictions.json").open("w", encoding="ascii"))
        head = {
            "offgraph": 1,
            "task": run.task,
            "class_names": list(run.class_names),
            "recipe": run.recipe.to_dict(),
            "fingerprint": run.recipe.fingerprint,
            "grid": "upright original, (row, column), pixel centres at whole numbers",
        }
        stream.write(json.dumps(head, indent=1)[:-2] + ',\n "predictions": [')
        for number, prediction in enumerate(entries):
            entry = _entry(prediction, folder)
            stream.write((",\n  " if number else "\n  ") + json.dumps(entry))
            table.writerow(_row(entry, segment))
            if pieces is not None:
                for found in entry["objects"]:
                    pieces.writerow(
                        (entry["path"], found["label"], found["area"], *found["centroid"], *found["bbox"])
                    )
            _count(tally, prediction, entry, folder)
        stream.write("\n ]\n}\n")
        _table(stack, folder / "quarantine.csv", ("path", "reason")).writerows(run.quarantined)
    right = sum(truth == guess for truth, guess in tally.pairs)
    report = PredictionReport(
        out,
        tally.count,
        tuple(run.quarantined),
        dict(tally.classes.most_common()),
        tally.objects if segment else None,
        right / len(tally.pairs) if tally.pairs else None,
    )
    _page(report, tally, run).save(folder / "report.html")
    return report


_OBJECT = ("area", "row", "column", "first_row", "first_column", "end_row", "end_column")


def _table(stack: ExitStack, path: Path, header: Iterable[str]) -> TableWriter:
    return TableWriter(stack.enter_context(open_table_file(path)), header)


def _columns(run: Predictions) -> tuple[str, ...]:
    if run.task == "segment":
        return ("path", "objects", "foreground", "mask")
    return ("path", "class", "probability", *(f"p({name})" for name in run.class_names))


def _entry(prediction: Prediction, folder: Path) -> dict[str, Any]:
    """A prediction as plain JSON; writes its mask."""
    entry: dict[str, Any] = {"path": prediction.item.name, "orientation": prediction.orientation}
    if prediction.mask is None:
        values = [_rounded(value) for value in prediction.probabilities]
        return entry | {
            "class": prediction.class_name,
            "label": prediction.label,
            "probability": values[prediction.label or 0],
            "probabilities": values,
        }
    mask = prediction.mask
    path = write_mask(prediction, folder / "masks")
    return entry | {
        "mask": path.relative_to(folder).as_posix(),
        "size": list(mask.shape),
        "foreground": _rounded(np.count_nonzero(mask) / max(mask.size, 1)),
        "objects": objects(mask),
    }


def _rounded(value: float) -> float:
    """Six significant digits: what float32 holds."""
    return float(f"{float(value):.6g}")


def _row(entry: dict[str, Any], segment: bool) -> tuple[Any, ...]:
    if segment:
        return (entry["path"], len(entry["objects"]), entry["foreground"], entry["mask"])
    return (entry["path"], entry["class"], entry["probability"], *entry["probabilities"])


def _count(tally: _Tally, prediction: Prediction, entry: dict[str, Any], folder: Path) -> None:
    """Add a prediction to what the page shows."""
    tally.count += 1
    name = prediction.item.name
    if prediction.label is None:
        count = len(entry["objects"])
        tally.objects += count
        # A number would cover much of a small picture: it is written where the picture is shown enlarged.
        scale = 2 * _SIDE // max(*entry["size"][-2:], 1)
        drawn = prediction.picture(numbers=count <= 99 and scale < 2)
        write_picture(prediction, folder / "drawn", drawn)
        if len(tally.figures) < _ON_PAGE:
            large = prediction.picture(numbers=count <= 99, scale=scale) if scale > 1 else drawn
            shown = picture.fit(large, 2 * _SIDE)
            tally.figures.append(
                Figure(shown, name, f"{count_of(count, 'object')}, {entry['foreground']:.1%} of the picture")
            )
        return
    tally.classes[prediction.class_name or ""] += 1
    truth = tally.truth.get(prediction.true_class or "")
    if truth is not None:
        tally.pairs.append((truth, prediction.label))
    if len(tally.figures) < _ON_PAGE:
        rgb = picture.fit(picture.to_rgb(prediction.image, prediction.axes), _SIDE)
        details, mark = name, ""
        if truth is not None:
            mark = "right" if truth == prediction.label else "wrong"
            details = name if mark == "right" else f"is {prediction.class_names[truth]}; {name}"
        caption = f"{prediction.class_name} {prediction.probability:.1%}"
        tally.figures.append(Figure(rgb, caption, details, alt=f"{name}: {caption}", mark=mark))


def _page(report: PredictionReport, tally: _Tally, run: Predictions) -> Report:
    page = Report("Predictions", f"{count_of(report.count, 'picture')} in {run.source.root.name}")
    page.section("Overview")
    facts: list[tuple[str, object]] = [("pictures", report.count)]
    if report.objects is not None:
        facts.append(("objects", report.objects))
    if report.accuracy is not None:
        facts.append(("right", f"{report.accuracy:.2%}"))
    page.facts([*facts, ("files set aside", len(report.quarantined))])
    if report.classes:
        page.table(
            ["class", "pictures", "share"],
            [(name, count, f"{count / report.count:.1%}") for name, count in report.classes.items()],
        )
    if tally.pairs and len(run.class_names) <= 40:
        truth, guess = zip(*tally.pairs)
        matrix = picture.confusion_matrix(truth, guess, run.class_names)
        page.pictures([Figure(matrix, "True and predicted classes")], columns=2)
    page.section("Pictures")
    if report.count > len(tally.figures):
        page.text(f"The first {len(tally.figures)} of {report.count:,}; predictions.csv lists all of them.")
    page.pictures(tally.figures, columns=3 if report.objects is not None else 5)
    if report.quarantined:
        page.section("Files set aside")
        if len(report.quarantined) > _LISTED:
            page.text(
                f"The first {_LISTED} of {len(report.quarantined):,}; quarantine.csv lists all of them."
            )
        page.table(["file", "reason"], islice(report.quarantined, _LISTED))
    page.section("The recipe")
    page.code(run.recipe.to_yaml())
    return page

"""Save predictions: tables, label masks, images and a page, in one folder that is written atomically."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from offgraph.core.arguments import path_of
from offgraph.core.counting import count_of
from offgraph.core.errors import ArgumentError, OffgraphError
from offgraph.core.tables import TableWriter, dumps, open_table_file
from offgraph.dataset.allowed import DEFAULT_MAX_BAD, MaxBad
from offgraph.inference.boxes import BoxOutcome
from offgraph.inference.classes import ClassOutcome, LabelOutcome
from offgraph.inference.files import write_drawing, write_mask, write_raw
from offgraph.inference.masks import MaskOutcome
from offgraph.inference.measures import ClassScore, ErrorScore, OverlapScore, objects
from offgraph.inference.numbers import NumberOutcome
from offgraph.inference.outcome import Outcome
from offgraph.inference.prediction import Prediction, Predictions
from offgraph.views.html import Report

__all__ = ["PredictionReport", "objects", "save_predictions", "write_drawing", "write_mask"]

_LISTED = 200


@dataclass(frozen=True)
class PredictionReport:
    """What `save_predictions` wrote.

    Parameters
    ----------
    path : Path
        The folder.
    count : int
        Images that were predicted.
    quarantined : tuple of (name, reason)
        Images that were set aside.
    classes : dict of str to int
        Of a model of classes: images of each predicted class or label; of a detector: boxes of each class.
    objects : int or None
        Of a detector: boxes in all images. Of a segmentation model: objects in all masks; where `numbered` is false, the classes in each, added up.
    accuracy : float or None
        Share of images whose predicted class, or whose labels without exception, are the source's own; None where it
        has none.
    scores : tuple of ClassScore
        Where the source has classes, for each of the model's: ``name``, ``true``, ``predicted``, ``correct``,
        ``precision`` and ``recall``.
    errors : tuple of ErrorScore
        Of a regression model, where the source has them: ``name``, ``mean`` absolute error, ``root`` of the mean
        square, ``bias`` and ``explained`` variance.
    overlaps : tuple of OverlapScore
        Of a segmentation model, where the source has masks, for each class: ``name``, pixels, ``iou`` and ``dice``.
    iou, dice : float or None
        Their means over the classes that occur.
    several : bool
        Whether an image may have several labels.
    numbered : bool
        Whether labels number objects, as `Label` or a watershed among the postprocessing makes them.
    notes : tuple of str
        What is to be known of the files.
    too_many : str or None
        The limit, where more images were set aside than ``max_bad`` allows.
    """

    path: Path
    count: int
    quarantined: tuple[tuple[str, str], ...]
    classes: dict[str, int]
    objects: int | None
    accuracy: float | None
    scores: tuple[ClassScore, ...] = ()
    errors: tuple[ErrorScore, ...] = ()
    overlaps: tuple[OverlapScore, ...] = ()
    iou: float | None = None
    dice: float | None = None
    several: bool = False
    numbered: bool = True
    notes: tuple[str, ...] = ()
    too_many: str | None = None

    def summary(self) -> str:
        """Return a few lines for people."""
        lines = [f"predicted {count_of(self.count, 'image')}: {self.path}"]
        if self.objects is not None:
            lines.append(
                f"found {count_of(self.objects, 'object')}"
                if self.numbered
                else f"found {count_of(self.objects, 'label')} in the masks, which are classes and not objects: "
                "postprocessing that ends with Label numbers objects"
            )
        if self.classes:
            lines.append(", ".join(f"{name} {count:,}" for name, count in self.classes.items()))
        if self.accuracy is not None:
            what = (
                "with exactly the source's own labels"
                if self.several
                else "correct by the source's own classes"
            )
            lines.append(f"{what}: {self.accuracy:.2%}")
        lines += [f"mean error of {score.name}: {score.mean:.4g}" for score in self.errors]
        if self.iou is not None and self.dice is not None:
            lines.append(f"against the true masks: mean IoU {self.iou:.2%}, mean Dice {self.dice:.2%}")
        lines += self.notes
        if self.quarantined:
            lines.append(
                f"set aside {count_of(len(self.quarantined), 'file')}: {self.path / 'quarantine.csv'}"
            )
            name, why = self.quarantined[0]
            lines.append(f"  the first, {name}: {why}")
        if self.too_many is not None:
            lines.append(
                f"that is more than max_bad={self.too_many} allows: look at these files and at the options"
            )
        lines.append(f"to look at: {self.path / 'report.html'}")
        return "\n".join(lines)


def save_predictions(
    predictions: Iterable[Prediction],
    out: str | os.PathLike[str],
    *,
    max_bad: float | str = DEFAULT_MAX_BAD,
    raw: bool = False,
) -> PredictionReport:
    """Run through predictions and write them into a folder.

    The folder holds ``predictions.csv`` (one row per image, with the true class, labels or numbers where the source has
    them, or the overlap with the true mask), ``predictions.json`` (the same with classes, objects and the recipe's
    fingerprint), ``objects.csv`` (one row per object: label, area in pixels, centroid and box, in row and column of the
    upright original, of a volume with the slice before them; or the columns of `Measure`, where the result steps have it), ``masks/`` and
    ``drawn/`` of a segmentation model, ``contours/`` or ``contours.json`` where they have `Contours`,
    ``boxes.csv``, ``coco_results.json`` (COCO's form of results; ``image_id`` counts the images of the source from 1, ``category_id`` the classes), and
    ``points.csv`` where there are keypoints, of a detector, ``quarantine.csv`` and ``report.html``, which shows mistakes first. It is written under a temporary name and renamed, so that it is there as a whole or not at all.

    Parameters
    ----------
    predictions : Predictions, or iterable of Prediction
        What `predict` gave; it is used up, one prediction in memory at a time. Or some of one run's predictions.
    out : path
        A folder that does not exist yet, or is empty.
    max_bad : float, int or str
        Images set aside that are tolerated: a share such as ``0.05`` or ``"5%"``, or a number of images such as
        ``12``. With more, everything is written, and the report's ``too_many`` and summary say so. Half of the images
        unless given.
    raw : bool
        Also write ``raw/``: for each image an ``.npz`` with all outputs of the model, by name, as it gave them.

    Raises
    ------
    OffgraphError
        Where the folder holds files already, lies in the source or cannot be written, or no image could be
        predicted; names the folder or the first image.

    Examples
    --------
    >>> report = save_predictions(predict("flowers.keras", "new/"), "predictions/")  # doctest: +SKIP
    >>> print(report.summary())  # doctest: +SKIP
    """
    out, allowed = path_of("out", out), MaxBad.of(max_bad)
    if isinstance(predictions, Predictions):
        run, entries = predictions, iter(predictions)
    else:
        entries = iter(predictions if isinstance(predictions, Iterable) else [predictions])
        first = next(entries, None)
        if first is None and predictions is not None:
            raise OffgraphError("there is no prediction to save")
        if not isinstance(first, Prediction):
            raise ArgumentError(f"predictions={predictions!r:.80}: give what og.predict returns")
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
            report = _fill(part, entries, run, out, allowed, raw)
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
    except OffgraphError:  # some of them are OSErrors too: the source's drive is gone, and not the folder's
        raise
    except OSError as error:
        raise OffgraphError(f"{out}: cannot be written: {error.strerror or error}") from error
    return report


def _fill(
    folder: Path, entries: Iterable[Prediction], run: Predictions, out: Path, allowed: MaxBad, raw: bool
) -> PredictionReport:
    with ExitStack() as stack:
        outcome = _outcome(run, folder, stack)
        table = TableWriter(stack.enter_context(open_table_file(folder / "predictions.csv")), outcome.columns)
        stream = stack.enter_context((folder / "predictions.json").open("w", encoding="utf-8"))
        head = {
            "offgraph": 1,
            "task": run.task,
            "class_names": list(run.class_names),
            **({"target_names": list(run.target_names)} if run.task == "regress" else {}),
            **({"threshold": run.threshold} if run.task == "multilabel" else {}),
            "recipe": run.recipe.to_dict(),
            "fingerprint": run.recipe.fingerprint,
            "grid": "upright original, (row, column), pixel centres at whole numbers",
        }
        stream.write(dumps(head, indent=1)[:-2] + ',\n "predictions": [')
        for number, prediction in enumerate(entries):
            entry = {"path": prediction.item.name, "orientation": prediction.orientation}
            entry |= outcome.take(prediction)
            if raw:
                entry["raw"] = write_raw(prediction, folder / "raw").relative_to(folder).as_posix()
            stream.write((",\n  " if number else "\n  ") + dumps(entry))
            table.writerow(outcome.row(entry))
        stream.write("\n ]\n}\n")
        quarantine = stack.enter_context(open_table_file(folder / "quarantine.csv"))
        TableWriter(quarantine, ("path", "reason")).writerows(run.quarantined)
    found: dict[str, Any] = {"classes": {}, "objects": None, "accuracy": None} | outcome.found()
    bad = len(run.quarantined)
    report = PredictionReport(
        out,
        outcome.count,
        tuple(run.quarantined),
        **found,
        several=run.task == "multilabel",
        numbered=run.numbered or run.task == "detect",
        too_many=allowed.text if allowed.exceeded(bad, outcome.count + bad) else None,
    )
    _page(outcome, run).save(folder / "report.html")
    return report


def _outcome(run: Predictions, folder: Path, stack: ExitStack) -> Outcome:
    match run.task:
        case "classify":
            return ClassOutcome(run, folder)
        case "multilabel":
            return LabelOutcome(run, folder)
        case "regress":
            return NumberOutcome(run, folder)
        case "segment":
            return MaskOutcome(run, folder, stack)
        case "detect":
            return BoxOutcome(run, folder, stack)
    raise OffgraphError(f"predictions of a {run.task} model have no page yet; read them one by one")


def _page(outcome: Outcome, run: Predictions) -> Report:
    page = Report("Predictions", f"{count_of(outcome.count, 'image')} in {run.source.root.name}")
    page.section("Overview")
    outcome.overview(page)
    outcome.images(page)
    if run.quarantined:
        page.section("Files set aside")
        if len(run.quarantined) > _LISTED:
            page.text(f"The first {_LISTED} of {len(run.quarantined):,}; quarantine.csv lists all of them.")
        page.table(["file", "reason"], islice(run.quarantined, _LISTED))
    page.section("The recipe")
    page.code(run.recipe.to_yaml())
    return page

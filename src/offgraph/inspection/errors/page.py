"""The page of an error report: scores, charts, then the images on which the model is wrong."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np

from offgraph.core.counting import count_of
from offgraph.core.errors import OffgraphError
from offgraph.inference.outcome import share
from offgraph.inference.prediction import DRAWN_FROM
from offgraph.inspection.errors.results import (
    BoxErrors,
    ErrorReport,
    InstanceErrors,
    MaskErrors,
    Mistake,
    ObjectError,
    said,
)
from offgraph.sources import Source
from offgraph.views import charts, draw
from offgraph.views.html import NONE, Figure, Report, Share
from offgraph.views.mask_errors import heat

__all__ = ["error_page"]

_SIDE = 240
_MATRIX = 200  # classes up to which their matrix is drawn
_LISTED = 200
_KINDS = {"missed": "not found", "outlined": "badly outlined or merged", "false": "nothing there"}


def error_page(report: ErrorReport, source: Source, recipe: str) -> Report:
    """Make the page.

    Parameters
    ----------
    report : ErrorReport
    source : Source
        From which the images of mistakes are read again; one that is gone meanwhile is left out.
    recipe : str
        What each image gets, as YAML.
    """
    page = Report(
        "Error report",
        f"{PurePath(report.model).name} on {count_of(report.count, 'image')} of {PurePath(report.source).name}",
    )
    page.section("Overview")
    page.facts(_facts(report))
    if report.unknown:
        page.text(f"{count_of(report.unknown, 'image')} without a known answer were left out.")
    if report.classes is not None:
        _classes(page, report)
    if report.masks is not None:
        _masks(page, report.masks)
    if report.boxes is not None:
        _boxes(page, report.boxes)
    if report.numbers:
        page.table(
            ["number", "mean error", "root mean square", "bias", "R²"],
            [
                (s.name, s.mean, s.root, s.bias, NONE if s.explained is None else s.explained)
                for s in report.numbers
            ],
            "Errors in the unit of the number. Bias: the mean of predicted minus true. R²: the share of the true values' "
            "variance that is explained.",
        )
    _mistakes(page, report, source)
    if report.objects:
        _objects(page, report.objects)
    if report.occlusion:
        _occlusion(page, report, source)
    if report.quarantined:
        page.section("Files set aside")
        if len(report.quarantined) > _LISTED:
            page.text(f"The first {_LISTED} of {len(report.quarantined):,}; the JSON lists all of them.")
        page.table(["file", "reason"], report.quarantined[:_LISTED])
    page.section("The recipe")
    page.code(recipe)
    return page


def _facts(report: ErrorReport) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = [("images", report.count)]
    if report.classes is not None:
        several = report.classes.confusion is None
        name = "with exactly the true labels" if several else "correct"
        facts += [
            (name, share(report.classes.accuracy)),
            ("calibration error", share(report.classes.calibration.error)),
        ]
    if report.masks is not None:
        facts += [("mean IoU", share(report.masks.iou)), ("mean Dice", share(report.masks.dice))]
        if report.masks.instances is not None:
            facts += [
                ("AP at IoU 0.5", share(report.masks.instances.average_precision)),
                ("AP at IoU 0.5 to 0.95", share(report.masks.instances.mean)),
                ("panoptic quality", share(report.masks.instances.panoptic.quality)),
            ]
    if report.boxes is not None:
        facts += [
            ("AP at IoU 0.5", share(report.boxes.at_half)),
            ("AP at IoU 0.5 to 0.95", share(report.boxes.mean)),
        ]
    facts += [(f"mean error of {score.name}", score.mean) for score in report.numbers[:4]]
    return [*[(name, _percent(value)) for name, value in facts], ("files set aside", len(report.quarantined))]


def _percent(value: object) -> object:
    """Shares with two decimals: a fact is read for itself."""
    return f"{value:.2%}" if isinstance(value, Share) else value


def _classes(page: Report, report: ErrorReport) -> None:
    found = report.classes
    assert found is not None
    page.table(
        ["class", "true", "predicted", "correct", "precision", "recall"],
        [(s.name, s.true, s.predicted, s.correct, share(s.precision), share(s.recall)) for s in found.scores],
        "Precision: share of the predictions of a class that are correct. Recall: share of the images of a class that were "
        "predicted as it. A dash: there are none.",
    )
    page.section("Calibration")
    kind = "decision" if found.confusion is None else "image"
    page.text(
        "A calibrated model is correct in 80 of 100 cases in which it is 80 % sure. Expected calibration error: the distance "
        f"between both, as a mean over the ranges, each by its {kind}s."
    )
    bins = [
        (b.confidence, b.accuracy, b.count)
        for b in found.calibration.bins
        if b.confidence is not None and b.accuracy is not None
    ]
    page.charts([charts.reliability_curve(bins, "true" if found.confusion is None else "correct")])
    page.table(
        ["confidence", f"{kind}s", "mean confidence", "true" if found.confusion is None else "correct"],
        [
            (f"{b.low:.1%} to {b.high:.1%}", b.count, share(b.confidence), share(b.accuracy))
            for b in found.calibration.bins
            if b.count
        ],
    )
    if found.confusion is not None and len(found.scores) <= _MATRIX:
        true, predicted = (
            np.repeat(one.ravel(), found.confusion.ravel()) for one in np.indices(found.confusion.shape)
        )
        page.charts([charts.confusion_matrix(true, predicted, [s.name for s in found.scores])])


def _masks(page: Report, found: MaskErrors) -> None:
    page.table(
        [
            "class" if found.by_class else "objects against background",
            "true pixels",
            "predicted",
            "common",
            "IoU",
            "Dice",
        ],
        [(s.name, s.true, s.predicted, s.common, share(s.iou), share(s.dice)) for s in found.overlaps],
        "Over the pixels of all images. IoU: intersection over union of true and predicted pixels. Dice: twice the "
        "intersection over the sum of both.",
    )
    if found.note:
        page.text(f"{found.note[0].upper()}{found.note[1:]}.")
    if found.instances is None:
        return
    page.section("Objects")
    page.text(
        "A true and a predicted object match where their IoU is above the threshold. Average precision: matched / (matched + "
        "false + missed), over the objects of all images. Panoptic quality: the sum of the IoU of the pairs that match at 0.5 / "
        "(matched + false / 2 + missed / 2)."
    )
    kinds = [("the result steps", found.instances)]
    if found.against is not None:
        kinds.append(("to compare with", found.against))
        page.text(
            f"{' → '.join(found.instances.steps)} has {said(found.instances.average_precision)} at an IoU of 0.5; "
            f"{' → '.join(found.against.steps)} has {said(found.against.average_precision)}: a difference of {found.gain or 0:+.4f}."
        )
    page.table(
        [
            "",
            "AP at 0.5",
            "AP at 0.75",
            "AP, 0.5 to 0.95",
            "panoptic",
            "segmentation",
            "recognition",
            "true",
            "predicted",
        ],
        [_instance_row(name, one) for name, one in kinds],
    )
    page.table(
        ["IoU above", "matched", "false", "missed", "AP", "precision", "recall", "AP, mean of the images"],
        [
            (
                f"{s.threshold:.2f}",
                s.matched,
                s.false,
                s.missed,
                share(s.average_precision),
                share(s.precision),
                share(s.recall),
                share(s.by_image),
            )
            for s in found.instances.scores
        ],
    )


def _boxes(page: Report, found: BoxErrors) -> None:
    page.table(
        ["class", "true", "predicted", "AP at 0.5", "AP at 0.75", "AP, 0.5 to 0.95", "recall at 0.5"],
        [
            (
                s.name,
                s.true,
                s.predicted,
                share(s.at_half),
                share(None if s.by_threshold is None else s.by_threshold[5]),
                share(s.mean),
                share(s.recall),
            )
            for s in found.scores
        ],
        "Average precision as COCO has it: the surest 100 boxes of each class in an image, each matched to the free true box with the "
        "largest IoU; the mean of the precisions at 101 recalls. Predicted: how many of these there are.",
    )


def _instance_row(name: str, one: InstanceErrors) -> tuple[object, ...]:
    return (
        name,
        share(one.average_precision),
        share(one.scores[5].average_precision),
        share(one.mean),
        share(one.panoptic.quality),
        share(one.panoptic.segmentation),
        share(one.panoptic.recognition),
        one.true,
        one.predicted,
    )


def _mistakes(page: Report, report: ErrorReport, source: Source) -> None:
    masks = report.masks is not None or report.boxes is not None
    page.section(
        "Worst images"
        if masks
        else "Largest errors"
        if report.task == "regress"
        else "Most confident mistakes"
    )
    if not report.mistakes:
        page.text("None.")
        return
    if masks:
        page.text(
            "The image, stretched from black to white, the true mask and the predicted one."
            if report.masks is not None
            else f"True boxes on the left, predicted ones from a score of {DRAWN_FROM:g} on the right."
        )
        page.figures([_drawn(one) for one in report.mistakes], columns=1)
        return
    figures = []
    for one in report.mistakes:
        rgb = _image(source, one.index)
        if rgb is not None:
            figures.append(
                Figure(
                    rgb,
                    one.predicted,
                    f"is {one.true}; {one.name}",
                    mark="" if report.task == "regress" else "wrong",
                )
            )
    page.figures(figures, columns=5)


def _drawn(one: Mistake) -> Figure:
    assert one.drawn is not None
    return Figure(one.drawn, one.predicted, one.name, alt=f"{one.name}: what is true, then what is predicted")


def _image(source: Source, index: int) -> np.ndarray | None:
    try:
        image = source.read(index).image
    except (OffgraphError, OSError):
        return None
    return draw.fit(draw.to_rgb(image.array, image.axes), _SIDE)


def _objects(page: Report, objects: tuple[ObjectError, ...]) -> None:
    page.section("Worst objects")
    page.text(
        "The surroundings of the objects of which most pixels are lost: the image, the true mask, the predicted one."
    )
    page.figures(
        [
            Figure(
                one.drawn,
                f"{_KINDS[one.kind]}: object {one.label}, {one.area:,} pixels, IoU {one.iou:.0%}",
                one.name,
                alt=f"{one.name}, object {one.label}: image, true mask, predicted mask",
            )
            for one in objects
        ],
        columns=2,
    )


def _occlusion(page: Report, report: ErrorReport, source: Source) -> None:
    limit = max(float(np.abs(one.map).max(initial=0)) for one in report.occlusion)
    page.section("What the answer depends on")
    page.text(
        "One part of the image after another is covered with the image's mean. Red: the answer falls without it. Blue: it "
        f"rises. Full colour is a change of {limit:.3g}."
    )
    figures = []
    for one in report.occlusion:
        try:
            image = source.read(one.index).image
            rgb = draw.fit(heat(image.array, one.map, axes=image.axes, limit=limit), _SIDE)
        except (OffgraphError, OSError):
            continue
        figures.append(Figure(rgb, one.answer, one.name, alt=f"{one.name}: what {one.answer} depends on"))
    page.figures(figures, columns=5)

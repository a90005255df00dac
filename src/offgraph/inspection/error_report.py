"""Where a model is wrong: its scores on a source whose answers are known, and the images that they come from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from offgraph.core.arguments import path_of, whole_number
from offgraph.core.errors import ArgumentError, OffgraphError, SourceError
from offgraph.core.tables import dumps
from offgraph.formats.encoding import write_bytes
from offgraph.inference.members import result_steps_of
from offgraph.inference.prediction import Predictions
from offgraph.inference.predictor import Predictor
from offgraph.inspection.errors.collect import (
    ClassCollector,
    Collector,
    LabelCollector,
    MaskCollector,
    NumberCollector,
)
from offgraph.inspection.errors.collect_boxes import BoxCollector
from offgraph.inspection.errors.occlusion import occlusion_map
from offgraph.inspection.errors.page import error_page
from offgraph.inspection.errors.results import ErrorReport, OcclusionMap
from offgraph.recipe.compose import Compose
from offgraph.sources import Source
from offgraph.steps.base import Step
from offgraph.steps.kinds import ResultStep

__all__ = ["ErrorReport", "report"]


def report(
    model: Any,
    src: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    masks: str | os.PathLike[str] | None = None,
    against: Compose | Sequence[Step] | None = None,
    instances: bool | None = None,
    shown: int = 24,
    occlusion: int = 6,
    bins: int = 15,
    pad_to: int | Literal["auto"] | None = None,
    **options: Any,
) -> ErrorReport:
    """Compare a model's predictions with what is known, and show where they are wrong.

    Of classes: accuracy, precision and recall of each, the confusion matrix, calibration (reliability and the expected calibration
    error). Of masks: IoU and Dice of each class; where they number objects, average precision at IoU 0.5 to 0.95 and panoptic
    quality. Of boxes: COCO's average precision of each class, at IoU 0.5 and 0.5 to 0.95. Of numbers: mean error, root mean square, bias, R². Then the most confident mistakes, the worst objects, and
    maps of what an answer depends on.

    Parameters
    ----------
    model : path, SavedModel or Predictor
        A ``.keras`` file that `offgraph.save` wrote, or a `Predictor`, where other options than its defaults, or another kind
        of model, are wanted.
    src : path or Source
        Images whose classes, labels, numbers, masks or boxes are known.
    out : path, optional
        The HTML page to write; the same as JSON is written beside it, with the suffix ``.json``.
    masks : path, optional
        Folder of the true label masks, with the images' names, where `src` is a folder of images.
    against : Compose or list of result steps, optional
        Other result steps to make objects of the same probabilities, and to compare their scores with.
    instances : bool, optional
        Whether true masks number objects. By default they do where one of them has more than one label, and the model's
        result steps number objects.
    shown : int
        Mistakes that are shown, and objects.
    occlusion : int
        Images for which a map is made, mistakes first; each takes 64 runs of the model. 0 for none. There are none for masks and boxes.
    bins : int
        Ranges of confidence, of equal width.
    pad_to : int or "auto", optional
        As for `Predictor`.
    **options
        Passed on to `open_source` with a path, such as ``axes`` and ``missing_mask``.

    Returns
    -------
    ErrorReport

    Raises
    ------
    SourceError
        Where nothing is known of any image, or the source is one of boxes, and the model makes none.
    OffgraphError
        Where no image could be predicted, and for options that the task does not have.

    Notes
    -----
    Exactness: an object matches where its IoU is above the threshold, compared in whole numbers of pixels; average precision is
    matched / (matched + false + missed), as of Kaggle's Data Science Bowl 2018 and StarDist; panoptic quality that of Kirillov
    et al. (2019), for one class. The calibration error is that of Guo et al. (2017). Of boxes it is
    that of `pycocotools` (101 recalls, the 100 surest boxes of a class and image). Memory does not grow with the images, but for some
    bytes per box.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import offgraph as og
    >>> def brightness(batch):  # (B, 8, 8, 3) -> (B, 2)
    ...     light = batch.mean(axis=(1, 2, 3))
    ...     return np.stack([1 - light, light], axis=1)
    >>> predictor = og.Predictor(
    ...     brightness, recipe=[og.Resize((8, 8)), og.Rescale(1 / 255)], task="classify", class_names=["dark", "light"]
    ... )
    >>> with tempfile.TemporaryDirectory() as shades:
    ...     for name, value in (("dark/0.png", 51), ("light/1.png", 204), ("light/2.png", 102)):
    ...         Path(shades, name).parent.mkdir(exist_ok=True)
    ...         og.imwrite(Path(shades, name), np.full((20, 30, 3), value, np.uint8))
    ...     found = og.report(predictor, shades, occlusion=0)
    >>> [(one.name, one.predicted, one.true) for one in found.mistakes]
    [('light/2.png', 'dark 60.0%', 'light')]
    >>> round(found.classes.accuracy, 4), round(found.classes.calibration.error, 4)
    (0.6667, 0.3333)
    """
    path = None if out is None else path_of("out", out)
    shown, bins = whole_number("shown", shown), whole_number("bins", bins)
    occlusion = whole_number("occlusion", occlusion, least=0)
    if isinstance(model, Predictor):
        if pad_to is not None:
            raise ArgumentError("pad_to=: give it to the Predictor")
        predictor = model
    else:
        predictor = Predictor(model, pad_to=pad_to)
    if predictor.saved.task != "detect":
        _refuse_boxes(src, options)
    run = predictor(src, masks=masks, **options)
    if not isinstance(run, Predictions):
        raise ArgumentError("src=: an array has no known answer; give a folder, a table or a source")
    if path is not None and (trouble := run.source.holds(path)):
        raise OffgraphError(trouble)
    collector = _collector(predictor, run, shown, bins, against, instances)
    try:
        for prediction in run:
            collector.take(prediction)
    finally:
        run.close()
    if not collector.count:
        wanted = {
            "mask": "name their folder by masks= (--masks)",
            "annotation": "give VOC, COCO or YOLO annotations",
        }.get(collector.truth, "give images in class folders, or a table of them")
        raise SourceError(
            f"{run.source.where}: no image has a known {collector.truth} to compare with; {wanted}"
        )
    found: dict[str, Any] = {"mistakes": tuple(collector.wrong.highest())} | collector.results()
    result = ErrorReport(
        path,
        str(predictor.saved.path),
        str(run.source.root),
        run.task,
        collector.count,
        collector.unknown,
        tuple(run.quarantined),
        **found,
    )
    if occlusion and run.task not in ("segment", "detect"):
        places = [one.index for one in result.mistakes] + collector.others.highest()
        result = replace(result, occlusion=_maps(predictor, run, places[:occlusion]))
    if path is not None:
        error_page(result, run.source, run.recipe.to_yaml()).save(path)
        _write_json(path.with_suffix(".json"), result)
    return result


def _refuse_boxes(src: Any, options: dict[str, Any]) -> None:
    task = src.task if isinstance(src, Source) else options.get("task")
    if task == "detect" or options.get("annotations") is not None:
        raise SourceError(
            "boxes cannot be compared: this model makes none. Compare masks, classes or numbers"
        )


def _collector(
    predictor: Predictor,
    run: Predictions,
    shown: int,
    bins: int,
    against: Compose | Sequence[Step] | None,
    instances: bool | None,
) -> Collector:
    """Return what takes the predictions of this task."""
    if run.task != "segment":
        given = [
            name for name, value in (("against", against), ("instances", instances)) if value is not None
        ]
        if given:
            raise ArgumentError(
                f"{given[0]}=: only for masks; {predictor.saved.path} has the task {run.task!r}"
            )
    match run.task:
        case "classify":
            return ClassCollector(run, shown, bins)
        case "multilabel":
            return LabelCollector(run, shown, bins)
        case "regress":
            return NumberCollector(run, shown)
        case "segment":
            return _mask_collector(predictor, run, shown, against, instances)
        case "detect":
            return BoxCollector(run, shown)
    raise OffgraphError(f"predictions of a {run.task} model have no report yet; read them one by one")


def _mask_collector(
    predictor: Predictor,
    run: Predictions,
    shown: int,
    against: Compose | Sequence[Step] | None,
    instances: bool | None,
) -> MaskCollector:
    if instances and not run.numbered:
        raise ArgumentError(
            "instances=True: the model's result steps do not number objects; end them with og.Label() or og.DistanceWatershed()"
        )
    other = None
    if against is not None:
        other = result_steps_of(predictor.saved, against)
        if not run.numbered or not _numbers(other):
            raise ArgumentError(
                "against=: objects are compared, so both these steps and the model's own have to number them; end them with "
                "og.Label() or og.DistanceWatershed()"
            )
    return MaskCollector(run, shown, predictor.postprocess, other, instances)


def _numbers(steps: Compose) -> bool:
    return any(isinstance(step, ResultStep) and step.numbers_objects for step in steps.steps)


def _maps(predictor: Predictor, run: Predictions, places: Sequence[int]) -> tuple[OcclusionMap, ...]:
    """Make a map of each image; one that cannot be read again is left out."""
    maps = []
    for index in places:
        try:
            image = run.source.read(index).image
            first = next(predictor([image.array]))
            if first.values is not None:
                number, answer = 0, f"{first.target_names[0]} {first.values[0]:.5g}"
            else:
                number = int(first.probabilities.argmax())
                answer = f"{first.class_names[number]} {first.probabilities[number]:.1%}"

            def value(images: list[np.ndarray], number: int = number) -> list[float]:
                given = list(predictor(images))
                if len(given) != len(images):
                    raise OffgraphError("an image with a hidden part could not be predicted")
                return [
                    float((one.probabilities if one.values is None else one.values)[number]) for one in given
                ]

            found = occlusion_map(image.array, image.axes, value)
        except (OffgraphError, OSError):
            continue
        maps.append(OcclusionMap(run.source[index].name, index, answer, value([image.array])[0], found))
    return tuple(maps)


def _write_json(path: Path, result: ErrorReport) -> None:
    try:
        write_bytes(path, (dumps(result.to_json(), indent=1) + "\n").encode())
    except OSError as error:
        raise OffgraphError(f"{path}: cannot be written: {error.strerror or error}") from error

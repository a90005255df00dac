"""What changed preprocessing does to a trained model: the same images, prepared in another way, and its answers compared."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.choices import Outputs
from offgraph.core.errors import ArgumentError, OffgraphError
from offgraph.engine.library_resize import LIBRARIES, Library
from offgraph.frameworks.decoders import DECODERS, decoder_of
from offgraph.inference.model_source import source_for
from offgraph.inference.predictor import Predictor
from offgraph.inference.run_options import RunOptions
from offgraph.inspection.answers import (
    SCORES,
    Answers,
    answers_of,
    change_of,
    drawable,
    largest_change,
    score_of,
    share_alike,
)
from offgraph.inspection.comparison import Vary, parse_vary, settings_of
from offgraph.inspection.library_variants import decoded_by, resized_by
from offgraph.inspection.skew_report import Absent, Flip, SkewReport, SkewRow, estimate
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.sources import Source
from offgraph.views.skew_page import DRAWN

__all__ = ["skew"]


def skew(
    model: Any,
    src: Source | str | os.PathLike[str],
    *,
    vary: str | Vary | Sequence[str | Vary] = (),
    against: str | Sequence[Library] = (),
    recipes: Mapping[str, Any] | None = None,
    masks: str | os.PathLike[str] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    batch_size: int = 32,
    threads: int | None = None,
    outputs: Outputs | None = None,
    threshold: float = 0.5,
    pad_to: int | Literal["auto"] | None = None,
    **options: Any,
) -> SkewReport:
    """Measure what other preprocessing does to a saved model: changed steps, or another library's decoder and resize.

    The model's answers with its own recipe are compared with those that it gives to the same images prepared in another
    way. Nothing is trained.

    Parameters
    ----------
    model : path or SavedModel
        A ``.keras`` file that `offgraph.save` wrote, or what `offgraph.load` returns; ``predictor.saved`` of a `Predictor`
        made of any function.
    src : path or Source
        Images. Where they have classes, masks or boxes, accuracy, IoU or average precision are measured too.
    vary : str, Vary, or several
        What changes in the model's recipe: ``"MedianFilter.size=1,3,5"`` is three rows. Each is varied alone.
    against : str or sequence of {"pillow", "pillow12", "opencv", "tf", "torch"}
        Libraries, as a list or ``"pillow,opencv"``. For each its resize in place of every `Resize` (by its definition: the
        library is not needed), its decoder, where it is installed, and both.
    recipes : mapping of str to recipe, optional
        Other recipes by name: `Compose`, a list of steps, or a file.
    masks : path, optional
        Folder of the true label masks, as for `predict`.
    seed, resamples : int
        Of the bootstrap: images drawn with replacement, as often as `resamples` says, at least 1. Equal seeds give equal
        intervals.
    batch_size, threads, outputs, threshold, pad_to
        As for `Predictor`.
    **options
        Passed on to `open_source` with a path.

    Returns
    -------
    SkewReport
        Its rows are ordered from the worst: ``report.rows[0]``. `to_json`, `render`, and `offgraph.save_skew` for a page.

    Raises
    ------
    RecipeError
        For a step or field that the model's recipe does not have, or a value that it does not take; names both.
    ArgumentError
        Where nothing is to be compared, or a library is not known.
    OffgraphError
        For a model of another task than classes, labels, masks and boxes, or where no image can be predicted.

    Notes
    -----
    Exactness: a recipe that equals the model's own gives exactly 0 change, agreement 1 and no flip, with empty intervals.
    An image that only one of both ways can predict is left out of the row and listed. Of a detector, average precision is COCO's, the mean
    over IoU 0.5 to 0.95 and classes; boxes with a score of 0.3 or more are its answer, and two of one class with an IoU of 0.5 or more
    are the same.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> import offgraph as og
    >>> def brightness(batch):  # (B, 8, 8, 3) -> (B, 2)
    ...     light = batch.mean(axis=(1, 2, 3))
    ...     return np.stack([1 - light, light], axis=1)
    >>> recipe = [og.Resize((8, 8)), og.Brightness(1.0), og.Rescale(1 / 255)]
    >>> model = og.Predictor(brightness, recipe=recipe, task="classify", class_names=["dark", "light"]).saved
    >>> with tempfile.TemporaryDirectory() as home:
    ...     for value in (60, 110, 220):
    ...         og.imwrite(f"{home}/{value}.png", np.full((9, 9, 3), value, np.uint8))
    ...     report = og.skew(model, home, vary="Brightness.factor=1.0,1.5", labels=None)
    >>> [(row.name, len(row.flips)) for row in report.rows]
    [('Brightness.factor = 1.5', 1), ('Brightness.factor = 1.0', 0)]
    """
    libraries = _libraries(against)
    seed, resamples = whole_number("seed", seed, least=0), whole_number("resamples", resamples)
    made = RunOptions.of(
        batch_size=batch_size, threads=threads, outputs=outputs, threshold=threshold, pad_to=pad_to
    ).keywords()
    own = Predictor(model, **made)
    task = own.saved.task
    if task not in SCORES:
        raise OffgraphError(
            f"{own.saved.path}: skew compares classes, labels, masks and boxes; this model's task is {task!r}"
        )
    source = source_for(own.saved, src, masks=masks, **options)
    ways, absent = _ways(own.recipe, source, vary, libraries, recipes or {})
    if not ways and not absent:
        raise ArgumentError(
            "nothing is compared: give vary=, against= or recipes= (--vary, --against, --recipe)"
        )
    base = answers_of(own, source)
    rows = []
    for way in ways:
        try:
            predictor = Predictor(own.saved, recipe=way.recipe, other_recipe=True, **made)
            other = answers_of(predictor, way.source)
        except OffgraphError as error:
            absent.append(Absent(way.name, str(error)))
            continue
        rows.append(_row(way, base, other, seed, resamples))
    rows.sort(key=lambda row: (row.agreement.value, -(row.shift or 0.0)))
    return SkewReport(
        str(own.saved.path),
        str(task),
        source,
        SCORES[str(task)],
        len(base.said),
        score_of(base, _known(base), seed, resamples),
        tuple(rows),
        tuple(absent),
        tuple(base.set_aside.items()),
        own.recipe.to_yaml(),
        resamples,
        seed,
        own.class_names,
    )


def _known(found: Answers) -> list[int]:
    """The images of which the truth is known."""
    return [index for index, score in found.scores.items() if not math.isnan(score)]


def _libraries(against: str | Sequence[str]) -> list[Library]:
    given = (
        [part.strip() for part in against.split(",") if part.strip()]
        if isinstance(against, str)
        else list(against)
    )
    wrong = [one for one in given if one not in get_args(Library)]
    if wrong:
        raise ArgumentError(f"against={wrong[0]!r:.80}: known are {', '.join(get_args(Library))}")
    return list(dict.fromkeys(given))  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Way:
    """One way to prepare the images."""

    name: str
    kind: str
    recipe: Compose
    source: Source
    notes: tuple[str, ...] = ()


def _ways(
    recipe: Compose,
    source: Source,
    vary: str | Vary | Sequence[str | Vary],
    libraries: Sequence[Library],
    recipes: Mapping[str, Any],
) -> tuple[list[_Way], list[Absent]]:
    ways: list[_Way] = []
    absent: list[Absent] = []
    for entry in [vary] if isinstance(vary, str | Vary) else vary:
        varied = entry if isinstance(entry, Vary) else parse_vary(entry)
        ways += [
            _Way(one.caption, "vary", one.recipe, source, one.hints) for one in settings_of([varied], recipe)
        ]
    for library in libraries:
        more, missing = _of_library(recipe, source, library)
        ways, absent = ways + more, absent + missing
    with warnings.catch_warnings():  # of hints: these recipes are compared, and not recommended
        warnings.simplefilter("ignore")
        ways += [_Way(name, "recipe", as_recipe(given).eval(), source) for name, given in recipes.items()]
    return ways, absent


def _of_library(recipe: Compose, source: Source, library: Library) -> tuple[list[_Way], list[Absent]]:
    """The resize, the decoder, and both; and what there is not."""
    title, ways, absent = LIBRARIES[library].title, [], []
    resized, notes = resized_by(recipe, library, largest=_largest(source))
    if resized is None:
        absent.append(Absent(f"{title}: resize", "; ".join(("the recipe has no Resize", *notes))))
    else:
        ways.append(_Way(f"{title}: resize", "resize", resized, source, notes))
    if library not in DECODERS:
        return ways, absent
    name = DECODERS[library][1]
    if reason := _not_decodable(source):
        absent.append(Absent(f"{name}: decode", reason))
        return ways, absent
    try:
        decoder = decoder_of(library)
    except OffgraphError as error:
        absent.append(Absent(f"{name}: decode", str(error)))
        return ways, absent
    said = [f"{decoder.call}, {name} {decoder.version}"]
    if not decoder.turns:
        said.append("it leaves images as they are stored, whatever their EXIF orientation")
    decoded = decoded_by(source, decoder)
    ways.append(_Way(f"{name}: decode", "decode", recipe, decoded, tuple(said)))
    if resized is not None:
        ways.append(_Way(f"{name}: decode and resize", "both", resized, decoded, notes))
    return ways, absent


def _largest(source: Source) -> float | None:
    """The largest value of the images, judged by the first that can be read."""
    for index in range(min(len(source), 5)):
        try:
            kind = source.read(index).image.array.dtype
        except (OffgraphError, OSError):
            continue
        return float(np.iinfo(kind).max) if kind.kind == "u" else None
    return None


def _not_decodable(source: Source) -> str:
    if source.reading.color not in ("rgb", "grey"):
        return f"images are read as they are stored (color={source.reading.color!r}), which the libraries do each in its way"
    if any(not os.path.isfile(item.path) for item in (source[0], source[len(source) - 1])):  # noqa: PTH113
        return "the images are not files"
    return ""


def _row(way: _Way, base: Answers, other: Answers, seed: int, resamples: int) -> SkewRow:
    both = [index for index in base.said if index in other.said]
    if not both:
        raise OffgraphError(f"{way.name}: no image was predicted in both ways")
    same = np.array([share_alike(base.said[i], other.said[i], base.numbered) for i in both])
    scored = [i for i in both if not (math.isnan(base.scores[i]) or math.isnan(other.scores[i]))]
    before, after = (np.array([found.scores[i] for i in scored]) for found in (base, other))
    flips = [
        Flip(i, base.names[i], base.said[i].text, other.said[i].text, base.said[i].truth, float(share))
        for i, share in zip(both, same)
        if share < 1
    ]
    flips.sort(key=lambda one: (one.same, one.index))
    flips[:DRAWN] = [_with_answers(one, base, other) for one in flips[:DRAWN]]
    flipped = {one.index for one in flips}
    moved = np.array([i in flipped for i in scored], bool)
    shifts = [largest_change(base.said[i], other.said[i]) for i in both]
    agreement = estimate(same, seed, resamples)
    assert agreement is not None
    return SkewRow(
        way.name,
        way.kind,
        len(both),
        score_of(other, scored, seed, resamples),
        change_of(base, other, scored, seed, resamples),
        agreement,
        tuple(flips),
        int(np.count_nonzero(moved & (after > before))),
        int(np.count_nonzero(moved & (after < before))),
        None if shifts[0] is None else float(np.mean([shift or 0.0 for shift in shifts])),
        tuple((name, why) for name, why in other.set_aside.items() if name not in base.set_aside),
        way.notes,
    )


def _with_answers(flip: Flip, base: Answers, other: Answers) -> Flip:
    """A flip with what can be drawn of both answers."""
    before, after = (drawable(found.said[flip.index]) for found in (base, other))
    return flip if before is None or after is None else replace(flip, drawable=(before, after))

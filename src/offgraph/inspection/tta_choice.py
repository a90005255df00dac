"""Which variants a model is to be asked about: measured on validation images, none unless one is better by evidence."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.choices import Merge, Outputs, TestTimeVariants
from offgraph.core.counting import count_of
from offgraph.core.errors import ArgumentError, OffgraphError, OffgraphWarning, SourceError
from offgraph.inference.model_source import source_for
from offgraph.inference.predictor import Predictor
from offgraph.inference.run_options import RunOptions
from offgraph.inference.trained_variants import never_drawn
from offgraph.inference.variants import variants_of
from offgraph.inspection.answers import SCORES, Answers, answers_of, change_of, score_of
from offgraph.inspection.skew_report import Absent, Estimate, left_out
from offgraph.sources import Source
from offgraph.sources.names import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TtaChoice", "TtaRow", "choose_tta"]

NONE = "none"
"""The candidate that is the image alone."""


@dataclass(frozen=True)
class TtaRow:
    """What one set of variants is worth.

    Parameters
    ----------
    name : str
    variants : int
        How often the model is run on each image.
    score : Estimate
        Accuracy, of masks the mean IoU, of boxes the mean average precision, with the interval of 95 %.
    change : Estimate
        Score less that without variants, on the same images. Its intervals hold for all candidates together: each covers
        1 - 0.05 / k of k candidates.
    helped, hurt : int
        Images of which the score rose, and fell; of boxes, the share of found ones among the found, missed and false.
    untrained : tuple of str
        What these variants do to an image that training never drew, as far as the model's recipe says.
    """

    name: str
    variants: int
    score: Estimate
    change: Estimate
    helped: int
    hurt: int
    untrained: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON; intervals are [value, low, high]."""
        return {
            "name": self.name,
            "variants": self.variants,
            "score": list(self.score),
            "change": list(self.change),
            "helped": self.helped,
            "hurt": self.hurt,
            "untrained": list(self.untrained),
        }


@dataclass(frozen=True, eq=False)
class TtaChoice:
    """What `choose_tta` found.

    Parameters
    ----------
    model : str
    score_name : str
        'accuracy', 'exact labels', 'mean IoU per image' or 'mean AP'.
    images : int
        Validation images that all candidates were compared on.
    chosen : str
        Name of a candidate.
    tta : object
        What a `Predictor` takes for it: ``Predictor(model, tta=choice.tta)``.
    rows : tuple of TtaRow
        First 'none', then the candidates as they were given.
    absent : tuple of Absent
        Candidates that the model does not take, and why.
    set_aside : tuple of (str, str)
        Images that could not be predicted.
    resamples, seed : int
        Of the intervals.
    """

    model: str
    score_name: str
    images: int
    chosen: str
    tta: Any
    rows: tuple[TtaRow, ...]
    absent: tuple[Absent, ...]
    set_aside: tuple[tuple[str, str], ...]
    resamples: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return the choice as plain JSON."""
        return {
            "model": self.model,
            "score_name": self.score_name,
            "images": self.images,
            "chosen": self.chosen,
            "rows": [row.to_json() for row in self.rows],
            "absent": [{"name": one.name, "reason": one.reason} for one in self.absent],
            "set_aside": [list(one) for one in self.set_aside],
            "resamples": self.resamples,
            "seed": self.seed,
        }

    @property
    def summary(self) -> str:
        """The choice in a sentence."""
        of = f"on {count_of(self.images, 'image')}"
        if self.chosen == NONE:
            best = max(self.rows[1:], key=lambda row: row.change.value, default=None)
            why = "" if best is None else f"; the best, {best.name}, changes the {self.score_name} by "
            return f"none: no candidate is better by evidence {of}" + (
                "" if best is None else f"{why}{best.change.text('+')}"
            )
        row = next(one for one in self.rows if one.name == self.chosen)
        return f"{row.name}: {self.score_name} {row.change.text('+')} {of}, for {row.variants} runs of the model per image"

    def render(self, console: Console) -> None:
        """Print the candidates as a table, and the choice."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 1, 0, 0))
        for heading in ("tta", "runs", self.score_name, "change", "helped", "hurt"):
            table.add_column(heading, overflow="fold")
        for row in self.rows:
            cells = (printable(row.name), str(row.variants), row.score.lines(), row.change.lines("+"))
            table.add_row(*map(Text, cells), str(row.helped), str(row.hurt))
        console.print(table)
        for line in left_out(self.set_aside):
            console.print(Text(printable(line), style="yellow"))
        for row in self.rows:
            if row.untrained:
                console.print(
                    Text(
                        printable(
                            f"{row.name}: training drew no image {' and none '.join(row.untrained)}, by its recipe"
                        )
                    )
                )
        for one in self.absent:
            console.print(Text(printable(f"not tried: {one.name}: {one.reason}"), style="yellow"))
        console.print(Text(printable(self.summary)))


def choose_tta(
    model: Any,
    src: Source | str | os.PathLike[str],
    *,
    candidates: Sequence[str] | Mapping[str, Any] = (NONE, *get_args(TestTimeVariants)),
    masks: str | os.PathLike[str] | None = None,
    merge: Merge = "mean",
    seed: int = 0,
    resamples: int = 1000,
    batch_size: int = 32,
    threads: int | None = None,
    outputs: Outputs | None = None,
    threshold: float = 0.5,
    pad_to: int | Literal["auto"] | None = None,
    **options: Any,
) -> TtaChoice:
    """Choose test-time augmentation by validation images: none, unless one of the candidates is better by evidence.

    A candidate is better by evidence where the whole interval of its change is above 0; of several the one with the largest
    change is chosen, of equal ones the first. Give images that the model was not trained on, and not those that its final
    accuracy is reported for.

    Parameters
    ----------
    model : path or SavedModel
        A ``.keras`` file that `offgraph.save` wrote, or what `offgraph.load` returns; ``predictor.saved`` of a `Predictor`
        made of any function.
    src : path or Source
        Validation images whose classes, labels, masks or boxes are known.
    candidates : sequence of {"none", "mirrored", "flips", "d4"}, or mapping of str to tta
        What is tried. A mapping names other variants, ``{"turned": [og.Rotate(8), og.Rotate(-8)]}``. 'none' is tried in any
        case.
    masks : path, optional
        Folder of the true label masks, as for `predict`.
    merge : {"mean", "geometric", "max"}
        As for `Predictor`, as are `batch_size`, `threads`, `outputs`, `threshold` and `pad_to`.
    seed, resamples : int
        Of the bootstrap: images drawn with replacement, as often as `resamples` says, at least 1.
    **options
        Passed on to `open_source` with a path.

    Returns
    -------
    TtaChoice
        ``Predictor(model, tta=choice.tta)`` uses it.

    Raises
    ------
    ArgumentError
        For candidates that are not known, and none at all.
    SourceError
        Where of no image that was predicted the truth is known.
    OffgraphError
        For a model of another task than classes, labels, masks and boxes, or where no image can be predicted.

    Notes
    -----
    Exactness: the score of a candidate is that of ``Predictor(model, tta=…)`` on the images; the same seed draws the
    same images for all candidates, whose changes are paired. The intervals of changes share 5 % among the candidates
    (Bonferroni), so that trying more of them makes none look better by chance; those of scores are of 95 % each.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> import offgraph as og
    >>> def left(batch):  # (B, 8, 8, 3) -> (B, 2): sure of images whose left half is bright or dark
    ...     light = batch[:, :, :4].mean(axis=(1, 2, 3))
    ...     return np.stack([1 - light, light], axis=1)
    >>> model = og.Predictor(
    ...     left, recipe=[og.Resize((8, 8)), og.Rescale(1 / 255)], task="classify", class_names=["dark", "light"]
    ... ).saved
    >>> with tempfile.TemporaryDirectory() as home:
    ...     for name in ("dark", "light"):
    ...         Path(home, name).mkdir()
    ...     for number in range(12):  # a shadow falls on the left half of every other image
    ...         image = np.full((8, 8, 3), 230, np.uint8)
    ...         image[:, : 4 * (number % 2)] = 100
    ...         og.imwrite(f"{home}/light/{number}.png", image)
    ...         og.imwrite(f"{home}/dark/{number}.png", 255 - image)
    ...     choice = og.choose_tta(model, home, candidates=["none", "mirrored"])
    >>> choice.chosen, [row.score.value for row in choice.rows]
    ('mirrored', [0.5, 1.0])
    """
    seed, resamples = whole_number("seed", seed, least=0), whole_number("resamples", resamples)
    tried = _candidates(candidates)
    made = RunOptions.of(
        batch_size=batch_size, threads=threads, outputs=outputs, threshold=threshold, pad_to=pad_to
    ).keywords()
    own = Predictor(model, **made)
    saved = own.saved
    if saved.task not in SCORES:
        raise OffgraphError(
            f"{saved.path}: variants are chosen for classes, labels, masks and boxes; this model's task is {saved.task!r}"
        )
    source = source_for(saved, src, masks=masks, **options)
    base = answers_of(own, source)
    known = [index for index, score in base.scores.items() if not np.isnan(score)]
    if not known or (base.judged and not any(one.true for one in base.judged.values())):
        raise SourceError(
            f"{source.where}: the truth is known of no image, so that nothing can be chosen by it; give images in class folders, a "
            "table of them, annotations of boxes, or the folder of true masks by masks= (--masks)"
        )
    found: list[tuple[str, Answers, tuple[str, ...], int]] = []
    absent: list[Absent] = []
    for name, tta in tried.items():
        try:
            variants = variants_of(tta, saved.input_spec)
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", OffgraphWarning
                )  # of variants that were not trained: in the report
                predictor = Predictor(saved, tta=tta, merge=merge, **made)
            answers = answers_of(predictor, source)
        except ArgumentError:
            raise
        except OffgraphError as error:
            absent.append(Absent(name, str(error)))
            continue
        found.append((name, answers, never_drawn(saved, variants), 1 + len(variants)))
    images = [index for index in known if all(index in answers.scores for _, answers, _, _ in found)]
    if not images or (base.judged and not any(base.judged[index].true for index in images)):
        raise OffgraphError(
            f"{source.where}: no image of which something is known was predicted with every candidate"
        )
    drawing = _Drawing(images, seed, resamples, 1 - 0.05 / max(1, len(found)))
    rows = [_row(NONE, base, base, 1, (), drawing)]
    for name, answers, untrained, runs in found:
        rows.append(_row(name, base, answers, runs, untrained, drawing))
    better = [row for row in rows if row.change.low > 0]
    chosen = max(better, key=lambda row: row.change.value).name if better else NONE
    return TtaChoice(
        str(saved.path),
        SCORES[str(saved.task)],
        len(images),
        chosen,
        tried.get(chosen),
        tuple(rows),
        tuple(absent),
        tuple(base.set_aside.items()),
        resamples,
        seed,
    )


def _candidates(given: Any) -> dict[str, Any]:
    """Candidates by name, without 'none'."""
    if isinstance(given, Mapping):
        several = {str(name): tta for name, tta in given.items() if tta is not None and name != NONE}
    elif isinstance(given, Sequence) and not isinstance(given, str | bytes):
        known = (NONE, *get_args(TestTimeVariants))
        for one in given:
            if one not in known:
                raise ArgumentError(
                    f"candidates: {one!r:.80} is not known; choose among {', '.join(map(repr, known))}, or give other variants a "
                    "name: {'turned': [og.Rotate(8)]}"
                )
        several = {one: one for one in given if one != NONE}
    else:
        raise ArgumentError(f"candidates={given!r:.80}: give a list of names, or a mapping of names to tta")
    if not several:
        raise ArgumentError("candidates: there is nothing to choose from beside 'none'")
    return several


class _Drawing(NamedTuple):
    """What all rows are compared on."""

    images: list[int]
    seed: int
    resamples: int
    coverage: float


def _row(
    name: str, base: Answers, found: Answers, runs: int, untrained: tuple[str, ...], drawing: _Drawing
) -> TtaRow:
    images, seed, resamples, coverage = drawing
    score = score_of(found, images, seed, resamples)
    change = change_of(base, found, images, seed, resamples, coverage)
    assert score is not None and change is not None, "some truth is known of these images"
    before, after = (np.array([of.scores[index] for index in images]) for of in (base, found))
    return TtaRow(
        name,
        runs,
        score,
        change,
        int(np.count_nonzero(after > before)),
        int(np.count_nonzero(after < before)),
        untrained,
    )

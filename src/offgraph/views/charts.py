"""Charts as inline SVG: text stays text, and colours follow the page's light or dark scheme."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offgraph.core.errors import StepError
from offgraph.views.text import clean, shorten

__all__ = ["Chart", "bars", "confusion_matrix", "reliability_curve", "scatter", "training_curves"]

_FONT = 12
_ROW_LABEL = 44  # characters of a name beside a bar
_LABEL = 26  # characters of a class name beside a matrix
_WRITTEN = 25  # classes up to which the counts are written into a matrix
_LABELLED = 60  # classes up to which a matrix names its rows and columns
_POINTS = 2000  # of a scatter plot; more are a grey cloud and a large page


@dataclass(frozen=True)
class Chart:
    """A chart on a page.

    Parameters
    ----------
    markup : str
        An ``svg`` element. Names in it are escaped; it uses the classes and colours of the pages' style sheet.
    caption : str
        Shown under the chart.
    width : int
        Its natural width in CSS pixels; it shrinks where the page is narrower.
    """

    markup: str
    caption: str
    width: int


def confusion_matrix(
    true: Sequence[int] | np.ndarray, predicted: Sequence[int] | np.ndarray, names: Sequence[str]
) -> Chart:
    """Chart how often each true class (row) was predicted as each class (column).

    Shade is the share of the row; mistakes have another colour than correct cells; the number is the count. Counts are
    written for up to 25 classes, names for up to 60; the tooltip of every cell has both.

    Parameters
    ----------
    true, predicted : sequence of int
        Class numbers from 0, of equal length.
    names : sequence of str
        Names of all classes.

    Raises
    ------
    StepError
        Where the lengths differ or a class number has no name.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1], ["cat", "dog"]).markup.count("<rect")
    3
    """
    truth, guess = np.asarray(true, np.int64), np.asarray(predicted, np.int64)
    count = len(names)
    if truth.shape != guess.shape or truth.ndim != 1:
        raise StepError(f"{truth.size} true and {guess.size} predicted classes cannot be paired")
    if truth.size and (min(truth.min(), guess.min()) < 0 or max(truth.max(), guess.max()) >= count):
        raise StepError(f"class numbers must lie from 0 to {count - 1}: there are {count} names")
    pairs, counts = np.unique(truth * max(count, 1) + guess, return_counts=True)
    totals = np.bincount(truth, minlength=count)
    labels = [shorten(clean(name), _LABEL) for name in names] if count <= _LABELLED else []
    cell = min(40.0, max(1.0, 640 / max(count, 1)))
    wide = max((_width(label) for label in labels), default=0.0)
    left, top = 2 * _FONT + wide + 8, _FONT + 8.0
    side = count * cell
    parts = [_text(left + side / 2, _FONT, "predicted", "middle", "quiet")]
    parts.append(_text(_FONT, top + side / 2, "true", "middle", "quiet", turn=-90))
    parts.append(f'<rect class="plot" x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}"/>')
    for pair, number in zip(pairs.tolist(), counts.tolist()):
        i, j = int(pair // count), int(pair % count)
        share = number / totals[i]
        x, y = left + j * cell, top + i * cell
        text = f"true {clean(names[i])}, predicted {clean(names[j])}: {number:,} ({share:.0%} of the row)"
        parts.append(
            f'<rect class="{"hit" if i == j else "miss"}" x="{x:g}" y="{y:g}" width="{cell:g}" height="{cell:g}" '
            f'fill-opacity="{0.18 + 0.57 * share:.3f}"><title>{html.escape(text)}</title></rect>'
        )
        if count <= _WRITTEN:
            parts.append(_text(x + cell / 2, y + cell / 2, f"{number:,}", "middle"))
    size = min(_FONT, max(7.0, 0.68 * cell))
    for i, label in enumerate(labels):
        at = (i + 0.5) * cell
        parts.append(_text(left - 6, top + at, label, "end", size=size, title=names[i]))
        parts.append(_text(left + at, top + side + 8, label, "end", size=size, turn=-45, title=names[i]))
    width = left + side + _FONT
    height = top + side + (8 + 0.75 * wide + _FONT if labels else 4)
    return _chart(parts, width, height, "True and predicted classes", f"Confusion matrix of {count} classes")


def scatter(true: Sequence[float] | np.ndarray, predicted: Sequence[float] | np.ndarray, name: str) -> Chart:
    """Chart predicted against true values of one quantity; points on the diagonal are correct.

    Parameters
    ----------
    true, predicted : sequence of float
        Of equal length; of more than 2,000 points every n-th is drawn.
    name : str
        Of the quantity.

    Raises
    ------
    StepError
        Where the lengths differ.
    """
    if len(true) != len(predicted):
        raise StepError(f"{len(true)} true and {len(predicted)} predicted values cannot be paired")
    every = max(1, math.ceil(len(true) / _POINTS))
    x, y = np.asarray(true, np.float64)[::every], np.asarray(predicted, np.float64)[::every]
    both = np.concatenate([x, y]) if x.size else np.array([0.0, 1.0])
    axis = _Axis(float(both.min()), float(both.max()))
    plot = _Plot(axis, axis, 300, 300)
    a, b = plot.place(axis.low, axis.low), plot.place(axis.high, axis.high)
    parts = [*plot.frame(f"true {clean(name)}", "predicted")]
    parts.append(f'<line class="guide" x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}"/>')
    for one, other in zip(x.tolist(), y.tolist()):
        at = plot.place(one, other)
        parts.append(f'<circle class="dot" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="3"/>')
    shown = f"{clean(name)}: predicted and true values"
    return _chart(parts, plot.width, plot.height, shown, shown)


def reliability_curve(bins: Sequence[tuple[float, float, int]], quantity: str = "correct") -> Chart:
    """Chart the accuracy of decisions against their confidence; points on the diagonal are calibrated.

    Parameters
    ----------
    bins : sequence of (float, float, int)
        Mean confidence, accuracy and number of decisions of each range of confidence that has any.
    quantity : str
        What the share on the upright axis is of.

    Raises
    ------
    StepError
        For shares outside 0 to 1.

    Examples
    --------
    >>> reliability_curve([(0.6, 0.5, 10), (0.9, 1.0, 40)]).markup.count("<circle")
    2
    """
    for confidence, accuracy, count in bins:
        if not (0 <= confidence <= 1.001 and 0 <= accuracy <= 1 and count > 0):
            raise StepError(
                f"({confidence}, {accuracy}, {count}): expected two shares of 0 to 1, and a count"
            )
    plot = _Plot(_Axis(0, 1), _Axis(0, 1), 300, 300)
    parts = [*plot.frame("confidence", f"share {quantity}")]
    a, b = plot.place(0, 0), plot.place(1, 1)
    parts.append(f'<line class="guide" x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}"/>')
    places = [plot.place(confidence, accuracy) for confidence, accuracy, _ in bins]
    if places:
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path class="line" d="M{path}"/>')
    most = max((count for _, _, count in bins), default=1)
    for (x, y), (confidence, accuracy, count) in zip(places, bins):
        text = f"{count:,} decisions, {confidence:.1%} sure, {accuracy:.1%} {quantity}"
        parts.append(
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{3 + 5 * math.sqrt(count / most):.1f}">'
            f"<title>{html.escape(text)}</title></circle>"
        )
    return _chart(
        parts,
        plot.width,
        plot.height,
        "Reliability: the area of a dot is the number of decisions",
        f"Share {quantity} by confidence, in {len(bins)} ranges",
    )


def training_curves(history: Mapping[str, Sequence[float]] | Any) -> list[Chart]:
    """Chart a training history: one chart per quantity, training solid, validation dashed.

    Parameters
    ----------
    history : mapping of name to one value per epoch, or what Keras's ``fit`` returns
        ``val_loss`` is drawn beside ``loss``, and so on.

    Raises
    ------
    StepError
        For a history without any value.

    Examples
    --------
    >>> [chart.caption for chart in training_curves({"loss": [1.0, 0.5], "val_loss": [1.1, 0.8]})]
    ['loss by epoch']
    """
    values: Mapping[str, Sequence[float]] = getattr(history, "history", history)
    names = list(dict.fromkeys(name.removeprefix("val_") for name, series in values.items() if len(series)))
    if not names:
        raise StepError("the training history is empty: there is no epoch to draw")
    return [_curves(name, values) for name in names]


def _curves(name: str, values: Mapping[str, Sequence[float]]) -> Chart:
    series = {
        label: [float(value) for value in values.get(key, ())]
        for key, label in ((name, "training"), (f"val_{name}", "validation"))
    }
    series = {label: line for label, line in series.items() if line}
    finite = [value for line in series.values() for value in line if math.isfinite(value)] or [0.0]
    epochs = max(map(len, series.values()))
    plot = _Plot(_Axis(1, max(epochs, 2), whole=True), _Axis(min(finite), max(finite)), 340, 210)
    parts = [*plot.frame("epoch", "")]
    for number, (label, line) in enumerate(series.items()):
        # A value that is not finite interrupts the line.
        points = [plot.place(epoch, v) if math.isfinite(v) else None for epoch, v in enumerate(line, 1)]
        path = "".join(
            f"{'M' if i == 0 or points[i - 1] is None else 'L'}{p[0]:.1f} {p[1]:.1f}"
            for i, p in enumerate(points)
            if p is not None
        )
        parts.append(f'<path class="line {label}" d="{path}"/>')
        if epochs <= 40:
            parts += [
                f'<circle class="dot {label}" cx="{p[0]:.1f}" cy="{p[1]:.1f}" r="2.5"/>' for p in points if p
            ]
        x, y = plot.left + 10 + 110 * number, _FONT - 4
        parts.append(f'<path class="line {label}" d="M{x} {y}H{x + 22}"/>')
        parts.append(_text(x + 28, y, label, "start", "quiet"))
    shown = ", ".join(f"{label} {line[0]:.4g} to {line[-1]:.4g}" for label, line in series.items())
    return _chart(
        parts, plot.width, plot.height, f"{clean(name)} by epoch", f"{clean(name)} by epoch: {shown}"
    )


def bars(rows: Sequence[tuple[str, Sequence[float]]], series: Sequence[str], quantity: str) -> Chart:
    """Chart amounts as horizontal bars: a row for each name, in it a bar for each series.

    Parameters
    ----------
    rows : sequence of (str, sequence of float)
        Names, each with one amount of at least 0 per series.
    series : sequence of str
        One or two names; the first is drawn in the first colour.
    quantity : str
        What the amounts are, with their unit.

    Raises
    ------
    StepError
        Where a row has another number of amounts than there are series, or one below 0 or not finite.

    Examples
    --------
    >>> bars([("read", [0.1, 0.05]), ("decode", [1.2, 0.7])], ["1 thread", "2 threads"], "ms").markup.count("<rect")
    4
    """
    for name, amounts in rows:
        if len(amounts) != len(series) or not all(math.isfinite(value) and value >= 0 for value in amounts):
            raise StepError(
                f"{name!r:.80}: expected {len(series)} finite amounts of at least 0, got {list(amounts)}"
            )
    most = max((value for _, amounts in rows for value in amounts), default=0.0) or 1.0
    labels = [shorten(clean(name), _ROW_LABEL) for name, _ in rows]
    left = max((_width(label) for label in labels), default=0.0) + 10
    thick, gap = 14.0, 9.0
    high = len(series) * thick + gap
    scale = 340 / most
    parts: list[str] = []
    at = left
    for kind, name in zip(("hit", "miss"), series):
        parts.append(f'<circle class="{kind}" cx="{at + 6:g}" cy="{_FONT / 2:g}" r="5"/>')
        parts.append(_text(at + 16, _FONT / 2, clean(name), "start", "quiet"))
        at += 36 + _width(clean(name))
    top = 2.0 * _FONT
    for number, ((name, amounts), label) in enumerate(zip(rows, labels)):
        y = top + number * high
        parts.append(_text(left - 8, y + len(series) * thick / 2, label, "end", title=name))
        for place, (kind, value) in enumerate(zip(("hit", "miss"), amounts)):
            shown = f"{clean(name)}, {clean(series[place])}: {value:.3g} {clean(quantity)}"
            parts.append(
                f'<rect class="{kind}" x="{left:g}" y="{y + place * thick:g}" width="{value * scale:.2f}" height="{thick - 2:g}">'
                f"<title>{html.escape(shown)}</title></rect>"
            )
            parts.append(
                _text(
                    left + value * scale + 6,
                    y + place * thick + thick / 2 - 1,
                    f"{value:.3g}",
                    "start",
                    size=10,
                )
            )
    width, height = left + 340 + 60, top + len(rows) * high
    return _chart(parts, width, height, clean(quantity), f"{clean(quantity)} of {len(rows)} rows")


class _Axis:
    """A range of values, widened to round limits, with its ticks."""

    def __init__(self, low: float, high: float, *, whole: bool = False) -> None:
        if not high > low:
            low, high = low - max(abs(low), 1) / 2, high + max(abs(high), 1) / 2
        step = 10.0 ** math.floor(math.log10((high - low) / 4))
        for factor in (1, 2, 5, 10):
            if (high - low) / (step * factor) <= 6:
                step *= factor
                break
        step = max(step, 1.0) if whole else step
        first, last = math.floor(low / step), math.ceil(high / step)
        ticks = [number * step for number in range(first, last + 1)]
        if whole:
            self.low, self.high = low, high
            self.ticks = [tick for tick in ticks if low <= tick <= high]
        else:
            self.low, self.high, self.ticks = ticks[0], ticks[-1], ticks
        self._digits = max(0, -math.floor(math.log10(step) + 1e-9))

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def label(self, tick: float) -> str:
        large = max(abs(self.low), abs(self.high))
        if large >= 1e6 or large < 1e-4:
            return f"{tick:.3g}"
        return f"{tick + 0.0:,.{self._digits}f}"


class _Plot:
    """Maps values to positions in a chart with two axes."""

    def __init__(self, x: _Axis, y: _Axis, width: int, height: int) -> None:
        self.x, self.y = x, y
        self.left = 24 + max(_width(y.label(tick)) for tick in y.ticks)
        self.top, self._size = _FONT + 10, (width - self.left - 10, height - _FONT - 10)
        self.width, self.height = width, height + 2.8 * _FONT

    def place(self, x: float, y: float) -> tuple[float, float]:
        across, down = self._size
        return self.left + across * self.x.share(x), self.top + down * (1 - self.y.share(y))

    def frame(self, below: str, beside: str) -> list[str]:
        """Grid lines, ticks and the names of both axes."""
        parts = []
        across, down = self._size
        for tick in self.y.ticks:
            y = self.place(self.x.low, tick)[1]
            parts.append(
                f'<line class="grid-line" x1="{self.left:g}" y1="{y:.1f}" x2="{self.left + across:g}" y2="{y:.1f}"/>'
            )
            parts.append(_text(self.left - 6, y, self.y.label(tick), "end", "quiet"))
        for tick in self.x.ticks:
            x = self.place(tick, self.y.low)[0]
            parts.append(_text(x, self.top + down + _FONT, self.x.label(tick), "middle", "quiet"))
        parts.append(_text(self.left + across / 2, self.top + down + 2.3 * _FONT, below, "middle", "quiet"))
        if beside:
            parts.append(_text(_FONT - 2, self.top + down / 2, beside, "middle", "quiet", turn=-90))
        return parts


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str,
    kind: str = "",
    *,
    size: float = _FONT,
    turn: int = 0,
    title: str = "",
) -> str:
    """A line of text, its middle at y."""
    turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
    named = f"<title>{html.escape(clean(title))}</title>" if title and title != text else ""
    style = f' class="{kind}"' if kind else ""
    return (
        f'<text{style} x="{x:.1f}" y="{y:.1f}" dy="0.35em" text-anchor="{anchor}" font-size="{size:g}"{turned}>'
        f"{html.escape(text)}{named}</text>"
    )


def _width(text: str) -> float:
    """Estimated width of text, which only a browser knows exactly. Wide scripts count twice."""
    return sum(_FONT * (0.55 if ord(character) < 0x1100 else 1.0) for character in text)


def _chart(parts: Sequence[str], width: float, height: float, caption: str, description: str) -> Chart:
    label = html.escape(description)
    markup = (
        f'<svg class="drawn" role="img" aria-label="{label}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}">{"".join(parts)}</svg>'
    )
    return Chart(markup, caption, round(width))

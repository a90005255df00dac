"""What a notebook shows for recipes, results, sources, loaders, batches and predictions: thumbnails and a line of text."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.errors import OffgraphError
from offgraph.formats.encoding import encode_png
from offgraph.targets import Boxes, Points
from offgraph.views import draw
from offgraph.views.benchmark_page import part_bars
from offgraph.views.marks import mark
from offgraph.views.text import clean

if TYPE_CHECKING:
    from offgraph.inference.predictor import Prediction
    from offgraph.loading.batch import Batch
    from offgraph.loading.benchmark_report import BenchmarkReport
    from offgraph.loading.explanation import SampleExplanation
    from offgraph.loading.loader import Loader
    from offgraph.recipe.compose import Compose
    from offgraph.recipe.result import Result
    from offgraph.sources import Source

__all__ = [
    "VIEWS",
    "of_batch",
    "of_benchmark",
    "of_explanation",
    "of_loader",
    "of_prediction",
    "of_recipe",
    "of_result",
    "of_source",
]

_MOST = 8
_SIDE = 128

Shown = tuple[np.ndarray, str]
"""An image as `offgraph.views.draw` gives them, and its caption."""


def of_result(result: Result) -> str:
    """One thumbnail of the image, one with the mask drawn over it, and one with boxes and points, where there are any."""
    image, mask = result.targets.image, result.targets.mask
    shown = [(draw.to_rgb(image.array, image.axes), _about(image.array))]
    if mask is not None:
        shown.append((_overlaid(image.array, mask.array, image.axes, None), f"mask {_about(mask.array)}"))
    marked = [name for name, target in result.targets.items() if isinstance(target, Boxes | Points)]
    if marked:
        shown.append((mark(shown[0][0], result.targets.values()), ", ".join(marked)))
    return _figures(repr(result), shown)


def of_explanation(sample: SampleExplanation) -> str:
    """The image before and after the recipe, each with its mask, boxes and points drawn over it."""
    shown: list[Shown] = []
    for name, targets in (("before", sample.given), ("after", sample.targets)):
        image, mask = targets.image, targets.mask
        rgb = _overlaid(image.array, None if mask is None else mask.array, image.axes, None)
        shown.append((mark(rgb, targets.values()), f"{name} {_about(image.array)}"))
    return _figures(str(sample), shown, side=320)


def of_batch(batch: Batch) -> str:
    """The first images of a batch, on one scale of brightness."""
    return _figures(repr(batch), _batch(batch, ()))


def of_loader(loader: Loader) -> str:
    """The first images of epoch 0, as the model gets them; the loader's own epoch counter does not move."""
    batches = loader.epoch(0)
    try:
        batch = next(iter(batches), None)
        return _figures(repr(loader), () if batch is None else _batch(batch, loader.class_names))
    except OffgraphError as error:
        return _figures(f"{loader!r}: {error}", ())
    finally:
        batches.close()  # type: ignore[attr-defined]  # a generator: ends its thread


def of_source(source: Source) -> str:
    """Images spread over a source, as they are read."""
    count = min(_MOST, len(source))
    shown: list[Shown] = []
    for part in range(count):
        index = (2 * part + 1) * len(source) // (2 * count)
        name = source[index].name
        try:
            sample = source.read(index)
        except (OffgraphError, OSError) as error:
            shown.append((np.zeros((1, 1, 3), np.uint8), f"{name}: {error}"))
            continue
        image, mask = sample.image, sample.mask
        rgb = _overlaid(image.array, None if mask is None else mask.array, image.axes, None)
        shown.append((mark(rgb, sample.targets.values(), class_names=source.class_names), name))
    return _figures(repr(source), shown)


def of_prediction(prediction: Prediction) -> str:
    """The prediction drawn as `Prediction.draw` does."""
    return _figures(repr(prediction), [(prediction.draw(), prediction.item.name)], side=320)


def of_recipe(recipe: Compose) -> str:
    """The steps in their order, those that only training draws marked."""
    rows = []
    for number, step in enumerate(recipe.steps, 1):
        layer = "every image" if any(step is item for item in recipe.items) else "training only"
        rows.append(f"<tr>{''.join(_cell(text) for text in (str(number), repr(step), layer))}</tr>")
    table = f"<table><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    return f"<div><div>{html.escape(f'Recipe of {len(recipe.steps)} steps')}</div>{table}</div>"


def of_benchmark(report: BenchmarkReport) -> str:
    """The bars of its parts, and the verdict."""
    said = "".join(f"<div>{html.escape(clean(line))}</div>" for line in (report.summary, *report.verdict))
    return f"<div>{said}{_coloured(part_bars(report).markup)}</div>"


def _coloured(markup: str) -> str:
    """A chart outside the pages, whose style sheet a notebook does not have."""
    for kind, colour in (("hit", "#0072b2"), ("miss", "#d55e00")):
        markup = markup.replace(f'class="{kind}"', f'fill="{colour}"')
    return markup.replace("<text", '<text fill="currentColor"')


def _batch(batch: Batch, class_names: Sequence[str]) -> list[Shown]:
    images = [_channels_last(image) for image in islice(batch.image, _MOST)]
    bounds = draw.common_range(images)
    shown = []
    for number, image in enumerate(images):
        axes = _axes_of(image.ndim, image.shape)
        mask = None if batch.mask is None else batch.mask[number]
        label = None if batch.label is None else batch.label[number]
        caption = "" if label is None else str(label)
        if label is not None and class_names and np.ndim(label) == 0:
            caption = class_names[int(label)]
        rgb = _overlaid(image, mask, axes, bounds)
        if batch.objects is not None:
            rgb = mark(rgb, [batch.objects.of_image(number, rgb.shape[:2])], class_names=class_names)
        shown.append((rgb, caption))
    return shown


def _channels_last(image: np.ndarray) -> np.ndarray:
    """An image of a batch with its channels last, in a dtype that can be drawn."""
    if image.dtype.kind == "V":  # bfloat16
        image = image.astype(np.float32)
    first = image.ndim > 2 and image.shape[0] <= 4 < image.shape[-1]
    return np.moveaxis(image, 0, -1) if first else image


def _axes_of(axes: int, shape: tuple[int, ...]) -> str:
    """Axes of an image in a batch, which does not name them: channels last, spatial axes before."""
    spatial = axes - (axes > 2 and shape[-1] <= 4)
    return ("T" + SPATIAL)[-spatial:] + "C" * (axes - spatial)


def _overlaid(
    image: np.ndarray, mask: np.ndarray | None, axes: str, bounds: tuple[float, float] | None
) -> np.ndarray:
    if mask is None or mask.ndim != 2:
        return draw.to_rgb(image, axes, bounds)
    return draw.overlay(image, mask, axes=axes, range=bounds)


def _about(array: np.ndarray) -> str:
    return f"{' × '.join(map(str, array.shape))} {array.dtype}"


def _cell(text: str) -> str:
    return f"<td style='text-align:left'>{html.escape(clean(text))}</td>"


def _figures(summary: str, shown: Iterable[Shown], side: int = _SIDE) -> str:
    figures = "".join(
        "<figure style='margin:0'>"
        f"<img alt='{html.escape(clean(caption), quote=True)}' src='{_address(draw.fit(rgb, side))}'>"
        f"<figcaption style='max-width:{side}px;overflow-wrap:anywhere;font-size:small'>"
        f"{html.escape(clean(caption))}</figcaption></figure>"
        for rgb, caption in shown
    )
    line = f"<div>{html.escape(clean(summary))}</div>"
    return f"<div>{line}<div style='display:flex;flex-wrap:wrap;gap:8px'>{figures}</div></div>"


def _address(rgb: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(rgb)).decode("ascii")


VIEWS: dict[str, Callable[[Any], str]] = {
    "Batch": of_batch,
    "BenchmarkReport": of_benchmark,
    "Compose": of_recipe,
    "Loader": of_loader,
    "Prediction": of_prediction,
    "Result": of_result,
    "SampleExplanation": of_explanation,
    "Source": of_source,
}
"""The view of each class, by its name."""

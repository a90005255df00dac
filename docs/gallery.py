"""Draw each step on the same image, mask and boxes, before and after: a page, or `python docs/gallery.py sheet.png` on one sheet."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gallery_examples import EXAMPLES
from PIL import Image, ImageDraw

import offgraph as og
from offgraph import ndimage
from offgraph.inspection.previews import describe_record
from offgraph.recipe.files import STEPS, recipe_line
from offgraph.steps.base import Step
from offgraph.views import draw
from offgraph.views.marks import mark
from offgraph.views.sheets import sheet
from offgraph.views.text import shorten
from steps import KINDS

KEY = og.Key(seed=3)
GAP = 8
MOST_LETTERS = 120
SIZE = (190, 224)
PART = (slice(20, 300), slice(70, 400))
PARTS = {1: (115, 171, 30, 36), 2: (136, 318, 26, 23), 3: (244, 262, 18, 27)}
"""Row, column and half lengths of two eyes and a nose in the photograph."""
TOUCHING = ("DistanceWatershed", "SeededWatershed")
LOGITS = ("ArgMax", "Sigmoid", "Softmax")
PROBABILITIES = ("SmoothProbabilities", "Threshold")
DESCRIBED = ("Contours", "Measure")
"""Result steps by what they take; all others take labels."""
NAMES = {1: "eye", 2: "eye", 3: "nose"}


@dataclass(frozen=True)
class Example:
    """A step's images before and after it.

    Parameters
    ----------
    step : Step
    before, after : ndarray of uint8, shape (H, W, 3)
        As they are shown, with outlines and boxes.
    drawn : str
        What was drawn for it; empty where nothing was.
    """

    step: Step
    before: np.ndarray
    after: np.ndarray
    drawn: str

    @property
    def pair(self) -> np.ndarray:
        """Both side by side on white."""
        height = max(self.before.shape[0], self.after.shape[0])
        width = self.before.shape[1] + GAP + self.after.shape[1]
        shown = np.full((height, width, 3), 255, np.uint8)
        shown[: self.before.shape[0], : self.before.shape[1]] = self.before
        shown[: self.after.shape[0], self.before.shape[1] + GAP :] = self.after
        return shown


def scene() -> tuple[np.ndarray, np.ndarray, og.Boxes]:
    """The photograph, labels of eyes and nose, and a box around each."""
    photo = og.imread(Path(__file__).parent / "images" / "cat.jpg")
    rows, columns = np.indices(photo.shape[:2])
    mask = np.zeros(photo.shape[:2], np.uint8)
    for label, (y, x, down, across) in PARTS.items():
        mask[((rows - y) / down) ** 2 + ((columns - x) / across) ** 2 <= 1] = label
    small = og.Compose([og.Resize(SIZE)])(image=photo[PART], mask=mask[PART])
    assert small.mask is not None
    return small.image, small.mask, og.Boxes.of_labels(og.Mask(small.mask), labels=NAMES)


def probabilities() -> np.ndarray:
    """What a model might give for the eyes and the nose: blurred, with a hole and with specks."""
    _, mask, _ = scene()
    hole = ndimage.binary_erosion(mask == 1, iterations=10)
    found = ndimage.gaussian_filter(((mask > 0) & ~hole).astype(np.float32), 1.5)
    specks = np.random.default_rng(5).random(mask.shape) > 0.9993
    return np.clip(found + 8 * ndimage.gaussian_filter(specks.astype(np.float32), 1.2), 0, 1)


def touching() -> np.ndarray:
    """Ten round objects that touch, in three heaps."""
    found = np.zeros(SIZE, np.float32)
    rows, columns = np.indices(SIZE)
    for y, x in (
        (45, 45),
        (45, 81),
        (76, 63),
        (40, 150),
        (66, 175),
        (130, 50),
        (130, 88),
        (130, 126),
        (150, 160),
        (115, 160),
    ):
        found = np.maximum(found, np.clip(20.5 - np.hypot(rows - y, columns - x), 0, 1))
    return found


def logits(probability: np.ndarray) -> np.ndarray:
    """What a model that ends without a sigmoid gives."""
    near = np.clip(probability, 1e-3, 1 - 1e-3)
    return np.log(near / (1 - near)).astype(np.float32)


def example(step: Step) -> Example:
    """Run a step on the scene; steps for results on what a model might give."""
    if step.name == "NonMaximumSuppression":
        return _of_boxes(step)
    if step.kind == "result":
        return _of_result(step)
    recipe = og.Compose([step])
    image, mask, boxes = scene()
    if 2 not in step.dimensions:
        volume = og.Mask(np.stack([mask] * 3), "ZYX")
        boxes = og.Boxes.of_labels(volume, labels=NAMES)
        before = og.Targets(
            {"image": og.Image(np.stack([image] * 3), "ZYXC"), "mask": volume, "boxes": boxes}
        )
    else:
        if step.name == "ToRGB":
            image = og.Compose([og.ToGrey(1)])(image=image).image
        before = og.Targets({"image": og.Image(image), "mask": og.Mask(mask), "boxes": boxes})
    out = recipe.run(before, KEY)
    drawn = describe_record(out.record, recipe).removeprefix(f"{step.name} ") if step.draws else ""
    return Example(step, _shown(before), _shown(out.targets), drawn)


def cut_off() -> np.ndarray:
    """Numbered round objects, of which the edges of the image cut some."""
    inside = (touching()[30:, 30:] > 0.5).astype(np.uint8)
    return og.Compose([og.DistanceWatershed()])(image=inside).image


def cracked() -> np.ndarray:
    """Labels of eyes and nose with narrow cracks and pinholes."""
    _, mask, _ = scene()
    rows, columns = np.indices(mask.shape)
    cracks = (np.abs((columns - rows) % 40 - 20) < 2) | (np.abs((columns + 2 * rows) % 64 - 32) < 2)
    pinholes = np.random.default_rng(5).random(mask.shape) > 0.985
    return np.where(cracks | pinholes, 0, mask).astype(np.uint8)


def _of_boxes(step: Step) -> Example:
    """Several boxes around each part of the photograph, as a detector gives them."""
    image, _, boxes = scene()
    shifts = np.array([[0, 0], [-5, 4], [6, 5], [2, -7]])
    edges = (boxes.array[:, np.newaxis] + np.tile(shifts, 2)).reshape(-1, 4)
    scores = np.tile([0.9, 0.6, 0.5, 0.4], len(boxes))
    labels = np.repeat(boxes.labels, len(shifts))  # type: ignore[arg-type]  # the scene's have some
    found = og.Boxes(edges, size=boxes.size, labels=labels, extra={"score": scores})
    out = og.Compose([step])(image=image, boxes=found).boxes
    assert out is not None
    return Example(step, mark(image, [found]), mark(image, [out]), "")


def _of_result(step: Step) -> Example:
    given = touching() if step.name in TOUCHING else probabilities()
    seen = None
    if step.name == "SeededWatershed":
        seeds = (ndimage.distance_transform_edt(given > 0.5) > 14).astype(np.float32)
        seen = 0.45 * given + 0.55 * seeds  # both outputs in one image
        given = np.stack([seeds, given], axis=-1)
    elif step.name in ("ClearBorder", *DESCRIBED):
        given = cut_off()
    elif step.name == "Close":
        given = cracked()
    elif step.name in LOGITS:
        given = logits(given)
        if step.name != "Sigmoid":
            given = np.stack([np.zeros_like(given), given], axis=-1)
    elif step.name not in PROBABILITIES:
        given = (given > 0.5).astype(np.uint8)
    out = og.Compose([step])(image=given).image
    if step.name in DESCRIBED:
        return Example(step, _result_shown(given), _described(step, out), "")
    return Example(step, _result_shown(given if seen is None else seen), _result_shown(out), "")


def _described(step: Step, labels: np.ndarray) -> np.ndarray:
    """Outlines alone, or each object's area at its centroid."""
    drawn = Image.fromarray(_result_shown(labels))
    pen = ImageDraw.Draw(drawn)
    if step.name == "Contours":
        pen.rectangle((0, 0, *drawn.size), fill=0)
        for polygons in og.contours(labels).values():
            for ring in (ring for polygon in polygons for ring in polygon):
                pen.line([(x, y) for y, x in (*ring, ring[0])], fill=(255, 220, 0))
    else:
        table = og.measure(labels)
        for area, y, x in zip(table["area"], table["centroid-0"], table["centroid-1"]):
            pen.text(
                (x, y),
                f"{area:.0f}",
                fill=(255, 255, 255),
                anchor="mm",
                stroke_width=1,
                stroke_fill=(0, 0, 0),
            )
    return np.asarray(drawn)


def _result_shown(array: np.ndarray) -> np.ndarray:
    """Probabilities and logits as greys, of two classes the second; labels in their colours on black."""
    if array.ndim == 3:
        array = array[..., 1]
    if array.dtype.kind == "f":
        return draw.to_rgb(array)
    return draw.overlay(np.zeros((*array.shape, 3), np.uint8), array.astype(np.uint8), opacity=1.0)


def _shown(targets: og.Targets) -> np.ndarray:
    image, mask, boxes = targets.image.array, targets["mask"].value, targets["boxes"]
    assert isinstance(boxes, og.Boxes)
    if mask.ndim == 3:
        middle = mask.shape[0] // 2
        plane = boxes.edges[:, [2, 1, 5, 4]] + 0.5
        image, mask = image[middle], mask[middle]
        boxes = og.Boxes(plane, size=mask.shape, labels=boxes.labels)
    return mark(draw.overlay(image, mask, opacity=0.0, outline=1), [boxes])


def write(page: Path) -> None:
    """Write a page with an image per step, and the images beside it."""
    lines = [
        "# Gallery",
        "",
        "Each step on the same photograph, with the outlines of a mask and with boxes: before, and after. Floats are scaled to be",
        "seen. Every step's name leads to its description.",
        "",
    ]
    folder = page.parent / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for kind, heading in KINDS.items():
        lines += [f"## {heading}", ""]
        for name in sorted(name for name, step in STEPS.items() if step.kind == kind):
            one = example(EXAMPLES[name])
            og.imwrite(folder / f"{name}.jpg", one.pair)
            drawn = f", drawn: {shorten(one.drawn, MOST_LETTERS)}" if one.drawn else ""
            lines += [
                f"### {name}",
                "",
                f"[`{recipe_line(one.step).removeprefix('- ')}`](steps.md#{name.lower()}){drawn}",
                "",
                f"![Before and after {name}](gallery/{name}.jpg)",
                "",
            ]
    page.write_text("\n".join(lines))


def contact_sheet(columns: int = 5) -> np.ndarray:
    """Every step on one image, captioned with its name."""
    names = [name for kind in KINDS for name in sorted(STEPS) if STEPS[name].kind == kind]
    tiles = []
    for name in names:
        one = example(EXAMPLES[name])
        tiles += [(one.before, ""), (one.after, name)]
    return sheet([tiles[at : at + 2 * columns] for at in range(0, len(tiles), 2 * columns)], side=SIZE[1])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("write the file to make: python docs/gallery.py sheet.png")
    og.imwrite(sys.argv[1], contact_sheet())

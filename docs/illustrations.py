"""Draw the images of the pages on scripts and on detection from the very lines they show: `python docs/illustrations.py`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi

import offgraph as og
from offgraph.views.marks import mark


def beside(*images: np.ndarray, gap: int = 8) -> np.ndarray:
    """Images of any size side by side on white, as H×W×3 uint8."""
    colour = [np.repeat(p[..., None], 3, axis=-1) if p.ndim == 2 else p for p in images]
    height = max(p.shape[0] for p in colour)
    width = sum(p.shape[1] for p in colour) + gap * (len(colour) - 1)
    sheet = np.full((height, width, 3), 255, np.uint8)
    left = 0
    for image in colour:
        sheet[: image.shape[0], left : left + image.shape[1]] = image
        left += image.shape[1] + gap
    return sheet


def aliasing() -> np.ndarray:
    """Fine stripes shrunk to an eighth, drawn at eight times their size."""
    rows = np.arange(512)
    stripes = np.where((rows // 3) % 2 == 0, 255, 0).astype(np.uint8)[:, None] * np.ones((1, 200), np.uint8)
    shrunk = ndi.zoom(stripes, 1 / 8, order=1), og.Compose([og.Resize(scale=1 / 8)])(image=stripes).image
    large = [np.kron(s, np.ones((8, 8), np.uint8)) for s in shrunk]
    return beside(*(p[:200, :200] for p in (stripes, *large)))


def fringes(image: np.ndarray) -> np.ndarray:
    """A third column in a 3×3 matrix multiplies the channel number."""
    matrix = np.array([[1, 0.2, 30], [0, 1, 0], [0, 0, 1]])
    fringed = ndi.affine_transform(image, matrix, order=1)
    sheared = og.Compose([og.Affine(shear=0.2, translate=(30, 0))])(image=image).image
    half = og.Compose([og.Resize(scale=0.5)])
    return beside(*(half(image=shown).image for shown in (image, fringed, sheared)))


def median(image: np.ndarray) -> np.ndarray:
    """Noise, and the median with and without the channel axis."""
    noisy = image.copy()
    noisy[np.random.default_rng(0).random(image.shape[:2]) < 0.05] = 255
    part = np.s_[90:170, 130:220]
    crops = noisy, ndi.median_filter(noisy, size=3), og.Compose([og.MedianFilter(3)])(image=noisy).image
    return np.kron(beside(*(c[part] for c in crops), gap=4), np.ones((2, 2, 1), np.uint8))


def quarters(root: Path) -> og.Source:
    """The coins in four tinted quarters, with a box around each coin, as a COCO file."""
    from skimage.data import coins

    image = coins()
    rows = []
    for number, tint in enumerate([(1.0, 0.8, 0.6), (0.6, 0.9, 1.0), (0.8, 1.0, 0.6), (1.0, 0.7, 1.0)]):
        top, left = 148 * (number // 2), 192 * (number % 2)
        part = image[top : top + 148, left : left + 192]
        og.imwrite(root / f"{number}.png", (part[..., None] * np.array(tint)).astype(np.uint8))
        labels, _ = ndi.label(ndi.binary_opening(ndi.gaussian_filter(part, 2) > 110, iterations=4))
        boxes = og.Boxes.of_labels(og.Mask(labels.astype(np.int32)))
        rows += [(number, *box) for box in boxes.to("coco").tolist() if max(box[2:]) < 90]  # a coin
    data = {
        "images": [{"id": n, "file_name": f"{n}.png", "height": 148, "width": 192} for n in range(4)],
        "categories": [{"id": 1, "name": "coin"}],
        "annotations": [
            {"id": i, "image_id": n, "category_id": 1, "bbox": box} for i, (n, *box) in enumerate(rows)
        ],
    }
    (root / "coins.json").write_text(json.dumps(data))
    return og.open_source(root / "coins.json")


def mosaics() -> np.ndarray:
    """One batch's first image: as it is, and in a mosaic of each kind, with its boxes."""
    shown = []
    with tempfile.TemporaryDirectory() as folder:
        source = quarters(Path(folder))
        fits = ("crop", "join", "resize")
        for mix in (None, *(og.Mosaic(0.4, fit=fit, min_visibility=0.1) for fit in fits)):
            batch = og.Loader(source, [], batch_size=4, seed=6, shuffle=True, mix=mix).batch(0, 0)
            boxes = batch.objects.boxes[0][batch.objects.valid[0]]
            large = np.kron(batch.image[0], np.ones((2, 2, 1), np.uint8))
            shown.append(mark(large, [og.Boxes(boxes, size=batch.image.shape[1:3])]))
    return beside(beside(*shown[:2]).swapaxes(0, 1), beside(*shown[2:]).swapaxes(0, 1)).swapaxes(0, 1)


def images() -> dict[str, np.ndarray]:
    """All of them, by file name; the photograph too, which the page's blocks read."""
    from skimage.data import chelsea  # Stéfan van der Walt's cat, CC0

    cat = chelsea()
    return {
        "aliasing.png": aliasing(),
        "fringes.png": fringes(cat),
        "median.png": median(cat),
        "cat.jpg": cat,
        "mosaics.png": mosaics(),
    }


if __name__ == "__main__":
    folder = Path(__file__).parent / "images"
    folder.mkdir(exist_ok=True)
    for name, image in images().items():
        og.imwrite(folder / name, image)

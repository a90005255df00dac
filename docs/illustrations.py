"""Draw the images of the page "From the scripts you have" from the very lines it shows: `python docs/illustrations.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.ndimage as ndi

import offgraph as og


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


def images() -> dict[str, np.ndarray]:
    """All of them, by file name; the photograph too, which the page's blocks read."""
    from skimage.data import chelsea  # Stéfan van der Walt's cat, CC0

    cat = chelsea()
    return {
        "aliasing.png": aliasing(),
        "fringes.png": fringes(cat),
        "median.png": median(cat),
        "cat.jpg": cat,
    }


if __name__ == "__main__":
    folder = Path(__file__).parent / "images"
    folder.mkdir(exist_ok=True)
    for name, image in images().items():
        og.imwrite(folder / name, image)

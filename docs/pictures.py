"""Draw the pictures of the page "From the scripts you have" from the very lines it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.ndimage as ndi

import offgraph as og


def beside(*pictures: np.ndarray, gap: int = 8) -> np.ndarray:
    """Pictures of any size side by side on white, as H×W×3 uint8."""
    colour = [np.repeat(p[..., None], 3, axis=-1) if p.ndim == 2 else p for p in pictures]
    height = max(p.shape[0] for p in colour)
    width = sum(p.shape[1] for p in colour) + gap * (len(colour) - 1)
    sheet = np.full((height, width, 3), 255, np.uint8)
    left = 0
    for picture in colour:
        sheet[: picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + gap
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
    return beside(image, fringed, og.Compose([og.Affine(shear=0.2, translate=(30, 0))])(image=image).image)


def median(image: np.ndarray) -> np.ndarray:
    """Noise, and the median with and without the channel axis."""
    noisy = image.copy()
    noisy[np.random.default_rng(0).random(image.shape[:2]) < 0.05] = 255
    part = np.s_[60:220, 120:300]
    crops = noisy, ndi.median_filter(noisy, size=3), og.Compose([og.MedianFilter(3)])(image=noisy).image
    return np.kron(beside(*(c[part] for c in crops), gap=4), np.ones((2, 2, 1), np.uint8))


def draw(folder: Path) -> None:
    """Write all of them into `folder`."""
    from skimage.data import chelsea

    folder.mkdir(parents=True, exist_ok=True)
    og.imwrite(folder / "aliasing.png", aliasing())
    og.imwrite(folder / "fringes.png", fringes(chelsea()))
    og.imwrite(folder / "median.png", median(chelsea()))

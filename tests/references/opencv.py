"""Steps beside OpenCV."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.references.declared import Lazy, compare, each_channel

import offgraph as og

cv2: Any = Lazy("cv2")
OPENCV = "OpenCV"
BYTES = ("photo", "noise")
SQUARE = np.ones((5, 5), np.uint8)
FIXED = "OpenCV computes with whole numbers"


def _hsv(image: np.ndarray) -> Any:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL).astype(int)
    hsv[..., 0] = (hsv[..., 0] + 32) % 256  # 45 of 360 degrees
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB_FULL)


def _warp(image: np.ndarray, order: int) -> Any:
    matrix = np.array([[0.9, 0.1, 3.0], [0.05, 1.1, -8.0]])
    flags = (cv2.INTER_NEAREST, cv2.INTER_LINEAR)[order] | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=flags, borderMode=cv2.BORDER_CONSTANT)


def _clahe(clip: float, tiles: int) -> Any:
    return each_channel(lambda c: cv2.createCLAHE(clipLimit=clip, tileGridSize=(tiles, tiles)).apply(c))


compare(OPENCV, "flip(image, 1)", og.Flip, lambda i: cv2.flip(i, 1), images=BYTES)
compare(OPENCV, "transpose(image)", og.Transpose, lambda i: cv2.transpose(i), images=BYTES)
compare(
    OPENCV,
    "rotate(image, ROTATE_90_COUNTERCLOCKWISE)",
    lambda: og.Rotate90(1),
    lambda i: cv2.rotate(i, cv2.ROTATE_90_COUNTERCLOCKWISE),
    images=BYTES,
)
compare(
    OPENCV,
    "copyMakeBorder(image, 4, 4, 10, 10, BORDER_REFLECT)",
    lambda: og.Pad(((4, 4), (10, 10)), mode="reflect"),
    lambda i: cv2.copyMakeBorder(i, 4, 4, 10, 10, cv2.BORDER_REFLECT),
    images=BYTES,
)
compare(OPENCV, "bitwise_not(image)", og.Invert, lambda i: cv2.bitwise_not(i), images=BYTES)
compare(
    OPENCV,
    "medianBlur(image, 5)",
    lambda: og.MedianFilter(5, mode="nearest"),
    lambda i: cv2.medianBlur(i, 5),
    images=(*BYTES, "words"),
)
compare(
    OPENCV,
    "erode(image, ones((5, 5)))",
    lambda: og.MinFilter(5),
    lambda i: cv2.erode(i, SQUARE),
    images=(*BYTES, "words", "floats"),
)
compare(
    OPENCV,
    "dilate(image, ones((5, 5)))",
    lambda: og.MaxFilter(5),
    lambda i: cv2.dilate(i, SQUARE),
    images=(*BYTES, "words", "floats"),
)
compare(
    OPENCV,
    "morphologyEx(image, MORPH_TOPHAT, ones((5, 5)))",
    lambda: og.WhiteTopHat(5),
    lambda i: cv2.morphologyEx(i, cv2.MORPH_TOPHAT, SQUARE),
    images=BYTES,
)
compare(
    OPENCV,
    "morphologyEx(image, MORPH_GRADIENT, ones((5, 5)))",
    lambda: og.Ndimage("morphological_gradient", size=5),
    lambda i: cv2.morphologyEx(i, cv2.MORPH_GRADIENT, SQUARE),
    images=BYTES,
)
compare(
    OPENCV,
    "blur(image, (5, 5), BORDER_REFLECT)",
    lambda: og.UniformFilter(5),
    lambda i: cv2.blur(i, (5, 5), borderType=cv2.BORDER_REFLECT),
    images=BYTES,
    bound=2,
    why="SciPy cuts fractions off after each axis",
)
compare(
    OPENCV,
    "GaussianBlur(image, (13, 13), 1.5, BORDER_REFLECT)",
    lambda: og.GaussianFilter(1.5),
    lambda i: cv2.GaussianBlur(i, (13, 13), 1.5, borderType=cv2.BORDER_REFLECT),
    images=("floats",),
    bound=1e-6,
    why="float32",
)
compare(
    OPENCV,
    "GaussianBlur(image, (13, 13), 1.5, BORDER_REFLECT)",
    lambda: og.GaussianFilter(1.5),
    lambda i: cv2.GaussianBlur(i, (13, 13), 1.5, borderType=cv2.BORDER_REFLECT),
    images=BYTES,
    bound=2,
    why="SciPy cuts fractions off after each axis",
)
compare(
    OPENCV,
    "filter2D(image, -1, sharpen, BORDER_REFLECT)",
    lambda: og.Kernel(((0, -1, 0), (-1, 5, -1), (0, -1, 0))),
    lambda i: cv2.filter2D(
        i, -1, np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]), borderType=cv2.BORDER_REFLECT
    ),
    images=BYTES,
)
compare(
    OPENCV,
    "equalizeHist(channel)",
    lambda: og.Equalize(like="opencv"),
    each_channel(lambda c: cv2.equalizeHist(c)),
    images=BYTES,
)
for clip, tiles in ((2.0, 8), (40.0, 8), (4.0, 4)):
    compare(
        OPENCV,
        f"createCLAHE({clip:g}, ({tiles}, {tiles})).apply(channel)",
        lambda clip=clip, tiles=tiles: og.CLAHE(clip, tiles=tiles),
        _clahe(clip, tiles),
        images=(*BYTES, "words"),
        bound=1,
        why="OpenCV interpolates in float32",
    )
compare(
    OPENCV,
    "cvtColor(image, COLOR_RGB2GRAY)",
    lambda: og.ToGrey(1),
    lambda i: cv2.cvtColor(i, cv2.COLOR_RGB2GRAY)[..., np.newaxis],
    images=BYTES,
    bound=1,
    why=FIXED,
)
compare(
    OPENCV,
    "cvtColor(image, COLOR_GRAY2RGB)",
    og.ToRGB,
    lambda i: cv2.cvtColor(i, cv2.COLOR_GRAY2RGB),
    images=("grey",),
)
compare(
    OPENCV,
    "cvtColor to HSV_FULL, hue + 45°, and back",
    lambda: og.HueSaturation(45),
    _hsv,
    bound=2,
    why=FIXED,
)
compare(
    OPENCV,
    "resize(image, (64, 48), INTER_AREA), a fourth",
    lambda: og.Resize((48, 64), kernel="box"),
    lambda i: cv2.resize(i, (64, 48), interpolation=cv2.INTER_AREA),
    bound=1,
    why="halves rounded to another side",
)
compare(
    OPENCV,
    "resize(image, (400, 300), INTER_LINEAR)",
    lambda: og.Resize((300, 400)),
    lambda i: cv2.resize(i, (400, 300), interpolation=cv2.INTER_LINEAR),
    bound=1,
    why=FIXED,
)
compare(
    OPENCV,
    "resize(image, (100, 75), INTER_LINEAR)",
    lambda: og.Resize((75, 100), antialias=False),
    lambda i: cv2.resize(i, (100, 75), interpolation=cv2.INTER_LINEAR),
    bound=1,
    why=FIXED,
)
compare(
    OPENCV,
    "resize(image, (91, 67), INTER_AREA)",
    lambda: og.Resize((67, 91), kernel="area"),
    lambda i: cv2.resize(i, (91, 67), interpolation=cv2.INTER_AREA),
)
KERNELS: Any = (("cubic75", "INTER_CUBIC"), ("lanczos4", "INTER_LANCZOS4"))
for kernel, flag in KERNELS:
    compare(
        OPENCV,
        f"resize(image, (400, 300), {flag})",
        lambda kernel=kernel: og.Resize((300, 400), kernel=kernel, antialias=False),
        lambda i, flag=flag: cv2.resize(i, (400, 300), interpolation=getattr(cv2, flag)),
        bound=1,
        inside=8,
        why=f"{FIXED}; at the border it repeats pixels",
    )
LIKE: Any = (("triangle", "INTER_LINEAR"), ("area", "INTER_AREA"), ("lanczos4", "INTER_LANCZOS4"))
for kernel, flag in LIKE:
    compare(
        OPENCV,
        f"resize(image, (100, 75), {flag})",
        lambda kernel=kernel: og.Resize((75, 100), kernel=kernel, like="opencv"),
        lambda i, flag=flag: cv2.resize(i, (100, 75), interpolation=getattr(cv2, flag)),
        images=BYTES,
    )
compare(
    OPENCV,
    "warpAffine(image, matrix, INTER_LINEAR)",
    lambda: og.Affine(matrix=((1.1, 0.05, -8), (0.1, 0.9, 3)), anchor="origin", mode="grid-constant"),
    lambda i: _warp(i, 1),
    bound=1,
    why="OpenCV computes in float32",
)
compare(
    OPENCV,
    "warpAffine(image, matrix, INTER_LINEAR)",
    lambda: og.Affine(matrix=((1.1, 0.05, -8), (0.1, 0.9, 3)), anchor="origin", mode="grid-constant"),
    lambda i: _warp(i, 1),
    images=("floats",),
    bound=1e-4,
    why="OpenCV computes in float32",
)
compare(
    OPENCV,
    "add(image, 40) with saturation",
    lambda: og.Brightness(shift=40 / 255),
    lambda i: cv2.add(i, np.full_like(i, 40)),
    images=BYTES,
)
compare(
    OPENCV,
    "convertScaleAbs(image, alpha=1.3)",
    lambda: og.Brightness(1.3),
    lambda i: cv2.convertScaleAbs(i, alpha=1.3),
    images=BYTES,
    bound=1,
    why="1.3 in float32",
)
compare(
    OPENCV,
    "connectedComponents(image, connectivity=4)",
    og.Label,
    lambda i: cv2.connectedComponents(i, connectivity=4)[1],
    images=("objects",),
)
compare(
    OPENCV,
    "imencode('.jpg', image, quality 60), imdecode",
    lambda: og.JpegCompression(60),
    lambda i: cv2.imdecode(cv2.imencode(".jpg", i[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)[
        ..., ::-1
    ],
    images=BYTES,
)

"""Steps beside layers and functions of Keras 3."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.references.declared import Lazy, compare

import offgraph as og

keras: Any = Lazy("keras")
KERAS = "Keras"
FLOATS = "float32"


def _layer(make: Any) -> Any:
    """What a layer makes of a batch of one."""
    return lambda image: np.asarray(make()(image[np.newaxis].astype(np.float32), training=True))[0]


def _ops(function: Any) -> Any:
    """What a function of `keras.ops.image` makes of an image of floats."""
    return lambda image: np.asarray(function(keras.ops.image, image.astype(np.float32)))


def _hued(image: np.ndarray) -> np.ndarray:
    hsv = np.asarray(keras.ops.image.rgb_to_hsv(image)).copy()
    hsv[..., 0] = (hsv[..., 0] + np.float32(40 / 360)) % 1
    return np.asarray(keras.ops.image.hsv_to_rgb(hsv))


def _solarized(image: np.ndarray) -> np.ndarray:
    layer, drawn = keras.layers.Solarization(), {"thresholds": np.float32(128), "additions": np.float32(0)}
    return np.asarray(layer.transform_images(image.astype(np.float32), drawn)).astype(np.uint8)


def _posterized(image: np.ndarray) -> np.ndarray:
    layer, drawn = keras.layers.RandomPosterization(3), {"shift_factor": np.array([5], np.uint8)}
    return np.asarray(layer.transform_images(image[np.newaxis], drawn))[0].astype(np.uint8)


compare(
    KERAS,
    "layers.Rescaling(1 / 127.5, -1)",
    lambda: og.Rescale(1 / 127.5, -1),
    _layer(lambda: keras.layers.Rescaling(1 / 127.5, -1)),
    images=("photo", "noise"),
    bound=1e-6,
    why=FLOATS,
)
compare(
    KERAS,
    "layers.Normalization(mean=[120, 110, 90], variance=60²)",
    lambda: og.Normalize(mean=(120, 110, 90), std=60, range=1),
    _layer(lambda: keras.layers.Normalization(mean=[120.0, 110.0, 90.0], variance=[3600.0] * 3)),
    images=("photo", "noise"),
    bound=1e-6,
    why=FLOATS,
)
compare(
    KERAS,
    "layers.CenterCrop(64, 80)",
    lambda: og.CenterCrop((64, 80)),
    _layer(lambda: keras.layers.CenterCrop(64, 80)),
    images=("floats",),
)
compare(
    KERAS,
    "layers.Resizing(100, 150, antialias=True)",
    lambda: og.Resize((100, 150)),
    _layer(lambda: keras.layers.Resizing(100, 150, antialias=True)),
    images=("floats",),
    bound=1e-5,
    why=FLOATS,
)
for antialias in (False, True):
    compare(
        KERAS,
        f"layers.Resizing(100, 150, antialias={antialias})",
        lambda antialias=antialias: og.Resize((100, 150), like="tf", antialias=antialias),
        _layer(lambda antialias=antialias: keras.layers.Resizing(100, 150, antialias=antialias)),
        images=("floats",),
    )
compare(
    KERAS,
    "layers.Resizing(300, 400)",
    lambda: og.Resize((300, 400)),
    _layer(lambda: keras.layers.Resizing(300, 400)),
    images=("floats",),
    bound=1e-5,
    why=FLOATS,
)
compare(
    KERAS,
    "layers.Resizing(64, 80, crop_to_aspect_ratio=True)",
    lambda: [og.CropToAspect(80 / 64), og.Resize((64, 80), antialias=False)],
    _layer(lambda: keras.layers.Resizing(64, 80, crop_to_aspect_ratio=True)),
    images=("floats",),
    bound=1e-6,
    why=FLOATS,
)
compare(
    KERAS,
    "layers.Solarization, threshold 128",
    og.Solarize,
    _solarized,
    images=("photo", "noise"),
    bound=0,
    why=FLOATS,
)
compare(
    KERAS,
    "layers.AutoContrast()",
    lambda: og.AutoContrast(range=1),
    _layer(lambda: keras.layers.AutoContrast(value_range=(0, 1))),
    images=("floats",),
    bound=1e-6,
    why=FLOATS,
)
compare(
    KERAS,
    "layers.Equalization()",
    lambda: og.Equalize(like="opencv"),
    _layer(lambda: keras.layers.Equalization(value_range=(0, 255))),
    images=("photo", "noise"),
    bound=1,
    why="Keras multiplies and divides in another order",
)
compare(
    KERAS,
    "layers.RandomBrightness((0.2, 0.2))",
    lambda: og.Brightness(shift=0.2, range=1),
    _layer(lambda: keras.layers.RandomBrightness((0.2, 0.2), value_range=(0, 1))),
    images=("floats",),
    bound=1e-6,
    why=FLOATS,
)
compare(
    KERAS,
    "layers.RandomPosterization, 3 bits",
    lambda: og.Posterize(3),
    _posterized,
    images=("photo", "noise"),
)
compare(
    KERAS,
    "layers.RandomGrayscale(1)",
    lambda: og.ToGrey(3),
    _layer(lambda: keras.layers.RandomGrayscale(1.0)),
    images=("floats",),
    bound=1e-4,
    why="weights to four digits",
)
compare(
    KERAS,
    "ops.image.rgb_to_grayscale",
    lambda: og.ToGrey(1),
    _ops(lambda f, i: f.rgb_to_grayscale(i)),
    images=("floats",),
    bound=1e-4,
    why="weights to four digits",
)
compare(
    KERAS,
    "ops.image.pad_images(4, 10, 4, 10)",
    lambda: og.Pad(((4, 4), (10, 10))),
    _ops(lambda f, i: f.pad_images(i, top_padding=4, left_padding=10, bottom_padding=4, right_padding=10)),
    images=("floats",),
)
compare(
    KERAS,
    "ops.image.affine_transform, bilinear",
    lambda: og.Affine(matrix=((1.1, 0.05, -8), (0.1, 0.9, 3)), anchor="origin", mode="grid-constant"),
    _ops(lambda f, i: f.affine_transform(i, np.array([0.9, 0.1, 3, 0.05, 1.1, -8, 0, 0], np.float32))),
    images=("floats",),
    bound=1e-4,
    why=FLOATS,
)
compare(
    KERAS,
    "ops.image.gaussian_blur(kernel_size=13, sigma=1.5)",
    lambda: og.GaussianFilter(1.5, mode="constant"),
    _ops(lambda f, i: f.gaussian_blur(i, (13, 13), (1.5, 1.5))),
    images=("floats",),
    bound=1e-5,
    why=FLOATS,
)
compare(
    KERAS,
    "ops.image.rgb_to_hsv, hue + 40°, ops.image.hsv_to_rgb",
    lambda: og.HueSaturation(40, range=1),
    lambda i: _hued(i),
    images=("floats",),
    bound=1e-5,
    why=FLOATS,
)
KERNELS: Any = (("cubic", "bicubic"), ("lanczos3", "lanczos3"), ("lanczos5", "lanczos5"))
for kernel, name in KERNELS:
    compare(
        KERAS,
        f"layers.Resizing(100, 150, '{name}', antialias=True)",
        lambda kernel=kernel: og.Resize((100, 150), kernel=kernel),
        _layer(lambda name=name: keras.layers.Resizing(100, 150, name, antialias=True)),
        images=("floats",),
        bound=1e-5,
        why=FLOATS,
    )

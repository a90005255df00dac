"""Steps beside Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from tests.references.declared import Lazy, compare

import offgraph as og

Image, ImageEnhance, ImageFilter, ImageOps = (
    Lazy(f"PIL.{name}") for name in ("Image", "ImageEnhance", "ImageFilter", "ImageOps")
)
BYTES = ("photo", "noise")
PILLOW = "Pillow"
FRACTIONS = "Pillow cuts fractions off, and rounds the mean and the luma to whole numbers first"


def of_pillow(function: Any) -> Any:
    """A function of a Pillow image."""
    return lambda image: function(Image.fromarray(image))


def _saved(image: Any, quality: int) -> Any:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=2)
    return Image.open(file)


compare(PILLOW, "ImageOps.invert(image)", og.Invert, of_pillow(lambda i: ImageOps.invert(i)), images=BYTES)
compare(
    PILLOW,
    "ImageOps.posterize(image, 3)",
    lambda: og.Posterize(3),
    of_pillow(lambda i: ImageOps.posterize(i, 3)),
    images=BYTES,
)
compare(
    PILLOW,
    "ImageOps.solarize(image, 128)",
    og.Solarize,
    of_pillow(lambda i: ImageOps.solarize(i, 128)),
    images=BYTES,
)
compare(
    PILLOW, "ImageOps.equalize(image)", og.Equalize, of_pillow(lambda i: ImageOps.equalize(i)), images=BYTES
)
compare(
    PILLOW,
    "ImageOps.autocontrast(image, 2)",
    lambda: og.AutoContrast(2),
    of_pillow(lambda i: ImageOps.autocontrast(i, 2)),
    images=BYTES,
)
compare(
    PILLOW,
    "image.convert('L')",
    lambda: og.ToGrey(1),
    of_pillow(lambda i: np.asarray(i.convert("L"))[..., np.newaxis]),
    images=BYTES,
)
compare(PILLOW, "image.convert('RGB')", og.ToRGB, of_pillow(lambda i: i.convert("RGB")), images=("grey",))
compare(
    PILLOW,
    "image.transpose(FLIP_LEFT_RIGHT)",
    og.Flip,
    of_pillow(lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    images=BYTES,
)
compare(
    PILLOW,
    "image.transpose(TRANSPOSE)",
    og.Transpose,
    of_pillow(lambda i: i.transpose(Image.Transpose.TRANSPOSE)),
    images=BYTES,
)
compare(
    PILLOW,
    "image.transpose(TRANSVERSE)",
    lambda: og.D4("hvt"),
    of_pillow(lambda i: i.transpose(Image.Transpose.TRANSVERSE)),
    images=BYTES,
)
compare(
    PILLOW,
    "image.transpose(ROTATE_90)",
    lambda: og.Rotate90(1),
    of_pillow(lambda i: i.transpose(Image.Transpose.ROTATE_90)),
    images=BYTES,
)
compare(
    PILLOW,
    "ImageOps.expand(image, (10, 4, 10, 4), 7)",
    lambda: og.Pad(((4, 4), (10, 10)), cval=7),
    of_pillow(lambda i: ImageOps.expand(i, (10, 4, 10, 4), (7, 7, 7))),
    images=BYTES,
)
compare(
    PILLOW,
    "ImageOps.pad(image, (128, 128), BILINEAR)",
    lambda: og.LetterBox(128),
    of_pillow(lambda i: ImageOps.pad(i, (128, 128), Image.Resampling.BILINEAR)),
    bound=1,
    why="Pillow adds in whole numbers of 22 bits",
)
compare(
    PILLOW,
    "ImageEnhance.Brightness(image).enhance(1.4)",
    lambda: og.Brightness(1.4),
    of_pillow(lambda i: ImageEnhance.Brightness(i).enhance(1.4)),
    images=BYTES,
    bound=1,
    why=FRACTIONS,
)
compare(
    PILLOW,
    "ImageEnhance.Contrast(image).enhance(1.4)",
    lambda: og.ColorJitter(contrast=1.4),
    of_pillow(lambda i: ImageEnhance.Contrast(i).enhance(1.4)),
    images=BYTES,
    bound=1,
    why=FRACTIONS,
)
compare(
    PILLOW,
    "ImageEnhance.Color(image).enhance(1.4)",
    lambda: og.ColorJitter(saturation=1.4),
    of_pillow(lambda i: ImageEnhance.Color(i).enhance(1.4)),
    images=BYTES,
    bound=1,
    why=FRACTIONS,
)
KERNELS: Any = (("triangle", "BILINEAR"), ("box", "BOX"), ("cubic", "BICUBIC"), ("lanczos3", "LANCZOS"))
for kernel, name in KERNELS:
    compare(
        PILLOW,
        f"image.resize((100, 77), {name})",
        lambda kernel=kernel: og.Resize((77, 100), kernel=kernel),
        of_pillow(lambda i, name=name: i.resize((100, 77), getattr(Image.Resampling, name))),
        bound=1,
        why="Pillow rounds after each axis, and limits to bytes; Offgraph rounds once",
    )
    compare(
        PILLOW,
        f"image.resize((100, 77), {name})",
        lambda kernel=kernel: og.Resize((77, 100), kernel=kernel, like="pillow"),
        of_pillow(lambda i, name=name: i.resize((100, 77), getattr(Image.Resampling, name))),
        images=BYTES,
    )
compare(
    PILLOW,
    "image.save(JPEG, quality=60), opened again",
    lambda: og.JpegCompression(60),
    of_pillow(lambda i: _saved(i, 60)),
    images=BYTES,
)
compare(
    PILLOW,
    "image.filter(MaxFilter(5))",
    lambda: og.MaxFilter(5),
    of_pillow(lambda i: i.filter(ImageFilter.MaxFilter(5))),
    images=BYTES,
    inside=2,
)
compare(
    PILLOW,
    "image.filter(MinFilter(5))",
    lambda: og.MinFilter(5),
    of_pillow(lambda i: i.filter(ImageFilter.MinFilter(5))),
    images=BYTES,
    inside=2,
)
compare(
    PILLOW,
    "image.filter(MedianFilter(5))",
    lambda: og.MedianFilter(5),
    of_pillow(lambda i: i.filter(ImageFilter.MedianFilter(5))),
    images=BYTES,
    inside=2,
)
compare(
    PILLOW,
    "image.filter(RankFilter(5, 20))",
    lambda: og.Ndimage("rank_filter", rank=20, size=5),
    of_pillow(lambda i: i.filter(ImageFilter.RankFilter(5, 20))),
    images=BYTES,
    inside=2,
)
compare(
    PILLOW,
    "image.filter(Kernel((3, 3), sharpen))",
    lambda: og.Kernel(((0, -1, 0), (-1, 5, -1), (0, -1, 0))),
    of_pillow(lambda i: i.filter(ImageFilter.Kernel((3, 3), (0, -1, 0, -1, 5, -1, 0, -1, 0)))),
    images=BYTES,
    inside=1,
)

"""One operation at a time, one thread: Offgraph beside SciPy and OpenCV on a 512x512x3 photograph.

Offgraph must give SciPy's bytes, or nothing is timed. OpenCV's answers are not SciPy's (5-bit weights in
linear warps, a 4-tap kernel instead of an interpolating spline, other borders): it is there as a speed to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.ndimage

import offgraph
from benches import measurements
from benches.cases import Case, same
from benches.timing import in_turn, ratio
from offgraph.ndimage import batch

SHEAR = np.array([[1, 0.2, 0], [0, 1, 0], [0, 0, 1.0]])
DISK = np.hypot(*np.mgrid[-7:8, -7:8]) <= 7
SMALL = (224 / 512, 224 / 512, 1)


def photograph(size: int = 512) -> np.ndarray:
    """scikit-learn's photograph of a temple, size × size × 3 uint8."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    return np.asarray(Image.fromarray(load_sample_image("china.jpg")).resize((size, size)))


def cases() -> Iterator[Case]:
    """Every operation that is native, in uint8 and float32."""
    try:
        import cv2

        cv2.setNumThreads(1)
        turn = cv2.getRotationMatrix2D((255.5, 255.5), 33, 1.0)
    except ImportError:
        cv2 = turn = None

    def against(call: Callable[[Any], object]) -> Callable[[], object] | None:
        return None if cv2 is None else lambda: call(cv2)

    photo = photograph()
    for kind, image in (("u8", photo), ("f32", photo.astype(np.float32) / 255)):

        def named(
            name: str,
            call: Callable[..., np.ndarray],
            opencv: Any = None,
            *,
            image: np.ndarray = image,
            kind: str = kind,
        ) -> Case:
            near = None if opencv is None else against(lambda cv, image=image: opencv(cv, image))
            return Case(f"{name} {kind}", lambda ndi, image=image: call(ndi, image), near)

        for order in (1, 3):
            flag = "INTER_LINEAR" if order == 1 else "INTER_CUBIC"
            yield named(
                f"zoom 512→224 order {order}",
                lambda ndi, im, order=order: ndi.zoom(im, SMALL, order=order),
                lambda cv, im, flag=flag: cv.resize(im, (224, 224), interpolation=getattr(cv, flag)),
            )
            yield named(
                f"rotate 33° order {order}",
                lambda ndi, im, order=order: ndi.rotate(im, 33, reshape=False, order=order),
                lambda cv, im, flag=flag: cv.warpAffine(im, turn, (512, 512), flags=getattr(cv, flag)),
            )
            yield named(
                f"shift order {order}",
                lambda ndi, im, order=order: ndi.shift(im, (3.3, -7.6, 0), order=order),
            )
        yield named("affine 3×3 on H×W×3 order 1", lambda ndi, im: ndi.affine_transform(im, SHEAR, order=1))
        for name, size in (("minimum_filter", 7), ("maximum_filter", 7), ("maximum_filter", 15)):
            yield named(
                f"{name} {size}×{size}",
                lambda ndi, im, name=name, size=size: getattr(ndi, name)(im, size=(size, size, 1)),
                lambda cv, im, name=name, size=size: (cv.erode if name == "minimum_filter" else cv.dilate)(
                    im, np.ones((size, size), np.uint8)
                ),
            )
        yield named(
            "grey_erosion 7×7",
            lambda ndi, im: ndi.grey_erosion(im, size=(7, 7, 1)),
            lambda cv, im: cv.erode(im, np.ones((7, 7), np.uint8)),
        )
        yield named(
            "grey_dilation, disk r 7",
            lambda ndi, im: ndi.grey_dilation(im, footprint=DISK[..., None]),
            lambda cv, im: cv.dilate(im, DISK.astype(np.uint8)),
        )
        for size in (3, 5) + ((15,) if kind == "u8" else ()):
            yield named(
                f"median {size}×{size}",
                lambda ndi, im, size=size: ndi.median_filter(im, size=(size, size, 1)),
                lambda cv, im, size=size: cv.medianBlur(im, size),
            )
        yield named("rank 2 of 3×3", lambda ndi, im: ndi.rank_filter(im, 2, size=(3, 3, 1)))
        for sigma in (1, 4):
            yield named(
                f"gaussian σ {sigma}",
                lambda ndi, im, sigma=sigma: ndi.gaussian_filter(im, (sigma, sigma, 0)),
                lambda cv, im, sigma=sigma: cv.GaussianBlur(im, (8 * sigma + 1, 8 * sigma + 1), sigma),
            )
        yield named(
            "uniform 7×7",
            lambda ndi, im: ndi.uniform_filter(im, (7, 7, 1)),
            lambda cv, im: cv.blur(im, (7, 7)),
        )
        kernel = np.random.default_rng(0).normal(size=(5, 5, 1))
        yield named("correlate 5×5", lambda ndi, im, kernel=kernel: ndi.correlate(im, kernel))
        yield named("sobel", lambda ndi, im: ndi.sobel(im, 0))
        yield named(
            "correlate1d 5 taps, axis 0", lambda ndi, im: ndi.correlate1d(im, [0.1, 0.2, 0.4, 0.2, 0.1], 0)
        )
        yield named(
            "spline_filter order 3, one channel", lambda ndi, im: ndi.spline_filter(im[..., 0], order=3)
        )

    mask = photo[..., 0] > 128
    yield Case(
        "binary_erosion 3×3, 5 iterations, 512²",
        lambda ndi: ndi.binary_erosion(mask, np.ones((3, 3)), iterations=5),
        against(lambda cv: cv.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8), iterations=5)),
    )
    yield Case("binary_fill_holes 512²", lambda ndi: ndi.binary_fill_holes(mask))

    wide = photo.astype(np.float64)
    plane = np.ascontiguousarray(wide[..., 0])
    yield Case("spline_filter order 3, one plane f64", lambda ndi: ndi.spline_filter(plane, order=3))
    yield Case("zoom 512→224 order 3 f64", lambda ndi: ndi.zoom(wide, SMALL, order=3))
    yield from small_images(photo)
    volume = np.random.default_rng(0).random((96, 96, 96)).astype(np.float32)
    yield Case(
        "rotate 96³ order 1 f32", lambda ndi: ndi.rotate(volume, 20, axes=(1, 2), reshape=False, order=1)
    )
    yield Case("affine 96³ order 3 f32", lambda ndi: ndi.affine_transform(volume, np.eye(3) + 0.05, order=3))
    yield Case("affine 96³ order 1 f32", lambda ndi: ndi.affine_transform(volume, np.eye(3) + 0.05, order=1))
    yield from elastic(photo, against)
    yield from measurements.cases()


def elastic(photo: np.ndarray, against: Callable[..., Any]) -> Iterator[Case]:
    """One channel at points displaced smoothly, as in elastic deformation; most of them lie inside the image."""
    channel = np.ascontiguousarray(photo[..., 0]).astype(np.float32) / 255
    random = np.random.default_rng(0)
    points = np.indices(channel.shape).astype(np.float64)
    points += [scipy.ndimage.gaussian_filter(random.uniform(-1, 1, channel.shape), 8) * 100 for _ in range(2)]
    maps = points[1].astype(np.float32), points[0].astype(np.float32)
    for order, flag in ((1, "INTER_LINEAR"), (3, "INTER_CUBIC")):
        yield Case(
            f"map_coordinates order {order}, 512² f32",
            lambda ndi, order=order: ndi.map_coordinates(channel, points, order=order),
            against(lambda cv, flag=flag: cv.remap(channel, *maps, getattr(cv, flag))),
        )
    flat = points.reshape(2, -1, 1).astype(np.float32)
    yield Case(
        "map_coordinates order 1, a column of float32 points",
        lambda ndi: ndi.map_coordinates(channel, flat, order=1),
    )


def small_images(photo: np.ndarray) -> Iterator[Case]:
    """One image of 32x32x3 bytes, and 256 of them in one call; SciPy takes these one by one."""
    corners = np.random.default_rng(0).integers(0, 480, (256, 2))
    images = np.stack([photo[y : y + 32, x : x + 32] for y, x in corners])
    grey = np.ascontiguousarray(images[..., 0])
    angles = np.random.default_rng(1).uniform(-180, 180, 256)
    matrices = np.eye(2) + np.random.default_rng(2).normal(0, 0.2, (256, 2, 2))
    factors, options = (0.7, 0.7, 1), {"reshape": False, "order": 1}
    yield Case("rotate 33° order 1, 32×32×3 u8", lambda ndi: ndi.rotate(images[0], 33, **options))
    yield Case(
        "rotate order 1, 256 images of 32×32×3 u8",
        lambda ndi: (
            batch.rotate(images, angles, order=1)
            if ndi is offgraph.ndimage
            else np.stack([ndi.rotate(*each, **options) for each in zip(images, angles)])
        ),
    )
    yield Case(
        "affine order 1, 256 images of 32×32 u8",
        lambda ndi: (
            batch.affine_transform(grey, matrices, order=1)
            if ndi is offgraph.ndimage
            else np.stack([ndi.affine_transform(*each, order=1) for each in zip(grey, matrices)])
        ),
    )
    yield Case(
        "zoom 0.7 order 1, 256 images of 32×32×3 u8",
        lambda ndi: (
            batch.zoom(images, factors, order=1)
            if ndi is offgraph.ndimage
            else np.stack([ndi.zoom(image, factors, order=1) for image in images])
        ),
    )


def run(only: str = "", rounds: int = 5) -> list[dict]:
    """Check, time and print every case whose name holds `only`."""
    rows = []
    print(
        f"{'operation, one thread, 512×512×3 unless said':44s} {'offgraph':>10s} {'× SciPy':>9s} {'× OpenCV':>9s}"
    )
    with offgraph.num_threads(1):
        for case in cases():
            if only not in case.name:
                continue
            if not same(case.call(offgraph.ndimage), case.call(scipy.ndimage)):
                raise SystemExit(f"{case.name}: the answer is not SciPy's; nothing is timed")
            calls: dict[str, Callable[[], object]] = {
                "offgraph": lambda case=case: case.call(offgraph.ndimage),
                "scipy": lambda case=case: case.call(scipy.ndimage),
            }
            if case.opencv is not None:
                calls["opencv"] = case.opencv
            seconds = in_turn(calls, rounds=rounds)
            row = {
                "case": case.name,
                "milliseconds": round(sorted(seconds["offgraph"])[rounds // 2] * 1e3, 3),
                "times_scipy": round(ratio(seconds, "scipy") or 0, 2),
                "times_opencv": (lambda r: None if r is None else round(r, 2))(ratio(seconds, "opencv")),
            }
            rows.append(row)
            opencv = "" if row["times_opencv"] is None else f"{row['times_opencv']:9.2f}"
            print(
                f"{case.name:44s} {row['milliseconds']:7.2f} ms {row['times_scipy']:9.1f} {opencv:>9s}",
                flush=True,
            )
    return rows

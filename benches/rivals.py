"""Work "train" by other libraries, each in a process of its own: `python benches/rivals.py NAME FOLDER THREADS FILES`.

The process reads commands, one a line, and answers each with a line of JSON:

    pass             the first FILES files, in batches of 32 float32 images → {"images": n, "seconds": s}
    answer FILE      some images, with an angle of 10 degrees, saved as arrays → {"images": n}

It imports NumPy and the library alone, so any interpreter that has these two can run it. Angles are drawn from -15 to 15.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 32
ANSWERS = 8
ANGLE = 10.0
SIZE = 224
MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
STD = np.array([0.229, 0.224, 0.225], np.float32) * 255
SHEAR = 0.2

Batches = Callable[[list[Path], float | None], Iterator[np.ndarray]]
"""Batches of files, with a fixed angle or with drawn ones."""


def stacked(images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    batch: list[np.ndarray] = []
    for image in images:
        batch.append(image)
        if len(batch) == BATCH:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def _angles(files: list[Path], angle: float | None) -> list[float]:
    rng = np.random.default_rng(0)
    return [float(rng.uniform(-15, 15)) if angle is None else angle for _ in files]


def decoder(threads: int) -> Batches:
    """libjpeg-turbo by simplejpeg in threads, and nothing else."""
    import simplejpeg

    def batches(files: list[Path], angle: float | None) -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(threads) as pool:
            for image in pool.map(lambda path: simplejpeg.decode_jpeg(path.read_bytes(), "RGB"), files):
                yield image[np.newaxis]

    return batches


def pull(angle: float, centre: float = (SIZE - 1) / 2) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset, (row, column), from output to input pixels: a turn as SciPy's `rotate`, then a shear, about the centre."""
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    matrix = np.array([[cos, sin], [-sin, cos]]) @ np.array([[1, SHEAR], [0, 1]])
    middle = np.full(2, centre)
    return matrix, middle - matrix @ middle


def opencv(threads: int) -> Batches:
    """Decode, resize linearly, rotate and shear in one warp, normalise; in a pool of threads."""
    import cv2

    cv2.setNumThreads(0)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

    def one(job: tuple[Path, float]) -> np.ndarray:
        path, angle = job
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        image = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), (SIZE, SIZE))
        matrix, offset = pull(angle)
        warp = np.column_stack([matrix[::-1, ::-1], offset[::-1]])  # (x, y)
        return (cv2.warpAffine(image, warp, (SIZE, SIZE), flags=flags) - MEAN) / STD

    def batches(files: list[Path], angle: float | None) -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(threads) as pool:
            yield from stacked(pool.map(one, zip(files, _angles(files, angle))))

    return batches


def small_images(count: int = 10_000) -> np.ndarray:
    """Images of 32 x 32 x 3, as of CIFAR-10: squares of 4 x 4 pixels of one colour."""
    colours = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    return colours.repeat(4, 1).repeat(4, 2)


def opencv_arrays(threads: int) -> Batches:
    """Small images of one array, rotated, mirrored at random and normalised; in a pool of threads."""
    import cv2

    cv2.setNumThreads(0)
    images, middle = small_images(), (31 / 2, 31 / 2)

    def one(job: tuple[np.ndarray, float, bool]) -> np.ndarray:
        image, angle, mirrored = job
        image = cv2.warpAffine(
            image, cv2.getRotationMatrix2D(middle, angle, 1), (32, 32), flags=cv2.INTER_LINEAR
        )
        return ((cv2.flip(image, 1) if mirrored else image) - MEAN) / STD

    def batches(files: list[Path], angle: float | None) -> Iterator[np.ndarray]:
        rng = np.random.default_rng(0)
        given = images[:ANSWERS] if angle is not None else images
        angles = np.full(len(given), angle) if angle is not None else rng.uniform(-15, 15, len(given))
        mirrored = np.zeros(len(given), bool) if angle is not None else rng.random(len(given)) < 0.5
        with ThreadPoolExecutor(threads) as pool:
            yield from stacked(pool.map(one, zip(given, angles.tolist(), mirrored.tolist())))

    return batches


def scipy(threads: int) -> Batches:
    """What people write: decode, `zoom`, `rotate`, `affine_transform`, normalise; in a pool of threads."""
    import simplejpeg
    from scipy import ndimage as ndi

    middle = np.array([(SIZE - 1) / 2] * 2 + [0])
    shear = np.array([[1, SHEAR, 0], [0, 1, 0], [0, 0, 1]])

    def one(job: tuple[Path, float]) -> np.ndarray:
        path, angle = job
        image = simplejpeg.decode_jpeg(path.read_bytes(), "RGB")
        image = ndi.zoom(image, (SIZE / image.shape[0], SIZE / image.shape[1], 1), order=1)
        image = ndi.rotate(image, angle, reshape=False, order=1)
        return (ndi.affine_transform(image, shear, middle - shear @ middle, order=1) - MEAN) / STD

    def batches(files: list[Path], angle: float | None) -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(threads) as pool:
            yield from stacked(pool.map(one, zip(files, _angles(files, angle))))

    return batches


def scipy_denoise(threads: int) -> Batches:
    """Work "denoise" in plain SciPy, before the division: zoom 0.5 of order 3, rotate 45, shear 0.2, median 3 x 3."""
    import simplejpeg
    from scipy import ndimage as ndi

    def one(path: Path) -> np.ndarray:
        image = ndi.zoom(simplejpeg.decode_jpeg(path.read_bytes(), "RGB"), (0.5, 0.5, 1))
        image = ndi.rotate(image, 45, reshape=False, order=1)
        middle = np.array([*(np.array(image.shape[:2]) - 1) / 2, 0])
        shear = np.array([[1, SHEAR, 0], [0, 1, 0], [0, 0, 1]])
        image = ndi.affine_transform(image, shear, middle - shear @ middle, order=1)
        return ndi.median_filter(image, size=(3, 3, 1))

    def batches(files: list[Path], angle: float | None) -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(threads) as pool:
            for image in pool.map(one, files):
                if angle is not None:
                    yield image[np.newaxis]
                else:
                    yield (image.astype(np.float32) / 255)[np.newaxis]

    return batches


def tensorflow(threads: int) -> Batches:
    """tf.data: decode and resize in a parallel map, then Keras' layers on batches.

    Keras draws the sign of a shear, and shears about the corner: an answer is without it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.threading.set_intra_op_parallelism_threads(threads)

    def decoded(path: Any) -> Any:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(image, (SIZE, SIZE), antialias=True)

    def batches(files: list[Path], angle: float | None) -> Iterator[np.ndarray]:
        turn = (-15 / 360, 15 / 360) if angle is None else (angle / 360, angle / 360)
        rotate = keras.layers.RandomRotation(turn, fill_mode="constant")
        shear = keras.layers.RandomShear(x_factor=0.0, y_factor=(SHEAR, SHEAR), fill_mode="constant")
        data = tf.data.Dataset.from_tensor_slices([str(path) for path in files])
        data = data.map(decoded, num_parallel_calls=threads).batch(BATCH)
        layers = [rotate, shear] if angle is None else [rotate]

        def transformed(images: Any) -> Any:
            for layer in layers:
                images = layer(images, training=True)
            return (images - MEAN) / STD

        data = data.map(transformed, num_parallel_calls=threads)
        for batch in data.prefetch(2):
            yield np.asarray(batch)

    return batches


def dali(threads: int) -> Batches:
    """DALI on the CPU: decode, resize, one warp, `crop_mirror_normalize`."""
    from nvidia.dali import fn, pipeline_def, types

    @pipeline_def(batch_size=BATCH, num_threads=threads, device_id=None, prefetch_queue_depth=2)
    def pipeline(files: list[str], angle: float | None) -> Any:
        data, _ = fn.readers.file(files=files, name="reader")
        images = fn.decoders.image(data, device="cpu", output_type=types.RGB)
        images = fn.resize(images, size=(SIZE, SIZE), interp_type=types.INTERP_LINEAR, antialias=True)
        turn = fn.random.uniform(range=(-15.0, 15.0)) if angle is None else angle
        middle = (SIZE / 2, SIZE / 2)  # pixels are squares there, whose corners are whole numbers
        sheared = fn.transforms.shear(shear=(0.0, SHEAR), center=middle)
        warp = fn.transforms.rotation(sheared, angle=turn, center=middle)
        images = fn.warp_affine(images, warp, fill_value=0, interp_type=types.INTERP_LINEAR, inverse_map=True)
        return fn.crop_mirror_normalize(
            images, mean=MEAN.tolist(), std=STD.tolist(), output_layout="HWC", dtype=types.FLOAT
        )

    kept: dict[Any, Any] = {}

    def batches(files: list[Path], angle: float | None) -> Iterator[np.ndarray]:
        address = (tuple(files), angle)
        if address not in kept:
            kept[address] = pipeline([str(path) for path in files], angle)
            kept[address].build()
        left = len(files)
        while left > 0:
            (batch,) = kept[address].run()
            yield np.asarray(batch.as_tensor())[:left]
            left -= BATCH

    return batches


RIVALS: dict[str, Callable[[int], Batches]] = {
    "dali": dali,
    "decoder": decoder,
    "opencv": opencv,
    "opencv_arrays": opencv_arrays,
    "scipy": scipy,
    "scipy_denoise": scipy_denoise,
    "tensorflow": tensorflow,
}


def main() -> None:
    name, folder, threads, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))[:most]
    batches = RIVALS[name](threads)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        command, _, path = line.strip().partition(" ")
        began = time.perf_counter()
        if command == "answer":
            found = [image for batch in batches(files[:ANSWERS], ANGLE) for image in batch]
            np.savez(path, *found)
            said = {"images": len(found)}
        else:
            count = sum(len(batch) for batch in batches(files, None))
            said = {"images": count, "seconds": time.perf_counter() - began}
        print(json.dumps(said), file=answers, flush=True)


if __name__ == "__main__":
    main()

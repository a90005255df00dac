"""The whole path: JPEG files → Resize, Rotate, Affine, Normalize → batches of 32 held by TensorFlow.

Beside it the same work in plain SciPy, with the same decoder and the same number of threads.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi

import offgraph as og
from benches.rivals import BATCH, MEAN, STD, stacked

THREADS = 2
SHEAR = np.array([[1, 0.2, 0], [0, 1, 0], [0, 0, 1.0]])


def photographs(folder: Path | None) -> tuple[Path, list[Path]]:
    """JPEG files to read: those of `folder`, or crops of scikit-learn's two photographs written for the purpose."""
    if folder is not None:
        return folder, sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    from sklearn.datasets import load_sample_images

    made = Path(tempfile.mkdtemp(prefix="offgraph-bench-"))
    for index in range(128):
        image = load_sample_images().images[index % 2]
        top, left = (index * 7) % 52, (index * 13) % 140
        og.imwrite(made / f"{index:03d}.jpg", np.ascontiguousarray(image[top : top + 375, left : left + 500]))
    return made, sorted(made.iterdir())


def scipy_batches(files: list[Path]) -> Iterator[np.ndarray]:
    """What people write: decode, `zoom`, `rotate`, `affine_transform`, normalise, in a pool of threads."""
    import simplejpeg

    rng = np.random.default_rng(0)

    def one(job: tuple[Path, float]) -> np.ndarray:
        path, angle = job
        image = simplejpeg.decode_jpeg(path.read_bytes(), "RGB")
        image = ndi.zoom(image, (224 / image.shape[0], 224 / image.shape[1], 1), order=1)
        image = ndi.rotate(image, angle, reshape=False, order=1)
        return (ndi.affine_transform(image, SHEAR, order=1) - MEAN) / STD

    with ThreadPoolExecutor(THREADS) as pool:
        images = pool.map(one, [(path, float(rng.uniform(-15, 15))) for path in files])
        yield from stacked(images)


def run(folder: Path | None, rounds: int = 5) -> list[dict]:
    """Time both paths in turn and print images per second."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    root, files = photographs(folder)
    recipe = og.Compose(
        [
            og.Resize((224, 224)),
            og.Augment(og.Rotate((-15, 15)), og.Affine(shear=0.2)),
            og.Normalize("imagenet"),
        ]
    )
    loader = og.Loader(og.open_source(root, color="rgb"), recipe, batch_size=BATCH, threads=THREADS, seed=0)

    dataset = loader.tensorflow()  # made once: every pass is the next epoch

    def ours() -> int:
        return sum(
            int(batch[0].shape[0] if isinstance(batch, tuple) else batch.shape[0]) for batch in dataset
        )

    def theirs() -> int:
        return sum(int(tf.convert_to_tensor(batch).shape[0]) for batch in scipy_batches(files[:64]))

    def per_second(call: Callable[[], int]) -> float:
        start = time.perf_counter()
        return call() / (time.perf_counter() - start)

    per_second(ours)
    speeds = [(per_second(ours), per_second(theirs)) for _ in range(rounds)]
    mine, plain = (statistics.median(column) for column in zip(*speeds, strict=True))
    times = statistics.median(a / b for a, b in speeds)
    print(
        f"decode → Resize 224, Rotate, Affine, Normalize → TensorFlow, {THREADS} threads, {len(files)} JPEG files"
    )
    print(f"offgraph {mine:7.1f} images/s   plain SciPy {plain:7.1f} images/s   ratio {times:.1f}")
    return [
        {
            "case": "whole path",
            "images_per_second": round(mine, 1),
            "scipy": round(plain, 1),
            "times_scipy": round(times, 2),
        }
    ]

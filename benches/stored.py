"""Stored datasets: images per second built and fed, beside decoding the JPEG files alone and tf.data.

Work of a feed: read at 224², shuffled, Normalize to float32, batches of 32 in an array; for one of them Rotate and shear before it.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import offgraph as og
from benches.pipeline import BATCH, THREADS, photographs

RECIPE = [og.Resize((224, 224)), og.Normalize("imagenet")]
DRAWN = [og.Augment(og.Rotate((-15, 15)), og.Affine(shear=0.2)), og.Normalize("imagenet")]
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "folder": ("folder", {}),
    "tfrecord, PNG": ("tfrecord", {}),
    "tfrecord, raw": ("tfrecord", {"encoding": "raw"}),
    "webdataset, PNG": ("webdataset", {}),
    "webdataset, raw": ("webdataset", {"encoding": "raw"}),
    "arrow": ("arrow", {}),
    "arrow, lz4": ("arrow", {"compression": "lz4"}),
    "arrow, zstd": ("arrow", {"compression": "zstd"}),
}


def decode(files: list[Path]) -> int:
    """Decode all files by libjpeg-turbo in threads, and nothing else."""
    import simplejpeg

    with ThreadPoolExecutor(THREADS) as pool:
        return len(list(pool.map(lambda path: simplejpeg.decode_jpeg(path.read_bytes(), "RGB").shape, files)))


def with_tensorflow(folder: Path) -> Callable[[], int]:
    """What a user of plain TensorFlow writes to read and normalise TFRecords of raw values."""
    import tensorflow as tf

    features = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
    mean, std = tf.constant([0.485, 0.456, 0.406]), tf.constant([0.229, 0.224, 0.225])

    def parse(serialized: Any) -> Any:
        data = tf.io.parse_single_example(serialized, features)["image/encoded"]
        image = tf.reshape(tf.io.decode_raw(data, tf.uint8), (224, 224, 3))
        return (tf.cast(image, tf.float32) / 255 - mean) / std

    files = sorted(map(str, folder.glob("*.tfrecord")))
    data = tf.data.TFRecordDataset(files).map(parse, num_parallel_calls=THREADS).batch(BATCH).prefetch(2)
    return lambda: sum(int(batch.shape[0]) for batch in data)


def run(folder: Path | None, rounds: int = 5, only: str = "") -> list[dict]:
    """Build each format, feed from all in turn, and print images per second and quotients.

    With `only`, of those whose name holds it: ``"build"`` or ``"build arrow"`` feeds from none.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    root, files = photographs(folder)
    source = og.open_source(root)
    home = Path(tempfile.mkdtemp(prefix="offgraph-stored-"))
    calls: dict[str, Callable[[], int]] = {"decode alone": lambda: decode(files)}
    has_feeds = not only.startswith("build")
    loaders = {"the files": og.Loader(source, RECIPE, batch_size=BATCH, threads=THREADS, shuffle=True)}
    for name, (format, options) in FORMATS.items():

        def build(name: str = name, format: Any = format, options: dict[str, Any] = options) -> int:
            out = Path(tempfile.mkdtemp(dir=home)) / name
            return og.build(
                source, out, RECIPE, format=format, workers=THREADS, progress=False, **options
            ).examples

        calls[f"build {name}"] = build
        if not has_feeds:
            continue
        og.build(source, home / name, RECIPE, format=format, workers=THREADS, progress=False, **options)  # type: ignore[arg-type]
        loaders[name] = og.Loader(home / name, batch_size=BATCH, threads=THREADS, shuffle=True)
    if not has_feeds:
        return _measured(_chosen(calls, only), rounds)
    loaders["arrow, with Rotate and shear"] = og.Loader(
        home / "arrow", DRAWN, other_recipe=True, batch_size=BATCH, threads=THREADS, shuffle=True
    )
    for name, loader in loaders.items():
        calls[f"feed {name}"] = lambda loader=loader: sum(len(batch) for batch in loader)
    calls["tf.data of tfrecord, raw"] = with_tensorflow(home / "tfrecord, raw")
    calls["feed arrow to TensorFlow"] = _to_tensorflow(loaders["arrow"])
    return _measured(_chosen(calls, only), rounds)


def _chosen(calls: dict[str, Callable[[], int]], only: str) -> dict[str, Callable[[], int]]:
    """Those whose name holds a text, and what they are compared with."""
    return {name: call for name, call in calls.items() if only in name or name == "decode alone"}


def _to_tensorflow(loader: og.Loader) -> Callable[[], int]:
    data = loader.tensorflow()
    return lambda: sum(int((part[0] if isinstance(part, tuple) else part).shape[0]) for part in data)


def _measured(calls: dict[str, Callable[[], int]], rounds: int) -> list[dict]:
    speeds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            count = call()
            speeds[name].append(count / (time.perf_counter() - started))
    alone = speeds["decode alone"]
    rows = []
    for name, found in speeds.items():
        times = statistics.median(a / b for a, b in zip(found, alone, strict=True))
        print(f"{name:30s} {statistics.median(found):8.0f} images/s  {times:6.2f} x decoding")
        rows.append(
            {
                "case": name,
                "images_per_second": round(statistics.median(found)),
                "of_decoding": round(times, 2),
            }
        )
    return rows

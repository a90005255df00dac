"""Read a dataset that `offgraph build --format tfrecord` wrote with nothing but TensorFlow.

python examples/read_tfrecord.py DATASET
"""

import sys
from pathlib import Path

import tensorflow as tf

FEATURES = {  # DATASET/features.json describes all of them
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "label/name": tf.io.FixedLenFeature([], tf.string),
}


def parse(example: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Decode one example: the picture, its class number, its class name."""
    values = tf.io.parse_single_example(example, FEATURES)
    return tf.io.decode_png(values["image/encoded"]), values["label"], values["label/name"]


shards = sorted(str(path) for path in Path(sys.argv[1]).glob("data-*.tfrecord"))
counts: dict[str, int] = {}
shapes: set[tuple[int, ...]] = set()
for image, _, class_name in tf.data.TFRecordDataset(shards).map(parse):
    name = class_name.numpy().decode()
    counts[name] = counts.get(name, 0) + 1
    shapes.add(tuple(image.shape))
print(f"{sum(counts.values())} pictures of shape {', '.join(map(str, sorted(shapes)))}")
for name, count in sorted(counts.items()):
    print(f"{count:6d}  {name}")

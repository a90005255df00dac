"""Read what `offgraph build --format tfrecord` wrote with TensorFlow alone: python read_tfrecord.py DATASET."""

import sys
from collections import Counter
from pathlib import Path

import tensorflow as tf

# DATASET/features.json describes all of them.
features = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "label/name": tf.io.FixedLenFeature([], tf.string),
}
shards = sorted(str(path) for path in Path(sys.argv[1]).glob("data-*.tfrecord"))
examples = tf.data.TFRecordDataset(shards).map(lambda data: tf.io.parse_single_example(data, features))
images = [(tf.io.decode_png(e["image/encoded"]), e["label/name"].numpy().decode()) for e in examples]
shapes = sorted({tuple(image.shape) for image, _ in images})
print(f"{len(images)} images of shape {', '.join(map(str, shapes))}")
for name, count in sorted(Counter(name for _, name in images).items()):
    print(f"{count:6d}  {name}")

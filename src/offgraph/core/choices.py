"""The values that options take: each set declared once, for the Python functions and the command line.

Nothing is imported here, so that ``offgraph --help`` need not load NumPy.
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "Alpha",
    "AnnotationFormat",
    "ArrayEncoding",
    "BadBoxes",
    "Blend",
    "Color",
    "Compression",
    "Decoding",
    "FileColor",
    "LabelSource",
    "Layout",
    "Merge",
    "MissingMask",
    "ModelTask",
    "NonFinite",
    "ObjectFormat",
    "ObjectMasks",
    "OnBadImage",
    "OnError",
    "Outputs",
    "Store",
    "Task",
    "TestTimeVariants",
]

Color = Literal["rgb", "grey", "keep"]
"""How colour and grey images are brought to one form: three channels, one channel, or as stored."""

FileColor = Literal[Color, "labels"]
"""What one file may be read as; "labels" gives the stored numbers, without palette or gamma."""

Alpha = Literal["drop", "white", "black"]
"""How transparency is handled: the alpha channel is dropped, or the image composited onto white or black."""

ModelTask = Literal["classify", "multilabel", "regress", "segment", "detect"]
"""What a saved model predicts."""

Task = ModelTask
"""What a model is to learn of a source: one class per image, several classes, numbers, a label per pixel, or boxes."""

LabelSource = Literal["auto", "folders"]
"""Whether the folders of a source are classes."""

AnnotationFormat = Literal["voc", "coco", "yolo"]
"""Files of annotations, and what the four numbers of a box in them mean: VOC's corners, counted from 1 and both inside;
COCO's corner and size in pixels; YOLO's centre and size as shares of the image."""

ObjectFormat = Literal["voc", "coco", "yolo", "xyxy"]
"""The same, and of tables: edges in pixels from the image's own edge."""

BadBoxes = Literal["skip", "error"]
"""How a box without area, or outside its image, is handled: left out and counted, or refused."""

ObjectMasks = Literal["instances", "semantic"]
"""A mask drawn from annotated objects: object i, from 0, has the label i + 1; or class k has the label k + 1."""

MissingMask = Literal["error", "skip", "background"]
"""What an image without a mask means where others have one."""

NonFinite = Literal["error", "allow"]
"""How NaN and infinity in a float image are handled: as a fault of the image, or as values like any other."""

OnBadImage = Literal["raise", "skip", "substitute", "quarantine"]
"""How a loader handles an image that cannot be used: it ends the pass; leaves the image out; puts another one in its
place; or leaves it out from then on, without reading it again."""

OnError = Literal["quarantine", "stop"]
"""How a run handles a file that cannot be read: it lists the file and continues, or stops."""

Store = Literal["integers", "final"]
"""What a dataset holds: images after the last step that gives integers, or the final floats."""

Merge = Literal["mean", "geometric", "max"]
"""How the answers of a model to several variants of an image become one: their mean, geometric mean, or the largest."""

TestTimeVariants = Literal["mirrored", "flips", "d4"]
"""What a model is asked about besides the image itself: it mirrored left to right, along all axes, or all symmetries of a
square."""

Blend = Literal["gaussian", "linear", "none"]
"""How tiles that overlap become one: weighted by a Gaussian around their middle, by the distance from their edge, or cut
in the middle of what they share."""

ArrayEncoding = Literal["raw", "png"]
"""How a dataset holds the pixels of an image: the values as they are, or as a PNG where that can hold them."""

Compression = Literal["none", "lz4", "zstd"]
"""How the values of a dataset are compressed, one example at a time."""

Decoding = Literal["window", "full", "scaled"]
"""What of an image file is decoded: what the first crops keep; all of it; or no more detail than a resize shows."""

Layout = Literal["channels_first", "channels_last"]
"""Where the batches of a model have their channels: before or after the spatial axes."""

Outputs = Literal["probabilities", "logits"]
"""What the numbers that a model outputs are."""

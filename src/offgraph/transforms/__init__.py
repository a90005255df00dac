"""Steps on pictures, one file each: a new one adds its line here."""

from offgraph.transforms.median_filter import MedianFilter
from offgraph.transforms.normalize import Normalize
from offgraph.transforms.resize import Resize
from offgraph.transforms.rotate import Rotate

__all__ = [
    "MedianFilter",
    "Normalize",
    "Resize",
    "Rotate",
]

"""Steps that mix neighbours along the spatial axes. A new one adds its line here."""

from offgraph.transforms.filters.gaussian_filter import GaussianFilter
from offgraph.transforms.filters.median_filter import MedianFilter
from offgraph.transforms.filters.ndimage import Ndimage

__all__ = [
    "GaussianFilter",
    "MedianFilter",
    "Ndimage",
]

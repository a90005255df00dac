"""Steps on pictures, one file each: a new one adds its line here."""

from offgraph.transforms.affine import Affine
from offgraph.transforms.center_crop import CenterCrop
from offgraph.transforms.flip import Flip
from offgraph.transforms.gamma import Gamma
from offgraph.transforms.gaussian_filter import GaussianFilter
from offgraph.transforms.median_filter import MedianFilter
from offgraph.transforms.normalize import Normalize
from offgraph.transforms.pad import Pad
from offgraph.transforms.random_crop import RandomCrop
from offgraph.transforms.rescale import Rescale
from offgraph.transforms.resize import Resize
from offgraph.transforms.rotate import Rotate
from offgraph.transforms.zoom import Zoom

__all__ = [
    "Affine",
    "CenterCrop",
    "Flip",
    "Gamma",
    "GaussianFilter",
    "MedianFilter",
    "Normalize",
    "Pad",
    "RandomCrop",
    "Rescale",
    "Resize",
    "Rotate",
    "Zoom",
]

"""Steps on a model's output, one file each: a new one adds its line here."""

from offgraph.postprocess.fill_holes import FillHoles
from offgraph.postprocess.keep_largest import KeepLargest
from offgraph.postprocess.label import Label
from offgraph.postprocess.remove_small import RemoveSmall
from offgraph.postprocess.threshold import Threshold

__all__ = [
    "FillHoles",
    "KeepLargest",
    "Label",
    "RemoveSmall",
    "Threshold",
]

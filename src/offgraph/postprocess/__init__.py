"""Steps on a model's output, one file each: a new one adds its line here."""

from offgraph.postprocess.arg_max import ArgMax
from offgraph.postprocess.clear_border import ClearBorder
from offgraph.postprocess.close import Close
from offgraph.postprocess.contours import Contours
from offgraph.postprocess.dilate import Dilate
from offgraph.postprocess.distance_watershed import DistanceWatershed
from offgraph.postprocess.erode import Erode
from offgraph.postprocess.fill_holes import FillHoles
from offgraph.postprocess.keep_largest import KeepLargest
from offgraph.postprocess.label import Label
from offgraph.postprocess.measure import Measure
from offgraph.postprocess.non_maximum_suppression import NonMaximumSuppression
from offgraph.postprocess.open import Open
from offgraph.postprocess.remove_small import RemoveSmall
from offgraph.postprocess.seeded_watershed import SeededWatershed
from offgraph.postprocess.sigmoid import Sigmoid
from offgraph.postprocess.smooth_probabilities import SmoothProbabilities
from offgraph.postprocess.softmax import Softmax
from offgraph.postprocess.threshold import Threshold

__all__ = [
    "ArgMax",
    "ClearBorder",
    "Close",
    "Contours",
    "Dilate",
    "DistanceWatershed",
    "Erode",
    "FillHoles",
    "KeepLargest",
    "Label",
    "Measure",
    "NonMaximumSuppression",
    "Open",
    "RemoveSmall",
    "SeededWatershed",
    "Sigmoid",
    "SmoothProbabilities",
    "Softmax",
    "Threshold",
]

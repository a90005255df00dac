"""What lies on an image's grid, one type per file; each says how coordinate maps move it."""

from offgraph.targets.base import Target
from offgraph.targets.boxes import Boxes
from offgraph.targets.collection import KINDS, Targets
from offgraph.targets.heatmap import Heatmap
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask
from offgraph.targets.points import Points

__all__ = ["KINDS", "Boxes", "Heatmap", "Image", "Mask", "Points", "Target", "Targets"]

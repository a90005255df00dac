"""What results say of objects: regions of images, tables of measures, outlines, and boxes without repetitions."""

from offgraph.engine.segmentation import (
    h_maxima,
    label_distances,
    label_regions,
    reconstruction,
    regional_maxima,
    watershed,
)
from offgraph.objects.box_files import boxes_geojson, coco_results
from offgraph.objects.fusion import fuse_boxes
from offgraph.objects.outlines import coco_annotations, contours, geojson
from offgraph.objects.suppression import non_maximum_suppression
from offgraph.objects.table import measure

__all__ = [
    "boxes_geojson",
    "coco_annotations",
    "coco_results",
    "contours",
    "fuse_boxes",
    "geojson",
    "h_maxima",
    "label_distances",
    "label_regions",
    "measure",
    "non_maximum_suppression",
    "reconstruction",
    "regional_maxima",
    "watershed",
]

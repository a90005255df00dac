"""What results say of objects: tables of measures, outlines, and boxes without repetitions."""

from offgraph.objects.outlines import coco_annotations, contours, geojson
from offgraph.objects.suppression import non_maximum_suppression
from offgraph.objects.table import measure

__all__ = ["coco_annotations", "contours", "geojson", "measure", "non_maximum_suppression"]

"""Steps that move pixels: each is one coordinate map. A new one adds its line here."""

from offgraph.transforms.geometric.affine import Affine
from offgraph.transforms.geometric.bbox_safe_crop import BBoxSafeCrop
from offgraph.transforms.geometric.center_crop import CenterCrop
from offgraph.transforms.geometric.crop import Crop
from offgraph.transforms.geometric.crop_around_mask import CropAroundMask
from offgraph.transforms.geometric.crop_to_aspect import CropToAspect
from offgraph.transforms.geometric.d4 import D4
from offgraph.transforms.geometric.elastic import Elastic
from offgraph.transforms.geometric.flip import Flip
from offgraph.transforms.geometric.grid_distortion import GridDistortion
from offgraph.transforms.geometric.grid_shuffle import GridShuffle
from offgraph.transforms.geometric.lens_distortion import LensDistortion
from offgraph.transforms.geometric.letter_box import LetterBox
from offgraph.transforms.geometric.orientation import Orientation
from offgraph.transforms.geometric.pad import Pad
from offgraph.transforms.geometric.pad_to import PadTo
from offgraph.transforms.geometric.perspective import Perspective
from offgraph.transforms.geometric.random_crop import RandomCrop
from offgraph.transforms.geometric.random_resized_crop import RandomResizedCrop
from offgraph.transforms.geometric.resize import Resize
from offgraph.transforms.geometric.resize_longer import ResizeLonger
from offgraph.transforms.geometric.resize_shorter import ResizeShorter
from offgraph.transforms.geometric.rotate import Rotate
from offgraph.transforms.geometric.rotate90 import Rotate90
from offgraph.transforms.geometric.scale import Scale
from offgraph.transforms.geometric.shift import Shift
from offgraph.transforms.geometric.shift_scale_rotate import ShiftScaleRotate
from offgraph.transforms.geometric.spacing import Spacing
from offgraph.transforms.geometric.thin_plate_spline import ThinPlateSpline
from offgraph.transforms.geometric.transpose import Transpose
from offgraph.transforms.geometric.zoom import Zoom

__all__ = [
    "D4",
    "Affine",
    "BBoxSafeCrop",
    "CenterCrop",
    "Crop",
    "CropAroundMask",
    "CropToAspect",
    "Elastic",
    "Flip",
    "GridDistortion",
    "GridShuffle",
    "LensDistortion",
    "LetterBox",
    "Orientation",
    "Pad",
    "PadTo",
    "Perspective",
    "RandomCrop",
    "RandomResizedCrop",
    "Resize",
    "ResizeLonger",
    "ResizeShorter",
    "Rotate",
    "Rotate90",
    "Scale",
    "Shift",
    "ShiftScaleRotate",
    "Spacing",
    "ThinPlateSpline",
    "Transpose",
    "Zoom",
]

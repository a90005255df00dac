"""Steps that change each value by itself. A new one adds its line here."""

from offgraph.transforms.pointwise.brightness import Brightness
from offgraph.transforms.pointwise.clip import Clip
from offgraph.transforms.pointwise.contrast import Contrast
from offgraph.transforms.pointwise.gamma import Gamma
from offgraph.transforms.pointwise.invert import Invert
from offgraph.transforms.pointwise.normalize import Normalize
from offgraph.transforms.pointwise.planckian_jitter import PlanckianJitter
from offgraph.transforms.pointwise.posterize import Posterize
from offgraph.transforms.pointwise.rescale import Rescale
from offgraph.transforms.pointwise.solarize import Solarize
from offgraph.transforms.pointwise.tone_curve import ToneCurve

__all__ = [
    "Brightness",
    "Clip",
    "Contrast",
    "Gamma",
    "Invert",
    "Normalize",
    "PlanckianJitter",
    "Posterize",
    "Rescale",
    "Solarize",
    "ToneCurve",
]

"""Steps that change the channels of each pixel together. A new one adds its line here."""

from offgraph.transforms.color.channel_drop import ChannelDrop
from offgraph.transforms.color.channel_shuffle import ChannelShuffle
from offgraph.transforms.color.color_jitter import ColorJitter
from offgraph.transforms.color.color_matrix import ColorMatrix
from offgraph.transforms.color.hue_saturation import HueSaturation
from offgraph.transforms.color.rgbshift import RGBShift
from offgraph.transforms.color.snow import Snow
from offgraph.transforms.color.to_grey import ToGrey
from offgraph.transforms.color.to_rgb import ToRGB

__all__ = [
    "ChannelDrop",
    "ChannelShuffle",
    "ColorJitter",
    "ColorMatrix",
    "HueSaturation",
    "RGBShift",
    "Snow",
    "ToGrey",
    "ToRGB",
]

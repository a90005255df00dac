"""Steps that add noise or take something away. A new one adds its line here."""

from offgraph.transforms.noise.bias_field import BiasField
from offgraph.transforms.noise.coarse_dropout import CoarseDropout
from offgraph.transforms.noise.downscale import Downscale
from offgraph.transforms.noise.fog import Fog
from offgraph.transforms.noise.gaussian_noise import GaussianNoise
from offgraph.transforms.noise.glass_blur import GlassBlur
from offgraph.transforms.noise.grid_dropout import GridDropout
from offgraph.transforms.noise.isonoise import ISONoise
from offgraph.transforms.noise.jpeg_compression import JpegCompression
from offgraph.transforms.noise.mask_dropout import MaskDropout
from offgraph.transforms.noise.pixel_dropout import PixelDropout
from offgraph.transforms.noise.poisson_noise import PoissonNoise
from offgraph.transforms.noise.rain import Rain
from offgraph.transforms.noise.salt_and_pepper import SaltAndPepper
from offgraph.transforms.noise.shadow import Shadow
from offgraph.transforms.noise.spatter import Spatter
from offgraph.transforms.noise.speckle import Speckle
from offgraph.transforms.noise.sun_flare import SunFlare

__all__ = [
    "BiasField",
    "CoarseDropout",
    "Downscale",
    "Fog",
    "GaussianNoise",
    "GlassBlur",
    "GridDropout",
    "ISONoise",
    "JpegCompression",
    "MaskDropout",
    "PixelDropout",
    "PoissonNoise",
    "Rain",
    "SaltAndPepper",
    "Shadow",
    "Spatter",
    "Speckle",
    "SunFlare",
]

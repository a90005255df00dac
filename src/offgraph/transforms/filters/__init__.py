"""Steps that mix neighbours along the spatial axes. A new one adds its line here."""

from offgraph.transforms.filters.background_subtract import BackgroundSubtract
from offgraph.transforms.filters.bilateral import Bilateral
from offgraph.transforms.filters.defocus import Defocus
from offgraph.transforms.filters.difference_of_gaussians import DifferenceOfGaussians
from offgraph.transforms.filters.emboss import Emboss
from offgraph.transforms.filters.gaussian_filter import GaussianFilter
from offgraph.transforms.filters.gradient_magnitude import GradientMagnitude
from offgraph.transforms.filters.kernel import Kernel
from offgraph.transforms.filters.laplacian import Laplacian
from offgraph.transforms.filters.max_filter import MaxFilter
from offgraph.transforms.filters.median_filter import MedianFilter
from offgraph.transforms.filters.min_filter import MinFilter
from offgraph.transforms.filters.motion_blur import MotionBlur
from offgraph.transforms.filters.ndimage import Ndimage
from offgraph.transforms.filters.percentile_filter import PercentileFilter
from offgraph.transforms.filters.ringing import Ringing
from offgraph.transforms.filters.sharpen import Sharpen
from offgraph.transforms.filters.uniform_filter import UniformFilter
from offgraph.transforms.filters.unsharp_mask import UnsharpMask
from offgraph.transforms.filters.white_top_hat import WhiteTopHat
from offgraph.transforms.filters.zoom_blur import ZoomBlur

__all__ = [
    "BackgroundSubtract",
    "Bilateral",
    "Defocus",
    "DifferenceOfGaussians",
    "Emboss",
    "GaussianFilter",
    "GradientMagnitude",
    "Kernel",
    "Laplacian",
    "MaxFilter",
    "MedianFilter",
    "MinFilter",
    "MotionBlur",
    "Ndimage",
    "PercentileFilter",
    "Ringing",
    "Sharpen",
    "UniformFilter",
    "UnsharpMask",
    "WhiteTopHat",
    "ZoomBlur",
]

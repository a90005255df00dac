"""Steps that change each value by what all values of the image are. A new one adds its line here."""

from offgraph.transforms.statistics.auto_contrast import AutoContrast
from offgraph.transforms.statistics.clahe import CLAHE
from offgraph.transforms.statistics.equalize import Equalize
from offgraph.transforms.statistics.fancy_pca import FancyPCA
from offgraph.transforms.statistics.match_histogram import MatchHistogram
from offgraph.transforms.statistics.percentile_normalize import PercentileNormalize
from offgraph.transforms.statistics.zscore import ZScore

__all__ = ["CLAHE", "AutoContrast", "Equalize", "FancyPCA", "MatchHistogram", "PercentileNormalize", "ZScore"]

"""Steps that change each value by itself. A new one adds its line here."""

from offgraph.transforms.pointwise.gamma import Gamma
from offgraph.transforms.pointwise.normalize import Normalize
from offgraph.transforms.pointwise.rescale import Rescale

__all__ = ["Gamma", "Normalize", "Rescale"]

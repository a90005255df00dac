"""Steps that apply other steps. A new one adds its line here."""

from offgraph.transforms.structure.aug_mix import AugMix
from offgraph.transforms.structure.identity import Identity
from offgraph.transforms.structure.lambda_ import Lambda
from offgraph.transforms.structure.one_of import OneOf
from offgraph.transforms.structure.rand_augment import RandAugment
from offgraph.transforms.structure.random_order import RandomOrder
from offgraph.transforms.structure.sequence import Sequence
from offgraph.transforms.structure.some_of import SomeOf
from offgraph.transforms.structure.trivial_augment import TrivialAugment

__all__ = [
    "AugMix",
    "Identity",
    "Lambda",
    "OneOf",
    "RandAugment",
    "RandomOrder",
    "Sequence",
    "SomeOf",
    "TrivialAugment",
]
